/** Reads the description behind the end of a stream: text, which is lent whole when it is not too large. */
import type { Reader } from "../../runtime/index.js";
import { qemuFault } from "./faults.js";
import { cut, more, OVER, type Report, type Step } from "./step.js";

export class DescriptionText {
  private readonly at: number;
  private readonly textAt: number;
  private readonly size: number;
  private readonly isKept: boolean;
  private readonly report: Report;

  /** The record begins at `at`, its text of `size` bytes at `textAt`. Above `max` bytes it is passed over. */
  constructor(at: number, textAt: number, size: number, max: number, report: Report) {
    this.at = at;
    this.textAt = textAt;
    this.size = size;
    this.isKept = size <= max;
    this.report = report;
    if (!this.isKept) {
      report.fault(qemuFault("limit", "vmdescription.size", at, `${size} bytes, the cap is ${max}`));
    }
  }

  read(reader: Reader): Step {
    return this.isKept ? this.keep(reader) : this.skip(reader);
  }

  private keep(reader: Reader): Step {
    const had = reader.end - reader.at;
    if (had >= this.size) {
      this.emit(this.size, reader.slice(this.size));
      return OVER;
    }
    if (!this.report.ended) return more(this.size);
    this.emit(had, undefined);
    return this.cutAfter(had);
  }

  private skip(reader: Reader): Step {
    reader.at = Math.min(reader.end, this.textAt + this.size - reader.base);
    const had = reader.base + reader.at - this.textAt;
    if (had < this.size) return this.report.ended ? this.cutAfter(had) : more(1);
    this.emit(this.size, undefined);
    return OVER;
  }

  private cutAfter(had: number): Step {
    return cut(qemuFault("truncated", "vmdescription.text", this.textAt, undefined, this.size, had));
  }

  private emit(size: number, text: Uint8Array | undefined): void {
    const { at, textAt } = this;
    this.report.emit({ kind: "description", at, size: textAt - at + size, textAt, text });
  }
}
