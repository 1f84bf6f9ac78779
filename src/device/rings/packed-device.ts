/** The device's side of a packed virtqueue. */
import {
  PVIRTQ_DESC_SIZE,
  PVIRTQ_EVENT_SUPPRESS_SIZE,
  PvirtqDescFlags,
  RingEventFlags,
} from "../../../generated/virtio/ring.js";
import { advance, isAvailable, type RingPosition } from "../../streams/virtqueues/packed-position.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { aimIndirect, ChainParts, DescriptorChain } from "./chain.js";
import { DescriptorTable, PACKED_DESCRIPTOR } from "./descriptor-table.js";
import { RingFault } from "./fault.js";
import { InOrder } from "./in-order.js";
import { OwnedBuffers } from "./owned.js";
import { PackedAreas, usedFlags } from "./packed-areas.js";
import {
  type DeviceQueue,
  type QueueFeatures,
  type QueuePlace,
  type QueuePosition,
  type RingDescriptor,
  START,
} from "./queue.js";

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = PvirtqDescFlags;

export class PackedDeviceQueue implements DeviceQueue {
  readonly place: QueuePlace;
  private readonly memory: GuestMemory;
  private readonly areas: PackedAreas;
  private readonly indirect: boolean;
  private readonly eventIdx: boolean;
  private readonly inOrder: InOrder | undefined;
  private readonly taken: OwnedBuffers;
  private readonly table: DescriptorTable;
  private readonly indirectTable = new DescriptorTable(PACKED_DESCRIPTOR);
  private readonly parts: ChainParts;
  private available: RingPosition;
  private used: RingPosition;
  private considered: RingPosition;
  /** Where the first of the used descriptors is that the driver does not see yet, and its flags. */
  private hidden: number | undefined;
  private hiddenFlags = 0;
  private readonly keeps: boolean;

  /**
   * `position`: where the device goes on, when the queue comes from elsewhere. `keeps`: chains say what the ring said of
   * them, so that another one can `reopen` them.
   * @throws RingFault when the queue cannot lie where `place` says.
   */
  constructor(
    memory: GuestMemory,
    place: QueuePlace,
    features: QueueFeatures = {},
    position: QueuePosition = START,
    keeps = false,
  ) {
    if (position.available >= place.size || position.used >= place.size) {
      throw new RingFault("index", `a position behind the end of a ring of ${place.size}`);
    }
    this.memory = memory;
    this.place = place;
    this.areas = new PackedAreas(memory, place);
    this.indirect = features.indirect ?? false;
    this.eventIdx = features.eventIdx ?? false;
    this.inOrder = features.inOrder ? new InOrder() : undefined;
    this.taken = new OwnedBuffers(place.size);
    this.parts = new ChainParts(memory);
    this.table = new DescriptorTable(PACKED_DESCRIPTOR).aim(
      memory,
      place.descriptorArea,
      place.size * PVIRTQ_DESC_SIZE,
    );
    this.available = { slot: position.available, wrap: position.availableWrap };
    this.used = { slot: position.used, wrap: position.usedWrap };
    this.considered = this.used;
    this.keeps = keeps;
  }

  /**
   * Whether the driver's descriptor still stands at a place of a ring that nobody has open.
   * @throws RingFault when the queue cannot lie where `place` says.
   */
  static isAvailableIn(memory: GuestMemory, place: QueuePlace, slot: number, wrap: boolean): boolean {
    return isAvailable(new PackedAreas(memory, place).loadFlags(slot), wrap);
  }

  get position(): QueuePosition {
    return {
      available: this.available.slot,
      availableWrap: this.available.wrap,
      used: this.used.slot,
      usedWrap: this.used.wrap,
    };
  }

  get owned(): readonly number[] {
    return this.taken.ids;
  }

  take(): DescriptorChain | undefined {
    if (!this.isReady()) return undefined;
    const { table } = this;
    const { size } = this.place;
    this.parts.begin();
    const kept: RingDescriptor[] | undefined = this.keeps ? [] : undefined;
    let position = this.available;
    for (let count = 1; ; count++) {
      if (count > size) throw new RingFault("loop", `a chain of more than ${size} descriptors`);
      table.load(position.slot);
      const { address, length, flags, tail: id } = table;
      const last = (flags & VIRTQ_DESC_F_NEXT) === 0;
      this.add(table, last && count === 1);
      kept?.push({ address, length, flags, id });
      position = advance(position, 1, size);
      if (!last) continue;
      this.available = position;
      return this.chainOf(id, count, kept);
    }
  }

