/** How requests in flight can lie in a device's state. Nothing in the state says which way: the bytes tell. */
import { QemuHostAbi } from "../../../../../generated/qemu/virtio/element.js";
import type { SavedDevice } from "../device.js";

export interface InFlight {
  /** The order of the host that the source ran on. */
  readonly hostLittleEndian: boolean;
  /** How its compiler lays out pointers and 64-bit integers. */
  readonly abi: QemuHostAbi;
  /** The device offers packed rings. */
  readonly packed: boolean;
}

/** The most likely first. */
export const HOST_ABIS: readonly QemuHostAbi[] = [
  QemuHostAbi.QEMU_HOST_64,
  QemuHostAbi.QEMU_HOST_I386,
  QemuHostAbi.QEMU_HOST_32,
];

/**
 * All ways, the most likely first. An element's length tells its host, but for one: of x86 with the number of descriptors in
 * front it is as long as of ARM without. So what the device says of packed rings counts more than what the host may be.
 */
export function inFlight({ offersPacked, hostLittleEndian }: SavedDevice): InFlight[] {
  return [offersPacked, !offersPacked].flatMap((packed) =>
    HOST_ABIS.flatMap((abi) =>
      [hostLittleEndian, !hostLittleEndian].map((order) => ({ hostLittleEndian: order, abi, packed })),
    ),
  );
}
