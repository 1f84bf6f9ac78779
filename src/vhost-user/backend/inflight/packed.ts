/**
 * The inflight region of one packed virtqueue: copies of the descriptors that the device has taken, because the ring may
 * hold others in their places by now, and where the device stands, which guest memory does not say either. What is being
 * changed counts once the `old` fields say so.
 * @source QEMU 10.0.2, docs/interop/vhost-user.rst, Inflight I/O tracking, packed virtqueue
 */
import {
  VHOST_USER_INFLIGHT_VERSION,
  type VhostUserDescStatePackedView,
  type VhostUserQueueRegionPackedView,
} from "../../../../generated/vhost-user/inflight.js";
import {
  type DescriptorChain,
  type QueuePosition,
  type RingDescriptor,
  RingFault,
} from "../../../device/index.js";
import { advance, type RingPosition } from "../../../streams/virtqueues/packed-position.js";
import { Refusal } from "../refusal.js";
import type { InflightQueue } from "./queue.js";

/** Where a successor goes on, and what it has to serve again. */
export interface PackedRemains {
  readonly position: QueuePosition;
  /** In the order in which they were taken. */
  readonly buffers: readonly { readonly id: number; readonly descriptors: readonly RingDescriptor[] }[];
}

/** The entries of a buffer: a list from the first to the last. */
interface Entries {
  readonly head: number;
  readonly last: number;
  readonly count: number;
}

export class PackedInflight implements InflightQueue {
  private readonly region: VhostUserQueueRegionPackedView;
  private readonly entries: readonly VhostUserDescStatePackedView[];
  /** The links of the region as they are known here: in the region itself, the front-end could bend them at any time. */
  private readonly next: Uint16Array;
  private readonly taken = new Map<number, Entries>();
  private size = 0;
  /** The first free entry; `size` at the end of the list. */
  private free = 0;
  private freeCount = 0;
  private used: RingPosition = { slot: 0, wrap: true };
  private counter = 0n;

  constructor(region: VhostUserQueueRegionPackedView, queueSize: number) {
    this.region = region;
    this.entries = Array.from({ length: queueSize }, (_, i) => region.desc(i));
    this.next = new Uint16Array(queueSize);
  }

  /**
   * Begins with a virtqueue of `size` descriptors: at `fresh` when the region is new, else where a predecessor stood.
   * `isAvailable`: whether the driver's descriptor is still in a place of the ring.
   * @throws Refusal when the region is not for such a queue, or is damaged.
   */
  begin(
    size: number,
    fresh: QueuePosition,
    isAvailable: (slot: number, wrap: boolean) => boolean,
  ): PackedRemains {
    const { region } = this;
    if (size > this.entries.length)
      throw new Refusal(`an inflight region for ${this.entries.length} descriptors`);
    this.size = size;
    this.taken.clear();
    this.counter = 0n;
    if (region.version === 0) {
      this.setUp(fresh);
      return { position: fresh, buffers: [] };
    }
    if (region.version !== VHOST_USER_INFLIGHT_VERSION) {
      throw new Refusal(`an inflight region of version ${region.version}`);
    }
    if (region.descNum !== size) throw new Refusal(`an inflight region for ${region.descNum} descriptors`);
    this.settle(isAvailable);
    const isFree = this.clearFree();
    const buffers = this.left(isFree);
    const count = buffers.reduce((sum, { descriptors }) => sum + descriptors.length, 0);
    const available = advance(this.used, count, size);
    return {
      position: {
        available: available.slot,
        availableWrap: available.wrap,
        used: this.used.slot,
        usedWrap: this.used.wrap,
      },
      buffers,
    };
  }

  /** @throws RingFault when a driver has made more available than its ring can hold. */
  took({ id, ring }: DescriptorChain): void {
    const { region, free: head } = this;
    const first = this.entries[head];
    if (first === undefined || ring.length > this.freeCount) {
      throw new RingFault("index", `more than ${this.size} descriptors are with the device`);
    }
    first.num = 0;
    first.counter = BigInt.asUintN(64, this.counter++);
    first.inflight = 1;
    let last = head;
    for (const { address, length, flags, id: bufferId } of ring) {
      last = this.free;
      const entry = this.entries[last] as VhostUserDescStatePackedView;
      entry.addr = BigInt(address);
      entry.len = length;
      entry.flags = flags;
      entry.id = bufferId;
      first.last = last;
      first.num++;
      this.free = this.next[last] as number;
      region.freeHead = this.free;
    }
    this.freeCount -= ring.length;
    this.taken.set(id, { head, last, count: ring.length });
    region.oldFreeHead = this.free;
  }

