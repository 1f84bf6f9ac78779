/**
 * Keeps records in the order of the stream although devices wait for the description at its end: so that it makes no
 * difference whether the description was known beforehand, from a file, or not, from a pipe.
 */
import type { CaptureRecord, Sink } from "../report.js";

/** After postcopy the rest of the memory follows the devices: its records are let through, in their turn or not. */
const MAX_HELD = 4096;

export class OrderedSink {
  private readonly sink: Sink;
  private held: CaptureRecord[] = [];

  constructor(sink: Sink) {
    this.sink = sink;
  }

  /** `waits`: a record of something in front of this one is still to come. */
  record(record: CaptureRecord, waits: boolean): void {
    if (waits && this.held.length < MAX_HELD) {
      this.held.push(record);
      return;
    }
    this.flush();
    this.sink.record(record);
  }

  /** A record that was waited for. */
  late(record: CaptureRecord): void {
    const later = this.held.findIndex(({ at }) => at > record.at);
    const first = later < 0 ? this.held.length : later;
    for (const held of this.held.splice(0, first)) this.sink.record(held);
    this.sink.record(record);
  }

  /** Nothing is waited for any longer. */
  flush(): void {
    for (const held of this.held) this.sink.record(held);
    this.held = [];
  }
}
