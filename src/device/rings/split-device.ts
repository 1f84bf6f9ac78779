/** The device's side of a split virtqueue. */
import {
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_ELEM_SIZE,
  VirtqAvailFlags,
  VirtqDescFlags,
  VirtqUsedFlags,
  writeVirtqUsedElemAt,
} from "../../../generated/virtio/ring.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { aimIndirect, ChainParts, DescriptorChain } from "./chain.js";
import { DescriptorTable, SPLIT_DESCRIPTOR } from "./descriptor-table.js";
import { RingFault } from "./fault.js";
import { InOrder } from "./in-order.js";
import { OwnedBuffers } from "./owned.js";
import {
  type DeviceQueue,
  passedEvent,
  type QueueFeatures,
  type QueuePlace,
  type QueuePosition,
  START,
} from "./queue.js";
import { INDEX_BYTES, SplitAreas } from "./split-areas.js";

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = VirtqDescFlags;

export class SplitDeviceQueue implements DeviceQueue {
  readonly place: QueuePlace;
  private readonly memory: GuestMemory;
  private readonly areas: SplitAreas;
  private readonly indirect: boolean;
  private readonly inOrder: InOrder | undefined;
  private readonly taken: OwnedBuffers;
  private readonly table: DescriptorTable;
  private readonly indirectTable = new DescriptorTable(SPLIT_DESCRIPTOR);
  private readonly parts: ChainParts;
  private nextAvailable: number;
  /** The driver's index when it was last looked at: up to there it need not be again. */
  private seenAvailable: number;
  private nextUsed: number;
  /** The used index when the driver was last considered for a notification. */
  private considered: number;

  /**
   * `position`: where the device goes on, when the queue comes from elsewhere; `reopen` gives the buffers that it had
   * taken there.
   * @throws RingFault when the queue cannot lie where `place` says.
   */
  constructor(
    memory: GuestMemory,
    place: QueuePlace,
    features: QueueFeatures = {},
    position: QueuePosition = START,
  ) {
    this.memory = memory;
    this.place = place;
    this.areas = new SplitAreas(memory, place, features.eventIdx ?? false);
    this.indirect = features.indirect ?? false;
    this.inOrder = features.inOrder ? new InOrder() : undefined;
    this.taken = new OwnedBuffers(place.size);
    this.parts = new ChainParts(memory);
    this.table = new DescriptorTable(SPLIT_DESCRIPTOR).aim(
      memory,
      place.descriptorArea,
      place.size * VIRTQ_DESC_SIZE,
    );
    this.nextAvailable = position.available;
    this.seenAvailable = position.available;
    this.nextUsed = position.used;
    this.considered = position.used;
  }

  /**
   * Where a queue stands of which nothing but guest memory is left: the used index is there, and what the device had
   * taken is used, unless `available` says that it has taken more.
   */
  static positionIn(memory: GuestMemory, place: QueuePlace, available?: number): QueuePosition {
    const used = new SplitAreas(memory, place, false).usedIndex.load();
    return { available: available ?? used, used, availableWrap: true, usedWrap: true };
  }

  get position(): QueuePosition {
    return {
      available: this.nextAvailable,
      used: this.nextUsed,
      availableWrap: true,
      usedWrap: true,
    };
  }

  get owned(): readonly number[] {
    return this.taken.ids;
  }

  take(): DescriptorChain | undefined {
    if (this.seenAvailable === this.nextAvailable && this.ahead() === 0) return undefined;
    const head = this.areas.available.ring(this.nextAvailable % this.place.size);
    const chain = this.chainOf(head);
    this.nextAvailable = (this.nextAvailable + 1) & 0xffff;
    this.inOrder?.took(head);
    return chain;
  }

  /** The buffer of a head that the device had taken elsewhere, before the queue came here. */
  reopen(head: number): DescriptorChain {
    const chain = this.chainOf(head);
    this.inOrder?.took(head);
    return chain;
  }

  give(chain: DescriptorChain, more = false): void {
    if (!this.taken.has(chain.id)) throw new RingFault("ownership", `buffer ${chain.id} was not taken`);
    if (this.inOrder === undefined) this.use(chain);
    else for (const ready of this.inOrder.finish(chain)) this.use(ready);
    if (!more) this.publish();
  }

  needsNotification(): boolean {
    const before = this.considered;
    this.considered = this.nextUsed;
    if (before === this.nextUsed) return false;
    const { usedEvent, availableFlags } = this.areas;
    if (usedEvent !== undefined) return passedEvent(usedEvent.load(), this.nextUsed, before);
    return (availableFlags.load() & VirtqAvailFlags.VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
  }

  wantNotifications(wanted: boolean): boolean {
    const { availableEvent, usedFlags, availableEventOffset } = this.areas;
    if (availableEvent === undefined) {
      usedFlags.store(wanted ? 0 : VirtqUsedFlags.VIRTQ_USED_F_NO_NOTIFY);
      this.memory.wrote(this.place.deviceArea, INDEX_BYTES);
    } else if (wanted) {
      availableEvent.store(this.nextAvailable);
      this.memory.wrote(this.place.deviceArea + availableEventOffset, INDEX_BYTES);
    }
    return this.ahead() > 0;
  }

  /** How many buffers are available. */
  private ahead(): number {
    const seen = this.areas.availableIndex.load();
    const ahead = (seen - this.nextAvailable) & 0xffff;
    if (ahead > this.place.size) {
      throw new RingFault(
        "index",
        `${ahead} buffers made available in a ring of ${this.place.size} (from index ${this.nextAvailable})`,
      );
    }
    this.seenAvailable = seen;
    return ahead;
  }

  private chainOf(head: number): DescriptorChain {
    if (this.taken.has(head)) throw new RingFault("ownership", `buffer ${head} is made available twice`);
    const { memory, parts, table, place } = this;
    parts.begin();
    const descriptors = this.gather(table, place.size, head, this.indirect);
    this.taken.add(head);
    return new DescriptorChain(memory, head, descriptors, parts);
  }

  /** Follows a chain through a table of `size` descriptors. Gives how many it takes. */
  private gather(table: DescriptorTable, size: number, head: number, indirectAllowed: boolean): number {
    let index = head;
    for (let count = 1; ; count++) {
      if (index >= size) throw new RingFault("descriptor", `descriptor ${index} of ${size}`);
      if (count > size) throw new RingFault("loop", `more than ${size} descriptors from ${head} on`);
      table.load(index);
      const { flags } = table;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!indirectAllowed) throw new RingFault("indirect", "an indirect table where none may be");
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0) {
          throw new RingFault("indirect", "an indirect table that goes on in another descriptor");
        }
        const inner = aimIndirect(this.indirectTable, this.memory, table, VIRTQ_DESC_SIZE);
        this.gather(this.indirectTable, inner, 0, false);
        return count;
      }
      this.parts.add(table.address, table.length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return count;
      index = table.tail;
    }
  }

  private use(chain: DescriptorChain): void {
    const { areas, memory, place } = this;
    const at = areas.usedElementOffset(this.nextUsed, place.size);
    writeVirtqUsedElemAt(areas.usedWriter, at, { id: chain.id, len: chain.written });
    memory.wrote(place.deviceArea + at, VIRTQ_USED_ELEM_SIZE);
    this.taken.delete(chain.id);
    this.nextUsed = (this.nextUsed + 1) & 0xffff;
  }

  /** Shows the driver what was used. */
  private publish(): void {
    this.areas.usedIndex.store(this.nextUsed);
    this.memory.wrote(this.place.deviceArea + this.areas.usedIndexOffset, INDEX_BYTES);
  }
}
