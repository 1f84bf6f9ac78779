/** Where the virtqueues of a saved device lie, as a destination works it out. */
import type { QemuVirtioQueue } from "../../../../generated/qemu/virtio/body.js";
import { VIRTIO_PCI_VRING_ALIGN, VIRTQ_DESC_SIZE } from "../../../../generated/virtio/ring.js";
import { savedValue } from "./saved.js";
import type { VirtioState } from "./state.js";

/** Guest-physical addresses; 0 while the queue is not set up. */
export interface QueueAreas {
  readonly descriptorArea: bigint;
  readonly driverArea: bigint;
  readonly deviceArea: bigint;
}

/**
 * `isModern`: the driver accepted VIRTIO_F_VERSION_1. A legacy driver gives one address: the areas follow one another.
 * @source virtio 1.4, Legacy Interfaces: A Note on Virtqueue Layout; QEMU 10.0.2, virtio_load, virtio_queue_update_rings
 */
export function savedAreas(
  saved: VirtioState,
  { desc, num, align = VIRTIO_PCI_VRING_ALIGN }: QemuVirtioQueue,
  index: number,
  isModern: boolean,
): QueueAreas {
  if (isModern) {
    const { avail = 0n, used = 0n } = savedValue(saved, "qemu_virtio_virtqueues")?.vq[index] ?? {};
    return { descriptorArea: desc, driverArea: avail, deviceArea: used };
  }
  if (desc === 0n) return { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };
  const driverArea = desc + BigInt(num * VIRTQ_DESC_SIZE);
  const end = driverArea + BigInt((2 + num) * Uint16Array.BYTES_PER_ELEMENT);
  const step = BigInt(Math.max(align, 1));
  return { descriptorArea: desc, driverArea, deviceArea: ((end + step - 1n) / step) * step };
}
