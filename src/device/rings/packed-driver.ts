/** The driver's side of a packed virtqueue: what a guest's driver does, for tests and for drivers in process. */
import {
  PVIRTQ_DESC_SIZE,
  PVIRTQ_EVENT_SUPPRESS_SIZE,
  PvirtqDescFlags,
  RingEventFlags,
  readPvirtqDescAt,
  writePvirtqDescAt,
} from "../../../generated/virtio/ring.js";
import { Writer } from "../../runtime/index.js";
import { advance, type RingPosition } from "../../streams/virtqueues/packed-position.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { RingFault } from "./fault.js";
import { availableFlags, isUsed, PackedAreas } from "./packed-areas.js";
import {
  type DriverBuffer,
  type DriverQueue,
  lengthOf,
  type QueueFeatures,
  type QueuePlace,
  type UsedBuffer,
} from "./queue.js";

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = PvirtqDescFlags;

interface Outstanding {
  readonly descriptors: number;
  readonly writable: number;
}

export class PackedDriverQueue implements DriverQueue {
  readonly place: QueuePlace;
  private memory: GuestMemory;
  private areas: PackedAreas;
  private readonly eventIdx: boolean;
  private readonly inOrder: boolean;
  private readonly freeIds: number[];
  private readonly outstanding = new Map<number, Outstanding>();
  private readonly order: number[] = [];
  private skipped: UsedBuffer[] = [];
  private freeSlots: number;
  private available: RingPosition = { slot: 0, wrap: true };
  private used: RingPosition = { slot: 0, wrap: true };
  private considered: RingPosition = this.available;

  /** The areas must be zero. @throws RingFault when the queue cannot lie where `place` says. */
  constructor(memory: GuestMemory, place: QueuePlace, features: QueueFeatures = {}) {
    this.memory = memory;
    this.place = place;
    this.areas = new PackedAreas(memory, place);
    this.eventIdx = features.eventIdx ?? false;
    this.inOrder = features.inOrder ?? false;
    this.freeIds = Array.from({ length: place.size }, (_, i) => i);
    this.freeSlots = place.size;
  }

  get free(): number {
    return this.freeSlots;
  }

  attach(memory: GuestMemory): void {
    this.memory = memory;
    this.areas = new PackedAreas(memory, this.place);
  }

  add({ readable, writable }: DriverBuffer): number | undefined {
    const parts = [...readable, ...writable];
    if (parts.length === 0) throw new RangeError("a buffer needs a descriptor");
    if (parts.length > this.freeSlots) return undefined;
    const id = this.freeIds.shift() as number;
    const first = this.available;
    let firstFlags = 0;
    parts.forEach(({ address, length }, i) => {
      const { slot, wrap } = this.available;
      const flags =
        availableFlags(wrap) |
        (i < readable.length ? 0 : VIRTQ_DESC_F_WRITE) |
        (i === parts.length - 1 ? 0 : VIRTQ_DESC_F_NEXT);
      if (i === 0) firstFlags = flags;
      // The first one hands over all of them, so its flags come last.
      const shown = i === 0 ? this.areas.loadFlags(slot) : flags;
      writePvirtqDescAt(this.areas.ringWriter, slot * PVIRTQ_DESC_SIZE, {
        addr: BigInt(address),
        len: length,
        id,
        flags: shown,
      });
      this.memory.wrote(this.place.descriptorArea + slot * PVIRTQ_DESC_SIZE, PVIRTQ_DESC_SIZE);
      this.available = advance(this.available, 1, this.place.size);
    });
    this.areas.storeFlags(first.slot, firstFlags);
    // Its page may have been read since it was written: the flags are a write of their own.
    this.memory.wrote(this.place.descriptorArea + first.slot * PVIRTQ_DESC_SIZE, PVIRTQ_DESC_SIZE);
    return this.record(id, parts.length, lengthOf(writable));
  }

