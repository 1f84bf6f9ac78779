/**
 * What one virtqueue writes to guest memory, in the dirty log: its buffers where they lie, its used ring where the
 * front-end wants it logged.
 */
import type { WriteObserver } from "../../device/index.js";
import type { DirtyLog } from "../../streams/index.js";

/** Where writes to a used ring are logged. */
export interface UsedRingLog {
  /** Guest-physical, of what the driver has as the device area. */
  readonly from: number;
  readonly length: number;
  /** Guest-physical too, and need not be in any region; undefined: they are not logged. */
  readonly to: bigint | undefined;
}

export class RingLog implements WriteObserver {
  private readonly log: DirtyLog;
  private readonly used: UsedRingLog;
  private readonly onMissed: (address: number) => void;

  /** `onMissed`: a page is outside of the log, so the destination will not have it. */
  constructor(log: DirtyLog, used: UsedRingLog, onMissed: (address: number) => void) {
    this.log = log;
    this.used = used;
    this.onMissed = onMissed;
  }

  wrote(address: number, length: number): void {
    const { from, to, length: usedLength } = this.used;
    const isUsedRing = address >= from && address < from + usedLength;
    if (isUsedRing && to === undefined) return;
    try {
      this.log.mark(isUsedRing && to !== undefined ? to + BigInt(address - from) : BigInt(address), length);
    } catch (error) {
      // The log is the front-end's: one that is too small may not end the back-end.
      if (!(error instanceof RangeError)) throw error;
      this.onMissed(address);
    }
  }
}
