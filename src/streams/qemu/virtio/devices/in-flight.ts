/** How requests in flight can lie in a device's state. Nothing in the state says which way: the bytes tell. */
import type { SavedDevice } from "../device.js";

export interface InFlight {
  /** The order of the host that the source ran on. */
  readonly hostLittleEndian: boolean;
  /** The device offers packed rings. */
  readonly packed: boolean;
}

/** All ways, the most likely first. */
export function inFlight({ offersPacked, hostLittleEndian }: SavedDevice): InFlight[] {
  return [hostLittleEndian, !hostLittleEndian].flatMap((order) =>
    [offersPacked, !offersPacked].map((packed) => ({ hostLittleEndian: order, packed })),
  );
}
