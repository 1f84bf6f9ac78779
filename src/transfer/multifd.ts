/** Tells a multifd channel from the one of postcopy-preempt, which has no mark of its own. */

/** `multifd_magic`: the first bytes of the packet that opens the channel. */
const MAGIC = [0x11, 0x22, 0x33, 0x44];

export const MULTIFD_MARK_SIZE = MAGIC.length;

/** `start`: the first bytes of a channel. */
export function isMultifd(start: Uint8Array): boolean {
  return MAGIC.every((byte, at) => start[at] === byte);
}
