/** A guest's network driver: frames out and in, commands on the control virtqueue, announcements. */
import { decodeVirtioNetConfig, VirtioNetStatus } from "../../../generated/virtio/device-config.js";
import { VirtioFeature, VirtioNetFeature } from "../../../generated/virtio/features.js";
import {
  encodeVirtioNetHdrV1,
  readVirtioNetHdrV1At,
  VIRTIO_NET_HDR_V1_SIZE,
  VirtioNetHdrGso,
} from "../../../generated/virtio/net.js";
import {
  encodeVirtioNetCtrlCommandsData,
  encodeVirtioNetCtrlHdr,
  VIRTIO_NET_CTRL_HDR_SIZE,
  VirtioNetCtrlAck,
  VirtioNetCtrlCommands,
  type VirtioNetCtrlCommandsDataBody,
} from "../../../generated/virtio/net-ctrl.js";
import { VIRTQ_DESC_SIZE } from "../../../generated/virtio/ring.js";
import { Reader } from "../../runtime/index.js";
import { gratuitousArpFrame } from "../devices/announcement.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import type { PackedDriverQueue } from "../rings/packed-driver.js";
import type { DriverBuffer, UsedBuffer } from "../rings/queue.js";
import type { SplitDriverQueue } from "../rings/split-driver.js";
import type { Allocator } from "./allocator.js";
import { type DeviceBus, GuestDriver } from "./guest-driver.js";

const ALL = Object.values(VirtioNetFeature).reduce((all, bit) => all | BigInt(bit), 0n);
/** Virtqueues of a pair: to receive, then to transmit. */
const PAIR = 2;
const PAGE = 4096;
/** Header and data of a frame, and of a packet of a table of addresses. */
const PARTS = 2;
const LITTLE = true;
const ACK_BYTES = 1;
const COMMAND_BYTES = 2048;
/** What an answer is before the device has written it: none that there is. */
const UNWRITTEN = 0xff;

export interface NetBus extends DeviceBus {
  /** The device-specific configuration. */
  deviceConfig(): Uint8Array;
}

export interface NetDriverOptions {
  /** Frames that each queue to transmit holds. */
  readonly slots?: number;
  /** Receive buffers of each pair, and the size of each with its header. */
  readonly buffers?: number;
  readonly bufferSize?: number;
  readonly without?: bigint;
  /** IPv4 address to announce, e.g. 0x0a000002. */
  readonly address?: number;
}

/** A place in guest memory that a buffer takes, and a table of descriptors for it. */
interface Slot {
  readonly address: number;
  readonly table: number;
}

type Ring = SplitDriverQueue | PackedDriverQueue;

export class NetDriver {
  readonly driver: GuestDriver;
  /** Frames that the device has sent on their way. */
  transmitted = 0;
  /** Commands that the device has refused. */
  refused = 0;
  private memory: GuestMemory;
  private bus: NetBus;
  private readonly address: number;
  private readonly bufferSize: number;
  private readonly pairs: number;
  private readonly controlQueue: number | undefined;
  /** Free places to transmit from, by pair. */
  private readonly free: Slot[][];
  /** Places in use, by queue and id. */
  private readonly used: readonly Map<number, Slot>[];
  private readonly command: Slot;
  /** Parts of a frame whose other parts have not come yet, by pair. */
  private readonly partial: { missing: number; readonly parts: Uint8Array[] }[];