  using(id: number): void {
    const entries = this.taken.get(id);
    if (entries === undefined) return;
    const { region } = this;
    this.link(entries.last, this.free);
    this.free = entries.head;
    region.freeHead = this.free;
    this.used = advance(this.used, entries.count, this.size);
    region.usedIdx = this.used.slot;
    region.usedWrapCounter = this.used.wrap ? 1 : 0;
  }

  usedBy(id: number): void {
    const entries = this.taken.get(id);
    const first = entries && this.entries[entries.head];
    if (entries === undefined || first === undefined) return;
    first.inflight = 0;
    this.commit();
    this.taken.delete(id);
    this.freeCount += entries.count;
  }

  /** All entries are free, one behind the other. */
  private setUp(fresh: QueuePosition): void {
    const { region, size } = this;
    for (let i = 0; i < size; i++) this.link(i, i + 1);
    this.free = 0;
    this.freeCount = size;
    this.used = { slot: fresh.used, wrap: fresh.usedWrap };
    region.descNum = size;
    region.freeHead = 0;
    region.usedIdx = this.used.slot;
    region.usedWrapCounter = this.used.wrap ? 1 : 0;
    this.commit();
    // Until here it is nobody's.
    region.version = VHOST_USER_INFLIGHT_VERSION;
  }

  private commit(): void {
    const { region } = this;
    region.oldFreeHead = this.free;
    region.oldUsedIdx = this.used.slot;
    region.oldUsedWrapCounter = this.used.wrap ? 1 : 0;
  }

  /** What a predecessor was about to do when it died is done, if the driver can see it, or was never begun. */
  private settle(isAvailable: (slot: number, wrap: boolean) => boolean): void {
    const { region, size } = this;
    const before = { slot: region.oldUsedIdx, wrap: region.oldUsedWrapCounter !== 0 };
    const after = { slot: region.usedIdx, wrap: region.usedWrapCounter !== 0 };
    const [oldFree, newFree] = [region.oldFreeHead, region.freeHead];
    if (before.slot >= size || after.slot >= size || oldFree > size || newFree > size) {
      throw new Refusal(`an inflight region that points behind the ${size} descriptors`);
    }
    const isUnfinished = before.slot !== after.slot || before.wrap !== after.wrap;
    if (isUnfinished && !isAvailable(before.slot, before.wrap)) {
      this.used = after;
      this.free = newFree;
      this.commit();
      return;
    }
    this.used = before;
    this.free = oldFree;
    region.freeHead = oldFree;
    region.usedIdx = before.slot;
    region.usedWrapCounter = before.wrap ? 1 : 0;
  }

  /** Reads the free list: nothing on it is in flight. @throws Refusal when it is none. */
  private clearFree(): readonly boolean[] {
    const { size } = this;
    const isFree = new Array<boolean>(size).fill(false);
    this.freeCount = 0;
    for (let at = this.free; at < size; at = this.next[at] as number) {
      if (isFree[at] === true) throw new Refusal("an inflight region whose free entries go in circles");
      const entry = this.entries[at] as VhostUserDescStatePackedView;
      isFree[at] = true;
      this.next[at] = entry.next;
      entry.inflight = 0;
      this.freeCount++;
    }
    return isFree;
  }

  /** What is in flight. @throws Refusal when entries are of two buffers, or of none. */
  private left(isFree: readonly boolean[]): PackedRemains["buffers"] {
    const claimed = [...isFree];
    const found: { readonly counter: bigint; readonly entries: readonly number[] }[] = [];
    this.entries.slice(0, this.size).forEach(({ inflight, counter, num }, head) => {
      if (inflight === 0 || claimed[head] === true) return;
      const entries: number[] = [];
      for (let at = head; entries.length < num; at = this.next[at] as number) {
        const entry = this.entries[at];
        if (entry === undefined || at >= this.size || claimed[at] === true) {
          throw new Refusal("an inflight region whose buffers share entries");
        }
        claimed[at] = true;
        entries.push(at);
        this.next[at] = entry.next;
      }
      if (entries.length > 0) found.push({ counter, entries });
    });
    found.sort((a, b) => (a.counter < b.counter ? -1 : 1));
    this.counter = (found.at(-1)?.counter ?? -1n) + 1n;
    return found.map(({ entries }) => {
      const descriptors = entries.map((at) => this.descriptorAt(at));
      const id = descriptors.at(-1)?.id ?? 0;
      const [head = 0, last = head] = [entries[0], entries.at(-1)];
      this.taken.set(id, { head, last, count: entries.length });
      return { id, descriptors };
    });
  }

  private descriptorAt(at: number): RingDescriptor {
    const { addr, len, flags, id } = this.entries[at] as VhostUserDescStatePackedView;
    return { address: Number(addr), length: len, flags, id };
  }

  private link(at: number, next: number): void {
    const entry = this.entries[at];
    if (entry === undefined) return;
    this.next[at] = next;
    entry.next = next;
  }
}
