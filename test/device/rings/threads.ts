/** What the two threads of the test share. */
import type { QueuePlace } from "../../../src/device/rings/queue.js";

export interface Shared {
  readonly buffer: SharedArrayBuffer;
  readonly place: QueuePlace;
  readonly packed: boolean;
}

/** Where the driver tells the device to end. */
export const END = 0;