  constructor(bus: NetBus, memory: GuestMemory, allocator: Allocator, options: NetDriverOptions = {}) {
    const { slots = 16, buffers = 16, bufferSize = 2048, without = 0n, address = 0 } = options;
    this.bus = bus;
    this.memory = memory;
    this.address = address;
    this.bufferSize = bufferSize;
    this.driver = new GuestDriver(bus, memory, allocator, ALL & ~without);
    const slot = (size: number): Slot => ({
      address: allocator.take(size, PAGE),
      table: allocator.take(PARTS * VIRTQ_DESC_SIZE),
    });
    const many = (count: number, size: number): Slot[] => Array.from({ length: count }, () => slot(size));
    this.pairs = this.has(VirtioNetFeature.VIRTIO_NET_F_MQ)
      ? (decodeVirtioNetConfig(bus.deviceConfig(), LITTLE).maxVirtqueuePairs ?? 1)
      : 1;
    this.controlQueue = this.has(VirtioNetFeature.VIRTIO_NET_F_CTRL_VQ) ? this.pairs * PAIR : undefined;
    this.free = Array.from({ length: this.pairs }, () => many(slots, PAGE));
    this.used = this.driver.queues.map(() => new Map());
    this.partial = this.free.map(() => ({ missing: 0, parts: [] }));
    this.command = slot(COMMAND_BYTES);
    for (let pair = 0; pair < this.pairs; pair++) {
      for (const one of many(buffers, bufferSize)) this.offer(pair, one);
      this.driver.kick(pair * PAIR);
    }
  }

  /** The guest has moved to another host. */
  attach(bus: NetBus, memory: GuestMemory): void {
    this.bus = bus;
    this.memory = memory;
    this.driver.attach(bus, memory);
  }

  get mac(): Uint8Array {
    return decodeVirtioNetConfig(this.bus.deviceConfig(), LITTLE).mac;
  }

  /** Receive buffers that the device has. */
  get offered(): number {
    return this.used.reduce((sum, { size }, queue) => sum + (this.isReceive(queue) ? size : 0), 0);
  }

  /** False when there is no room for the frame now. */
  send(frame: Uint8Array, pair = 0): boolean {
    this.reclaim(pair);
    const slot = this.free[pair]?.shift();
    if (slot === undefined) return false;
    const header = encodeVirtioNetHdrV1({
      flags: 0,
      gsoType: VirtioNetHdrGso.VIRTIO_NET_HDR_GSO_NONE,
      hdrLen: 0,
      gsoSize: 0,
      csumStart: 0,
      csumOffset: 0,
      numBuffers: 0,
    });
    this.memory.write(slot.address, header);
    this.memory.write(slot.address + header.length, frame);
    const queue = pair * PAIR + 1;
    const readable = [
      { address: slot.address, length: header.length },
      { address: slot.address + header.length, length: frame.length },
    ];
    const isAdded = this.add(queue, { readable, writable: [] }, slot);
    if (isAdded) this.driver.kick(queue);
    else this.free[pair]?.unshift(slot);
    return isAdded;
  }

