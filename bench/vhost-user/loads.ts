/** What the benchmark has a device do: queues that are full, and a round of giving everything back that came. */
import {
  encodeVirtioBlkOuthdr,
  VIRTIO_BLK_OUTHDR_SIZE,
  VIRTIO_BLK_SECTOR_SIZE,
  VirtioBlkType,
} from "../../generated/virtio/blk.js";
import { VirtioFeature } from "../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { VIRTIO_NET_HDR_V1_SIZE } from "../../generated/virtio/net.js";
import { Allocator, GuestDriver } from "../../src/device/index.js";
import { FrontendBus, type SharedMemory, VhostUserFrontend } from "../../src/vhost-user/index.js";
import { FloodQueue, NEXT, WRITE } from "./flood-queue.js";
import { echoFrame, plainFrame } from "./frames.js";
import { DISK_BYTES, MEMORY_BYTES, QUEUE_SIZE } from "./setup.js";

const { VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX } = VirtioFeature;
const RECEIVE = 0;
const TRANSMIT = 1;
const BUFFER_BYTES = 2048;
const BLOCK_BYTES = 4096;
/** Requests that are under way at once. Each is a chain of three descriptors. */
const DEPTH = 64;
const CHAIN = 3;

/** Looks for buffers so often before it waits to be called. */
const SPINS = 2000;

export class Load {
  private readonly guest: Guest;
  private readonly round: () => number;

  /** `round` gives everything back that has come, and says how much of what counts that was. */
  constructor(guest: Guest, round: () => number) {
    this.guest = guest;
    this.round = round;
  }

  /** Keeps the device busy for so many milliseconds. Gives how much it did. */
  async run(duration: number): Promise<number> {
    const { bus, queues } = this.guest;
    const end = performance.now() + duration;
    const some = (): number | undefined => this.round() || undefined;
    let done = 0;
    for (let empty = 0; performance.now() < end; ) {
      const more = this.round();
      done += more;
      empty = more > 0 ? 0 : empty + 1;
      if (empty < SPINS) continue;
      done += await bus.next(queues, some);
      empty = 0;
    }
    return done;
  }

  close(): void {
    this.guest.frontend.close();
  }
}

interface Guest {
  readonly frontend: VhostUserFrontend;
  readonly bus: FrontendBus;
  readonly memory: Uint8Array;
  readonly allocator: Allocator;
  readonly queues: readonly FloodQueue[];
  /** Shows a queue's new buffers to the device. */
  publish(queue: number): void;
}

async function guestOf(path: string, id: VirtioDeviceId, queues: number, batch: number): Promise<Guest> {
  const frontend = await VhostUserFrontend.connect(path);
  const shared: SharedMemory = await frontend.shareMemory([{ guestAddress: 0, length: MEMORY_BYTES }]);
  const queueSizes = Array<number>(queues).fill(QUEUE_SIZE);
  const bus = new FrontendBus(frontend, shared.guest, { id, queueSizes });
  const allocator = new Allocator(0, MEMORY_BYTES);
  const driver = new GuestDriver(bus, shared.guest, allocator, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
  await bus.ready();
  const memory = shared.guest.area(0, MEMORY_BYTES);
  const floods = driver.queues.map(({ place }) => new FloodQueue(memory, batch, place));
  const publish = (queue: number): void => {
    if (floods[queue]?.publish()) bus.notify(queue);
  };
  return { frontend, bus, memory, allocator, queues: floods, publish };
}

/** Frames of so many bytes; counted are those that went, or with `echo` the answers to them. */
export async function netLoad(path: string, length: number, echo: boolean): Promise<Load> {
  const guest = await guestOf(path, VirtioDeviceId.VIRTIO_ID_NET, 2, QUEUE_SIZE / 4);
  const { memory, allocator, queues, publish } = guest;
  const [receive, transmit] = queues;
  if (receive === undefined || transmit === undefined) throw new Error("a network device has two queues");
  const frame = echo ? echoFrame(length) : plainFrame(length);
  for (let i = 0; i < QUEUE_SIZE; i++) {
    receive.describe(i, allocator.take(BUFFER_BYTES), BUFFER_BYTES, WRITE);
    receive.offer(i);
    const at = allocator.take(BUFFER_BYTES);
    memory.set(frame, at + VIRTIO_NET_HDR_V1_SIZE);
    transmit.describe(i, at, VIRTIO_NET_HDR_V1_SIZE + length, 0);
    transmit.offer(i);
  }
  return new Load(guest, () => {
    const answers = receive.recycle();
    const sent = transmit.recycle();
    publish(RECEIVE);
    publish(TRANSMIT);
    return echo ? answers : sent;
  });
}

/** Reads or writes of 4 KiB all over the disk. */
export async function blkLoad(path: string, isWrite: boolean): Promise<Load> {
  const guest = await guestOf(path, VirtioDeviceId.VIRTIO_ID_BLOCK, 1, DEPTH / 4);
  const { memory, allocator, queues, publish } = guest;
  const [queue] = queues;
  if (queue === undefined) throw new Error("a block device has a queue");
  const type = isWrite ? VirtioBlkType.VIRTIO_BLK_T_OUT : VirtioBlkType.VIRTIO_BLK_T_IN;
  const sectors = BLOCK_BYTES / VIRTIO_BLK_SECTOR_SIZE;
  for (let i = 0; i < DEPTH; i++) {
    const header = allocator.take(VIRTIO_BLK_OUTHDR_SIZE);
    const data = allocator.take(BLOCK_BYTES, BLOCK_BYTES);
    const sector = BigInt(((i * 37) % (DISK_BYTES / BLOCK_BYTES)) * sectors);
    memory.set(encodeVirtioBlkOuthdr({ type, sector }), header);
    const first = i * CHAIN;
    queue.describe(first, header, VIRTIO_BLK_OUTHDR_SIZE, NEXT, first + 1);
    queue.describe(first + 1, data, BLOCK_BYTES, NEXT | (isWrite ? 0 : WRITE), first + 2);
    queue.describe(first + 2, allocator.take(1), 1, WRITE);
    queue.offer(first);
  }
  return new Load(guest, () => {
    const done = queue.recycle();
    publish(0);
    return done;
  });
}