  /**
   * The same through a table of indirect descriptors, which the caller keeps at `table` until the buffer comes back.
   * It takes 16 bytes for each part of the buffer.
   */
  addIndirect({ readable, writable }: DriverBuffer, table: number): number | undefined {
    if (this.freeSlots === 0) return undefined;
    const parts = [...readable, ...writable];
    const bytes = this.memory.area(table, parts.length * PVIRTQ_DESC_SIZE);
    const writer = new Writer(bytes);
    parts.forEach(({ address, length }, i) => {
      const flags = i < readable.length ? 0 : VIRTQ_DESC_F_WRITE;
      writePvirtqDescAt(writer, i * PVIRTQ_DESC_SIZE, { addr: BigInt(address), len: length, id: 0, flags });
    });
    this.memory.wrote(table, bytes.length);
    const id = this.freeIds.shift() as number;
    const { slot, wrap } = this.available;
    writePvirtqDescAt(this.areas.ringWriter, slot * PVIRTQ_DESC_SIZE, {
      addr: BigInt(table),
      len: bytes.length,
      id,
      flags: this.areas.loadFlags(slot),
    });
    this.areas.storeFlags(slot, availableFlags(wrap) | VIRTQ_DESC_F_INDIRECT);
    this.memory.wrote(this.place.descriptorArea + slot * PVIRTQ_DESC_SIZE, PVIRTQ_DESC_SIZE);
    this.available = advance(this.available, 1, this.place.size);
    return this.record(id, 1, lengthOf(writable));
  }

  poll(): UsedBuffer | undefined {
    const skipped = this.skipped.shift();
    if (skipped !== undefined) return skipped;
    if (!this.isReady()) return undefined;
    const { id, len, flags } = readPvirtqDescAt(this.areas.ring, this.used.slot * PVIRTQ_DESC_SIZE);
    const written = (flags & VIRTQ_DESC_F_WRITE) === 0 ? 0 : len;
    if (!this.inOrder) return this.release(id, written);
    const batch: UsedBuffer[] = [];
    while (true) {
      const next = this.order.shift();
      if (next === undefined) throw new RingFault("ownership", `the device has not got buffer ${id}`);
      batch.push(this.release(next, next === id ? written : 0));
      if (next === id) break;
    }
    const [first, ...rest] = batch;
    this.skipped = rest;
    return first;
  }

  needsNotification(): boolean {
    const before = this.considered;
    const now = this.available;
    this.considered = now;
    if (before.slot === now.slot && before.wrap === now.wrap) return false;
    return this.areas.deviceEvent.wants(before, now, this.place.size);
  }

  wantNotifications(wanted: boolean): boolean {
    const { RING_EVENT_FLAGS_ENABLE, RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_DESC } = RingEventFlags;
    const flags = this.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
    this.areas.driverEvent.set({
      descEventOff: this.eventIdx ? this.used.slot : 0,
      descEventWrap: this.eventIdx && this.used.wrap ? 1 : 0,
      descEventFlags: wanted ? flags : RING_EVENT_FLAGS_DISABLE,
    });
    this.memory.wrote(this.areas.driverEvent.address, PVIRTQ_EVENT_SUPPRESS_SIZE);
    return this.skipped.length > 0 || this.isReady();
  }

  private isReady(): boolean {
    return isUsed(this.areas.loadFlags(this.used.slot), this.used.wrap);
  }

  private record(id: number, descriptors: number, writable: number): number {
    this.outstanding.set(id, { descriptors, writable });
    this.freeSlots -= descriptors;
    if (this.inOrder) this.order.push(id);
    return id;
  }

  private release(id: number, written: number): UsedBuffer {
    const buffer = this.outstanding.get(id);
    if (buffer === undefined) throw new RingFault("ownership", `the device has not got buffer ${id}`);
    if (written > buffer.writable) {
      throw new RingFault("length", `${written} bytes written into a buffer of ${buffer.writable}`);
    }
    this.outstanding.delete(id);
    this.freeIds.push(id);
    this.freeSlots += buffer.descriptors;
    this.used = advance(this.used, buffer.descriptors, this.place.size);
    return { id, written };
  }
}
