/**
 * The inflight region: which buffers are taken and not yet used, in memory that outlives this process. The front-end keeps
 * it, so a successor finds what was going on when its predecessor was killed, at any instruction.
 * @source QEMU 10.0.2, docs/interop/vhost-user.rst, Inflight I/O tracking
 */
import {
  sizeofVhostUserAlignedQueueRegionPacked,
  sizeofVhostUserAlignedQueueRegionSplit,
  VhostUserInflightPackedAlignedView,
  VhostUserInflightSplitAlignedView,
} from "../../../../generated/vhost-user/inflight.js";
import { HOST_IS_LITTLE } from "../../host.js";
import { Refusal } from "../refusal.js";
import { PackedInflight } from "./packed.js";
import { SplitInflight } from "./split.js";

/** Bytes of a region: of split virtqueues as libvhost-user lays it out, of packed ones as DPDK does. */
export function inflightSize(queues: number, queueSize: number, packed: boolean): number {
  if (packed) {
    const desc = Array.from({ length: queueSize }, () => ({
      inflight: 0,
      next: 0,
      last: 0,
      num: 0,
      counter: 0n,
      id: 0,
      flags: 0,
      len: 0,
      addr: 0n,
    }));
    const indices = { freeHead: 0, oldFreeHead: 0, usedIdx: 0, oldUsedIdx: 0 };
    const wraps = { usedWrapCounter: 0, oldUsedWrapCounter: 0 };
    const queue = { features: 0n, version: 0, descNum: 0, ...indices, ...wraps, desc };
    return queues * sizeofVhostUserAlignedQueueRegionPacked({ queue }, queueSize, HOST_IS_LITTLE);
  }
  const desc = Array.from({ length: queueSize }, () => ({ inflight: 0, next: 0, counter: 0n }));
  const queue = { features: 0n, version: 0, descNum: 0, lastBatchHead: 0, usedIdx: 0, desc };
  return queues * sizeofVhostUserAlignedQueueRegionSplit({ queue }, queueSize, HOST_IS_LITTLE);
}

/** All of a region. */
export class InflightRegion {
  private readonly queues: readonly (SplitInflight | PackedInflight)[];

  /** @throws Refusal when it is too small. */
  constructor(bytes: Uint8Array, queues: number, queueSize: number, packed: boolean) {
    const wanted = inflightSize(queues, queueSize, packed);
    if (bytes.length < wanted) {
      throw new Refusal(`an inflight region of ${bytes.length} bytes, wanted are ${wanted}`);
    }
    const own = bytes.subarray(0, wanted);
    const indices = Array.from({ length: queues }, (_, i) => i);
    if (packed) {
      const view = new VhostUserInflightPackedAlignedView(own, 0, queues, queueSize, HOST_IS_LITTLE);
      this.queues = indices.map((i) => new PackedInflight(view.queues(i).queue, queueSize));
    } else {
      const view = new VhostUserInflightSplitAlignedView(own, 0, queues, queueSize, HOST_IS_LITTLE);
      this.queues = indices.map((i) => new SplitInflight(view.queues(i).queue, queueSize));
    }
  }

  queue(index: number): SplitInflight | PackedInflight | undefined {
    return this.queues[index];
  }
}
