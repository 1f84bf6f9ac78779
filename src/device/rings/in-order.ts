/**
 * With VIRTIO_F_IN_ORDER buffers go back in the order in which they came. A device may finish them in any order: what is
 * finished too early waits here.
 */
import type { DescriptorChain } from "./chain.js";

export class InOrder {
  /** Ids in the order in which they were taken. */
  private readonly expected: number[] = [];
  private readonly finished = new Map<number, DescriptorChain>();

  took(id: number): void {
    this.expected.push(id);
  }

  /** Gives the buffers that can go back now. */
  finish(chain: DescriptorChain): DescriptorChain[] {
    this.finished.set(chain.id, chain);
    const ready: DescriptorChain[] = [];
    while (this.expected.length > 0) {
      const id = this.expected[0] as number;
      const next = this.finished.get(id);
      if (next === undefined) break;
      this.finished.delete(id);
      this.expected.shift();
      ready.push(next);
    }
    return ready;
  }
}