  /**
   * A packed ring does not say where the descriptors of a buffer stand that the device has taken: they may be
   * overwritten. So all must be given back before a packed queue moves, unless somebody has kept them (`kept`).
   * @throws RingFault likewise when they are no buffer.
   */
  reopen(id: number, kept: readonly RingDescriptor[] = []): DescriptorChain {
    if (kept.length === 0) {
      throw new RingFault("ownership", `buffer ${id} of a packed virtqueue cannot be found again`);
    }
    this.parts.begin();
    for (const descriptor of kept) this.add(descriptor, kept.length === 1);
    return this.chainOf(id, kept.length, this.keeps ? kept : undefined);
  }

  private chainOf(id: number, count: number, kept: readonly RingDescriptor[] | undefined): DescriptorChain {
    if (this.taken.has(id)) throw new RingFault("ownership", `buffer ${id} is made available twice`);
    this.taken.add(id);
    this.inOrder?.took(id);
    return new DescriptorChain(this.memory, id, count, this.parts, kept);
  }

  /** A descriptor of the buffer that is gathered; `isOnly`: there is no other. */
  private add(descriptor: Omit<RingDescriptor, "id">, isOnly: boolean): void {
    const { address, length, flags } = descriptor;
    if ((flags & VIRTQ_DESC_F_INDIRECT) === 0) {
      this.parts.add(address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      return;
    }
    if (!this.indirect) throw new RingFault("indirect", "an indirect table where none may be");
    if (!isOnly) throw new RingFault("indirect", "an indirect table within a chain");
    this.gather(aimIndirect(this.indirectTable, this.memory, descriptor, PVIRTQ_DESC_SIZE));
  }

  give(chain: DescriptorChain, more = false): void {
    if (!this.taken.has(chain.id)) throw new RingFault("ownership", `buffer ${chain.id} was not taken`);
    if (this.inOrder === undefined) this.use(chain);
    else for (const ready of this.inOrder.finish(chain)) this.use(ready);
    if (!more) this.publish();
  }

  needsNotification(): boolean {
    const before = this.considered;
    const now = this.used;
    this.considered = now;
    if (before.slot === now.slot && before.wrap === now.wrap) return false;
    return this.areas.driverEvent.wants(before, now, this.place.size);
  }

  wantNotifications(wanted: boolean): boolean {
    const { deviceEvent } = this.areas;
    const { RING_EVENT_FLAGS_ENABLE, RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_DESC } = RingEventFlags;
    const flags = this.eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
    deviceEvent.set({
      descEventOff: this.eventIdx ? this.available.slot : 0,
      descEventWrap: this.eventIdx && this.available.wrap ? 1 : 0,
      descEventFlags: wanted ? flags : RING_EVENT_FLAGS_DISABLE,
    });
    this.memory.wrote(deviceEvent.address, PVIRTQ_EVENT_SUPPRESS_SIZE);
    return this.isReady();
  }

  private isReady(): boolean {
    return isAvailable(this.areas.loadFlags(this.available.slot), this.available.wrap);
  }

  /** The descriptors of an indirect table stand in order; only the flag that the device writes means anything. */
  private gather(count: number): void {
    const { indirectTable: table, parts } = this;
    for (let index = 0; index < count; index++) {
      table.load(index);
      parts.add(table.address, table.length, (table.flags & VIRTQ_DESC_F_WRITE) !== 0);
    }
  }

  private use(chain: DescriptorChain): void {
    const { areas, memory, place } = this;
    const { slot, wrap } = this.used;
    const at = slot * PVIRTQ_DESC_SIZE;
    const flags = usedFlags(wrap) | (chain.written > 0 ? VIRTQ_DESC_F_WRITE : 0);
    this.table.storeUsed(slot, chain.id, chain.written);
    // The flags hand it over, so they come last; and the first of several waits for the others: a driver looks at none
    // behind it while it is not used.
    if (this.hidden === undefined) {
      this.hidden = slot;
      this.hiddenFlags = flags;
    } else areas.storeFlags(slot, flags);
    memory.wrote(place.descriptorArea + at, PVIRTQ_DESC_SIZE);
    this.taken.delete(chain.id);
    this.used = advance(this.used, chain.descriptors, place.size);
  }

  /** Shows the driver what was used. */
  private publish(): void {
    const slot = this.hidden;
    if (slot === undefined) return;
    this.hidden = undefined;
    this.areas.storeFlags(slot, this.hiddenFlags);
    this.memory.wrote(this.place.descriptorArea + slot * PVIRTQ_DESC_SIZE, PVIRTQ_DESC_SIZE);
  }
}