  /** The next frame that has come in, on any pair. */
  poll(): Uint8Array | undefined {
    for (let pair = 0; pair < this.pairs; pair++) {
      const frame = this.pollPair(pair);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  /** The next frame that has come in on a pair. */
  pollPair(pair: number): Uint8Array | undefined {
    const partial = this.partial[pair];
    const queue = pair * PAIR;
    if (partial === undefined) return undefined;
    for (let back = this.take(queue); back !== undefined; back = this.take(queue)) {
      const { slot, written } = back;
      const bytes = this.memory.read(slot.address, written);
      this.offer(pair, slot);
      this.driver.kick(queue);
      // The device may give buffers back empty.
      if (written === 0) continue;
      if (partial.missing === 0) {
        partial.missing = readVirtioNetHdrV1At(new Reader(bytes), 0).numBuffers;
        partial.parts.push(bytes.subarray(VIRTIO_NET_HDR_V1_SIZE));
      } else partial.parts.push(bytes);
      partial.missing--;
      if (partial.missing === 0) return joined(partial.parts.splice(0));
    }
    return undefined;
  }

  /** Sends a command: class × 256 + command. False while the one before it is not answered. */
  request(command: number, body: VirtioNetCtrlCommandsDataBody): boolean {
    const queue = this.controlQueue;
    this.pollAnswer();
    if (queue === undefined || this.used[queue]?.size !== 0) return false;
    const header = encodeVirtioNetCtrlHdr({ class: command >>> 8, cmd: command & 0xff });
    const data = encodeVirtioNetCtrlCommandsData({ body }, command, LITTLE);
    const { address } = this.command;
    const ack = address + COMMAND_BYTES - ACK_BYTES;
    this.memory.write(address, header);
    this.memory.write(address + VIRTIO_NET_CTRL_HDR_SIZE, data);
    this.memory.write(ack, Uint8Array.of(UNWRITTEN));
    const readable = [{ address, length: VIRTIO_NET_CTRL_HDR_SIZE + data.length }];
    this.add(queue, { readable, writable: [{ address: ack, length: ACK_BYTES }] }, this.command);
    this.driver.kick(queue);
    return true;
  }

  /** Whether the device has carried out the last command; undefined when it has not answered since. */
  pollAnswer(): boolean | undefined {
    const back = this.controlQueue === undefined ? undefined : this.take(this.controlQueue);
    if (back === undefined) return undefined;
    const [ack] = this.memory.read(this.command.address + COMMAND_BYTES - ACK_BYTES, ACK_BYTES);
    const isDone = ack === VirtioNetCtrlAck.VIRTIO_NET_OK;
    if (!isDone) this.refused++;
    return isDone;
  }

  /**
   * The device has said that its configuration has changed: announces the guest when it asks for that. Gives whether it
   * did; without room for a frame it has to be called again.
   */
  configChanged(): boolean {
    const { status = 0 } = decodeVirtioNetConfig(this.bus.deviceConfig(), LITTLE);
    if (!this.has(VirtioNetFeature.VIRTIO_NET_F_GUEST_ANNOUNCE)) return false;
    if ((status & VirtioNetStatus.VIRTIO_NET_S_ANNOUNCE) === 0) return false;
    if (!this.send(gratuitousArpFrame(this.mac, this.address))) return false;
    this.request(VirtioNetCtrlCommands.VIRTIO_NET_CTRL_ANNOUNCE_ACK, {
      case: "virtioNetCtrlAnnounceAck",
      value: undefined,
    });
    return true;
  }

  private has(feature: bigint): boolean {
    return (this.driver.features & feature) !== 0n;
  }

  private isReceive(queue: number): boolean {
    return queue % PAIR === 0 && queue !== this.controlQueue;
  }

  private offer(pair: number, slot: Slot): void {
    const writable = [
      { address: slot.address, length: VIRTIO_NET_HDR_V1_SIZE },
      { address: slot.address + VIRTIO_NET_HDR_V1_SIZE, length: this.bufferSize - VIRTIO_NET_HDR_V1_SIZE },
    ];
    this.add(pair * PAIR, { readable: [], writable }, slot);
  }

  /** Takes back what the device has transmitted. */
  private reclaim(pair: number): void {
    for (let back = this.take(pair * PAIR + 1); back !== undefined; back = this.take(pair * PAIR + 1)) {
      this.free[pair]?.push(back.slot);
      this.transmitted++;
    }
  }

  /** Through a table of its own where indirect descriptors are negotiated. */
  private add(queue: number, buffer: DriverBuffer, slot: Slot): boolean {
    const ring: Ring | undefined = this.driver.queues[queue];
    const isIndirect = this.has(VirtioFeature.VIRTIO_F_INDIRECT_DESC);
    const id = isIndirect ? ring?.addIndirect(buffer, slot.table) : ring?.add(buffer);
    if (id === undefined) return false;
    this.used[queue]?.set(id, slot);
    return true;
  }

  private take(queue: number): (UsedBuffer & { readonly slot: Slot }) | undefined {
    const used = this.driver.queues[queue]?.poll();
    if (used === undefined) return undefined;
    const slot = this.used[queue]?.get(used.id);
    if (slot === undefined) throw new Error(`buffer ${used.id} of virtqueue ${queue} was not the device's`);
    this.used[queue]?.delete(used.id);
    return { ...used, slot };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
