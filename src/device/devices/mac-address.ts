/** MAC addresses, and whom a frame is for: its destination is the first thing in it. */
import { ETH_ALEN } from "../../../generated/net/ethernet.js";

export const BROADCAST: Uint8Array = new Uint8Array(ETH_ALEN).fill(0xff);

/** The bit of an address's first byte that says that it is of a group. */
const GROUP = 1;

/** Whether the frame is for all, or for those of a group. */
export function isForGroup(frame: Uint8Array): boolean {
  return ((frame[0] as number) & GROUP) !== 0;
}

export function isFor(frame: Uint8Array, mac: Uint8Array): boolean {
  for (let i = 0; i < ETH_ALEN; i++) if (frame[i] !== mac[i]) return false;
  return true;
}
