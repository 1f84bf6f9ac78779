/**
 * The inflight region: which buffers of split virtqueues are taken and not yet used, in memory that outlives this process.
 * The front-end keeps it, so a successor finds what was going on when its predecessor was killed, at any instruction.
 * @source QEMU 10.0.2, docs/interop/vhost-user.rst, Inflight I/O tracking
 */
import {
  sizeofVhostUserAlignedQueueRegionSplit,
  VHOST_USER_INFLIGHT_VERSION,
  type VhostUserDescStateSplitView,
  VhostUserInflightSplitAlignedView,
  type VhostUserQueueRegionSplitView,
} from "../../../generated/vhost-user/inflight.js";
import { HOST_IS_LITTLE } from "../host.js";
import { Refusal } from "./refusal.js";

/** Bytes of a region, as libvhost-user lays it out. */
export function inflightSize(queues: number, queueSize: number): number {
  const desc = Array.from({ length: queueSize }, () => ({ inflight: 0, next: 0, counter: 0n }));
  const queue = { features: 0n, version: 0, descNum: 0, lastBatchHead: 0, usedIdx: 0, desc };
  return queues * sizeofVhostUserAlignedQueueRegionSplit({ queue }, queueSize, HOST_IS_LITTLE);
}

/** All of a region. */
export class InflightRegion {
  private readonly queues: readonly InflightQueue[];

  /** @throws Refusal when it is too small. */
  constructor(bytes: Uint8Array, queues: number, queueSize: number) {
    const wanted = inflightSize(queues, queueSize);
    if (bytes.length < wanted) {
      throw new Refusal(`an inflight region of ${bytes.length} bytes, wanted are ${wanted}`);
    }
    const view = new VhostUserInflightSplitAlignedView(
      bytes.subarray(0, wanted),
      0,
      queues,
      queueSize,
      HOST_IS_LITTLE,
    );
    this.queues = Array.from(
      { length: queues },
      (_, i) => new InflightQueue(view.queues(i).queue, queueSize),
    );
  }

  queue(index: number): InflightQueue | undefined {
    return this.queues[index];
  }
}

/** The part of one virtqueue. The front-end can write to it at any time: nothing is taken for true but bits and order. */
export class InflightQueue {
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

  took(head: number): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.counter = BigInt.asUintN(64, this.counter++);
    entry.inflight = 1;
  }

  /** The used index is about to show the buffer. */
  using(head: number): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.next = this.region.lastBatchHead;
    this.region.lastBatchHead = head;
  }

  /** It does now. */
  used(head: number, usedIndex: number): void {
    const entry = this.entries[head];
    if (entry === undefined) return;
    entry.inflight = 0;
    this.region.usedIdx = usedIndex;
  }
}
