/** The driver's side of a split virtqueue: what a guest's driver does, for tests and for drivers in process. */
import {
  readVirtqUsedElemAt,
  VIRTQ_DESC_SIZE,
  VirtqAvailFlags,
  VirtqDescFlags,
  VirtqUsedFlags,
  writeVirtqDescAt,
} from "../../../generated/virtio/ring.js";
import { Writer } from "../../runtime/index.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { RingFault } from "./fault.js";
import {
  type DriverBuffer,
  type DriverQueue,
  lengthOf,
  passedEvent,
  type QueueFeatures,
  type QueuePlace,
  type UsedBuffer,
} from "./queue.js";
import { INDEX_BYTES, SplitAreas } from "./split-areas.js";

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = VirtqDescFlags;

/** A buffer that the device has: the descriptors to take back when it returns. */
interface Outstanding {
  readonly descriptors: readonly number[];
  readonly writable: number;
}

export class SplitDriverQueue implements DriverQueue {
  readonly place: QueuePlace;
  private areas: SplitAreas;
  private memory: GuestMemory;
  private readonly eventIdx: boolean;
  private readonly inOrder: boolean;
  private readonly freeList: number[];
  private readonly outstanding = new Map<number, Outstanding>();
  /** With VIRTIO_F_IN_ORDER: heads in the order in which they were made available. */
  private readonly order: number[] = [];
  /** With VIRTIO_F_IN_ORDER: the device has used these, and said so with one element for the last of them. */
  private skipped: UsedBuffer[] = [];
  private nextAvailable = 0;
  private nextUsed = 0;
  private considered = 0;

  /** The areas must be zero. @throws RingFault when the queue cannot lie where `place` says. */
  constructor(memory: GuestMemory, place: QueuePlace, features: QueueFeatures = {}) {
    this.memory = memory;
    this.place = place;
    this.eventIdx = features.eventIdx ?? false;
    this.areas = new SplitAreas(memory, place, this.eventIdx);
    this.inOrder = features.inOrder ?? false;
    this.freeList = Array.from({ length: place.size }, (_, i) => i);
  }

  get free(): number {
    return this.freeList.length;
  }

  attach(memory: GuestMemory): void {
    this.memory = memory;
    this.areas = new SplitAreas(memory, this.place, this.eventIdx);
  }

  add(buffer: DriverBuffer): number | undefined {
    const count = buffer.readable.length + buffer.writable.length;
    if (count === 0) throw new RangeError("a buffer needs a descriptor");
    if (count > this.freeList.length) return undefined;
    const indices = this.freeList.splice(0, count);
    this.describe(this.areas.descriptorWriter, this.place.descriptorArea, buffer, indices);
    return this.expose(indices, lengthOf(buffer.writable));
  }

  /**
   * The same through a table of indirect descriptors, which the caller keeps at `table` until the buffer comes back.
   * It takes 16 bytes for each part of the buffer.
   */
  addIndirect(buffer: DriverBuffer, table: number): number | undefined {
    const count = buffer.readable.length + buffer.writable.length;
    if (this.freeList.length === 0) return undefined;
    const indices = this.freeList.splice(0, 1);
    const bytes = this.memory.area(table, count * VIRTQ_DESC_SIZE);
    this.describe(
      new Writer(bytes),
      table,
      buffer,
      Array.from({ length: count }, (_, i) => i),
    );
    const at = (indices[0] as number) * VIRTQ_DESC_SIZE;
    writeVirtqDescAt(this.areas.descriptorWriter, at, {
      addr: BigInt(table),
      len: bytes.length,
      flags: VIRTQ_DESC_F_INDIRECT,
      next: 0,
    });
    this.memory.wrote(this.place.descriptorArea + at, VIRTQ_DESC_SIZE);
    return this.expose(indices, lengthOf(buffer.writable));
  }

