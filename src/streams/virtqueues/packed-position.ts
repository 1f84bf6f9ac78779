/** Places in a packed ring, and whose a descriptor is. */
import { PvirtqDescFlags } from "../../../generated/virtio/ring.js";

/** A place in a packed ring that wraps: an offset, and the counter that changes each time around. */
export interface RingPosition {
  readonly slot: number;
  readonly wrap: boolean;
}

const { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } = PvirtqDescFlags;

export function advance({ slot, wrap }: RingPosition, by: number, size: number): RingPosition {
  const next = slot + by;
  return next >= size ? { slot: next - size, wrap: !wrap } : { slot: next, wrap };
}

export function isAvailable(flags: number, wrap: boolean): boolean {
  return ((flags & VIRTQ_DESC_F_AVAIL) !== 0) === wrap && ((flags & VIRTQ_DESC_F_USED) !== 0) !== wrap;
}
