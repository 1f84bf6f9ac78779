/** A guest with a block driver, in this process, whose device some back-end serves. */
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { Allocator, BlkDriver } from "../../../src/device/index.js";
import { FrontendBus, type VhostUserFrontend } from "../../../src/vhost-user/index.js";

const HIGH = 0x1_0000_0000;

export const QUEUES = 2;

/** A guest with memory below and above 4 GiB, the rings in the upper part. */
export async function blkGuest(frontend: VhostUserFrontend, without: bigint) {
  const memory = await frontend.shareMemory([
    { guestAddress: 0, length: 1 << 20 },
    { guestAddress: HIGH, length: 4 << 20 },
  ]);
  const bus = new FrontendBus(frontend, memory.guest, {
    id: VirtioDeviceId.VIRTIO_ID_BLOCK,
    queueSizes: Array<number>(QUEUES).fill(64),
    without,
  });
  const blk = new BlkDriver(bus, memory.guest, new Allocator(HIGH, HIGH + (4 << 20)), { slots: 16 });
  await bus.ready();
  const next = () => bus.next(blk.driver.queues, () => blk.poll());
  return { bus, blk, next, memory: memory.guest };
}