  poll(): UsedBuffer | undefined {
    const skipped = this.skipped.shift();
    if (skipped !== undefined) return skipped;
    if (this.areas.usedIndex.load() === this.nextUsed) return undefined;
    const { id, len } = readVirtqUsedElemAt(
      this.areas.used,
      this.areas.usedElementOffset(this.nextUsed, this.place.size),
    );
    if (!this.inOrder) {
      this.nextUsed = (this.nextUsed + 1) & 0xffff;
      return this.release(id, len);
    }
    const batch: UsedBuffer[] = [];
    while (true) {
      const head = this.order.shift();
      if (head === undefined) throw new RingFault("ownership", `the device has not got buffer ${id}`);
      // The length of a buffer that is used without an element of its own is not told.
      batch.push(this.release(head, head === id ? len : 0));
      this.nextUsed = (this.nextUsed + 1) & 0xffff;
      if (head === id) break;
    }
    const [first, ...rest] = batch;
    this.skipped = rest;
    return first;
  }

  needsNotification(): boolean {
    const before = this.considered;
    this.considered = this.nextAvailable;
    if (before === this.nextAvailable) return false;
    const { availableEvent, usedFlags } = this.areas;
    if (availableEvent !== undefined) return passedEvent(availableEvent.load(), this.nextAvailable, before);
    return (usedFlags.load() & VirtqUsedFlags.VIRTQ_USED_F_NO_NOTIFY) === 0;
  }

  wantNotifications(wanted: boolean): boolean {
    const { usedEvent, availableFlags, usedIndex, usedEventOffset } = this.areas;
    if (usedEvent === undefined) {
      availableFlags.store(wanted ? 0 : VirtqAvailFlags.VIRTQ_AVAIL_F_NO_INTERRUPT);
      this.memory.wrote(this.place.driverArea, INDEX_BYTES);
    } else if (wanted) {
      usedEvent.store(this.nextUsed);
      this.memory.wrote(this.place.driverArea + usedEventOffset, INDEX_BYTES);
    }
    return this.skipped.length > 0 || usedIndex.load() !== this.nextUsed;
  }

  /** `table`: where the descriptors lie that `into` writes. */
  private describe(
    into: Writer,
    table: number,
    { readable, writable }: DriverBuffer,
    indices: readonly number[],
  ): void {
    const parts = [...readable, ...writable];
    parts.forEach(({ address, length }, i) => {
      const last = i === parts.length - 1;
      const at = (indices[i] as number) * VIRTQ_DESC_SIZE;
      writeVirtqDescAt(into, at, {
        addr: BigInt(address),
        len: length,
        flags: (i < readable.length ? 0 : VIRTQ_DESC_F_WRITE) | (last ? 0 : VIRTQ_DESC_F_NEXT),
        next: last ? 0 : (indices[i + 1] as number),
      });
      this.memory.wrote(table + at, VIRTQ_DESC_SIZE);
    });
  }

  private expose(indices: readonly number[], writable: number): number {
    const head = indices[0] as number;
    this.outstanding.set(head, { descriptors: indices, writable });
    if (this.inOrder) this.order.push(head);
    const { areas, memory, place } = this;
    areas.available.setRing(this.nextAvailable % place.size, head);
    memory.wrote(
      place.driverArea + areas.availableElementOffset(this.nextAvailable, place.size),
      INDEX_BYTES,
    );
    this.nextAvailable = (this.nextAvailable + 1) & 0xffff;
    areas.availableIndex.store(this.nextAvailable);
    memory.wrote(place.driverArea + areas.availableIndexOffset, INDEX_BYTES);
    return head;
  }

  private release(id: number, written: number): UsedBuffer {
    const buffer = this.outstanding.get(id);
    if (buffer === undefined) throw new RingFault("ownership", `the device has not got buffer ${id}`);
    if (written > buffer.writable) {
      throw new RingFault("length", `${written} bytes written into a buffer of ${buffer.writable}`);
    }
    this.outstanding.delete(id);
    this.freeList.push(...buffer.descriptors);
    return { id, written };
  }
}
