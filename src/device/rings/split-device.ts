/** The device's side of a split virtqueue. */
import {
  readVirtqDescAt,
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_ELEM_SIZE,
  VirtqAvailFlags,
  VirtqDescFlags,
  VirtqUsedFlags,
  writeVirtqUsedElemAt,
} from "../../../generated/virtio/ring.js";
import { Reader } from "../../runtime/index.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { ChainParts, DescriptorChain, indirectTable } from "./chain.js";
import { RingFault } from "./fault.js";
import { InOrder } from "./in-order.js";
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
  private readonly taken = new Set<number>();
  private nextAvailable: number;
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
    this.nextAvailable = position.available;
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
    return [...this.taken];
  }

  take(): DescriptorChain | undefined {
    if (this.ahead() === 0) return undefined;
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
    const ahead = (this.areas.availableIndex.load() - this.nextAvailable) & 0xffff;
    if (ahead > this.place.size) {
      throw new RingFault(
        "index",
        `${ahead} buffers made available in a ring of ${this.place.size} (from index ${this.nextAvailable})`,
      );
    }
    return ahead;
  }

  private chainOf(head: number): DescriptorChain {
    if (this.taken.has(head)) throw new RingFault("ownership", `buffer ${head} is made available twice`);
    const parts = new ChainParts(this.memory);
    const descriptors = this.gather(this.areas.descriptors, this.place.size, head, parts, this.indirect);
    this.taken.add(head);
    return new DescriptorChain(this.memory, head, descriptors, parts);
  }

  /** Follows a chain through a table of `size` descriptors. Gives how many it takes. */
  private gather(
    table: Reader,
    size: number,
    head: number,
    parts: ChainParts,
    indirectAllowed: boolean,
  ): number {
    let index = head;
    for (let count = 1; ; count++) {
      if (index >= size) throw new RingFault("descriptor", `descriptor ${index} of ${size}`);
      if (count > size) throw new RingFault("loop", `more than ${size} descriptors from ${head} on`);
      // One read of all its fields: what is checked here is what is used, whatever the guest does meanwhile.
      const descriptor = readVirtqDescAt(table, index * VIRTQ_DESC_SIZE);
      const { flags } = descriptor;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!indirectAllowed) throw new RingFault("indirect", "an indirect table where none may be");
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0) {
          throw new RingFault("indirect", "an indirect table that goes on in another descriptor");
        }
        const inner = indirectTable(this.memory, descriptor, VIRTQ_DESC_SIZE);
        this.gather(new Reader(inner), inner.length / VIRTQ_DESC_SIZE, 0, parts, false);
        return count;
      }
      parts.add(descriptor, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return count;
      index = descriptor.next;
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
