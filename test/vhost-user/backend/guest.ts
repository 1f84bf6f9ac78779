/** Guests of our own on a served device: front-end, memory and driver. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import {
  Allocator,
  type BlkAnswer,
  BlkDriver,
  type DeviceType,
  type GuestMemory,
  NetDriver,
} from "../../../src/device/index.js";
import {
  FrontendBus,
  type MemoryRange,
  type ServerEvent,
  type ServerOptions,
  VhostUserFrontend,
  VhostUserServer,
} from "../../../src/vhost-user/index.js";
import { temporaryFolder } from "../../cli/harness.js";

export const PACKED = VirtioFeature.VIRTIO_F_RING_PACKED;
export const MEMORY = 4 << 20;
const QUEUE_SIZE = 64;

export interface Served {
  readonly server: VhostUserServer;
  readonly path: string;
  /** All that it has told so far. */
  readonly events: ServerEvent[];
  /** Ends when the test does. */
  readonly connect: (without?: bigint) => Promise<VhostUserFrontend>;
}

/** A device on a socket of its own, until the test ends. */
export async function serve(type: DeviceType, options: ServerOptions = {}): Promise<Served> {
  const path = join(temporaryFolder(), "s");
  const events: ServerEvent[] = [];
  const server = await VhostUserServer.start(type, path, {
    ...options,
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => server.close());
  const connect = async (without = 0n): Promise<VhostUserFrontend> => {
    const frontend = await VhostUserFrontend.connect(path, { without });
    onTestFinished(() => frontend.close());
    return frontend;
  };
  return { server, path, events, connect };
}

export interface BlkGuest {
  readonly bus: FrontendBus;
  readonly blk: BlkDriver;
  readonly memory: GuestMemory;
  /** The next answer. */
  readonly next: () => Promise<BlkAnswer>;
}

/** Memory and a driver that is ready. The last range holds rings and buffers. */
export async function blkGuest(
  frontend: VhostUserFrontend,
  options: {
    readonly ranges?: readonly MemoryRange[];
    readonly queues?: number;
    readonly without?: bigint;
    /** Where rings and buffers begin, guest-physical. */
    readonly from?: number;
  } = {},
): Promise<BlkGuest> {
  const { ranges = [{ guestAddress: 0, length: MEMORY }], queues = 1, without = PACKED } = options;
  const last = ranges.at(-1) ?? { guestAddress: 0, length: 0 };
  const { guest } = await frontend.shareMemory(ranges);
  const bus = new FrontendBus(frontend, guest, {
    id: VirtioDeviceId.VIRTIO_ID_BLOCK,
    queueSizes: Array<number>(queues).fill(QUEUE_SIZE),
    without,
  });
  const allocator = new Allocator(options.from ?? last.guestAddress, last.guestAddress + last.length);
  const blk = new BlkDriver(bus, guest, allocator, { slots: 16 });
  await bus.ready();
  return { bus, blk, memory: guest, next: () => bus.next(blk.driver.queues, () => blk.poll()) };
}

export interface NetGuest {
  readonly bus: FrontendBus;
  readonly net: NetDriver;
  /** The next frame, on any pair. */
  readonly next: () => Promise<Uint8Array>;
}

export async function netGuest(
  frontend: VhostUserFrontend,
  type: DeviceType,
  without: bigint,
): Promise<NetGuest> {
  const { guest } = await frontend.shareMemory([{ guestAddress: 0, length: 2 * MEMORY }]);
  const bus = new FrontendBus(frontend, guest, {
    id: VirtioDeviceId.VIRTIO_ID_NET,
    queueSizes: type.queueSizes.map(() => QUEUE_SIZE),
    without,
    config: () => type.config(),
  });
  const net = new NetDriver(bus, guest, new Allocator(0x1000, 2 * MEMORY), { without });
  await bus.ready();
  // Those to transmit are looked after when the next frame is sent: nobody waits for them.
  const receiving = net.driver.queues.filter((_, index) => index % 2 === 0);
  return { bus, net, next: () => bus.next(receiving, () => net.poll()) };
}

/** Numbers that look random, the same at every run. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
