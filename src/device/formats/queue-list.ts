/** The virtqueues of a state that is being read: those that a device has, or as many as the format speaks of. */
import type { QueueState } from "../member/device-state.js";
import { BLANK_QUEUE } from "./blank.js";

export class QueueList {
  private readonly queues: QueueState[];
  private readonly grows: boolean;

  constructor(queues: readonly QueueState[], grows: boolean) {
    this.queues = [...queues];
    this.grows = grows;
  }

  get all(): readonly QueueState[] {
    return [...this.queues];
  }

  /** The format says how many there are. @throws RangeError when the device has another number. */
  count(given: number): void {
    if (this.grows) this.growTo(given);
    else if (given !== this.queues.length) {
      throw new RangeError(`${given} virtqueues, here are ${this.queues.length}`);
    }
  }

  /** @throws RangeError when there is no such virtqueue. */
  change(index: number, change: Partial<QueueState>): void {
    if (this.grows) this.growTo(index + 1);
    const queue = this.queues[index];
    if (queue === undefined) throw new RangeError(`virtqueue ${index}, here are ${this.queues.length}`);
    this.queues[index] = { ...queue, ...change };
  }

  /** At most 65536: indices have 16 bits in every format. */
  private growTo(count: number): void {
    while (this.queues.length < count) this.queues.push(BLANK_QUEUE);
  }
}
