/** How requests in flight can lie in a device's state. Nothing in the state says which way: the bytes tell. */
import { VirtioFeature } from "../../../../../generated/virtio/features.js";
import type { SavedDevice } from "../device.js";

export interface InFlight {
  /** The order of the host that the source ran on. */
  readonly hostLittleEndian: boolean;
  /** The device offers packed rings. */
  readonly packed: boolean;
}

/** All ways, the most likely first. A device that the driver uses packed rings of offers them. */
export function inFlight({ features, hostLittleEndian }: SavedDevice): InFlight[] {
  const isPacked = (features & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  return [hostLittleEndian, !hostLittleEndian].flatMap((order) =>
    [isPacked, !isPacked].map((packed) => ({ hostLittleEndian: order, packed })),
  );
}
