/** The inflight region of one split virtqueue: a bit for each head that the device has, and the order of taking. */
import {
  VHOST_USER_INFLIGHT_VERSION,
  type VhostUserDescStateSplitView,
  type VhostUserQueueRegionSplitView,
} from "../../../../generated/vhost-user/inflight.js";
import type { DescriptorChain } from "../../../device/index.js";
import { Refusal } from "../refusal.js";
import type { InflightQueue } from "./queue.js";

/** Nothing of the region is taken for true but bits and order. */
export class SplitInflight implements InflightQueue {
  private readonly region: VhostUserQueueRegionSplitView;
  private readonly entries: readonly VhostUserDescStateSplitView[];
  private counter = 0n;

  constructor(region: VhostUserQueueRegionSplitView, queueSize: number) {
    this.region = region;
    this.entries = Array.from({ length: queueSize }, (_, i) => region.desc(i));
  }

  /**
   * Begins with a virtqueue whose used index is `usedIndex`. Gives the heads of what a predecessor had taken and not
   * used, in the order in which it had taken them.
   * @throws Refusal when the region is not for such a queue.
   */
  begin(size: number, usedIndex: number): number[] {
    const { region, entries } = this;
    if (size > entries.length) throw new Refusal(`an inflight region for ${entries.length} descriptors`);
    if (region.version === 0) {
      region.descNum = size;
      region.usedIdx = usedIndex;
      region.version = VHOST_USER_INFLIGHT_VERSION;
      return [];
    }
    if (region.version !== VHOST_USER_INFLIGHT_VERSION) {
      throw new Refusal(`an inflight region of version ${region.version}`);
    }
    if (region.usedIdx !== usedIndex) {
      // It died between the used index and the note that the buffer is done.
      const last = entries[region.lastBatchHead];
      if (last !== undefined) last.inflight = 0;
      region.usedIdx = usedIndex;
    }
    const left = entries
      .slice(0, size)
      .map(({ inflight, counter }, head) => ({ inflight, counter, head }))
      .filter(({ inflight }) => inflight !== 0)
      .sort((a, b) => (a.counter < b.counter ? -1 : 1));
    this.counter = (left.at(-1)?.counter ?? -1n) + 1n;
    return left.map(({ head }) => head);
  }

  took({ id: head }: DescriptorChain): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.counter = BigInt.asUintN(64, this.counter++);
    entry.inflight = 1;
  }

  using(head: number): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.next = this.region.lastBatchHead;
    this.region.lastBatchHead = head;
  }

  usedBy(head: number, usedIndex: number): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.inflight = 0;
    this.region.usedIdx = usedIndex;
  }
}
