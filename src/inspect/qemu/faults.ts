/**
 * The faults of a stream. Those of its parser name a section or a kind of record; which record of the inspection that is
 * shows when it passes, for what is wrong is found before a record is whole.
 */
import type { Fault } from "../../runtime/index.js";
import { placed } from "../fault-place.js";
import { type CaptureRecord, FaultList } from "../report.js";

export class StreamFaults {
  readonly list: FaultList = new FaultList();
  /** Indices in the list. */
  private open: number[] = [];
  private last: CaptureRecord | undefined;

  /** A fault in the words of the parser. */
  add(fault: Fault): void {
    if (!this.list.add(fault)) return;
    this.open.push(this.list.faults.length - 1);
    const { last } = this;
    if (last === undefined) return;
    // The end of the input is said last, and the record that it cuts ends with the last whole thing in it.
    const isCut = fault.code === "truncated" && isOf(last, fault) && fault.offset >= last.at;
    this.place(isCut ? { ...last, size: fault.offset - last.at } : last);
  }

  /** A fault that has its place. */
  addPlaced(fault: Fault): void {
    this.list.add(fault);
  }

  /** Every record passes here, in any order. */
  pass(record: CaptureRecord): void {
    this.last = record;
    if (this.open.length > 0) this.place(record);
  }

  private place(candidate: CaptureRecord): void {
    const { name, path, at, size, record, attributes } = candidate;
    this.open = this.open.filter((index) => {
      const fault = this.list.faults[index];
      if (fault === undefined || fault.offset < at || fault.offset > at + size) return true;
      // What begins where another record ends is the next one's, unless it is said of this one.
      const isNamed = isOf(candidate, fault);
      if (fault.offset === at + size && !isNamed) return true;
      const place = { path, attributes: Object.keys(attributes) };
      this.list.faults[index] = placed(fault, isNamed ? name : record, place);
      return false;
    });
  }
}

function isOf({ name }: CaptureRecord, { path }: Fault): boolean {
  return path === name || path.startsWith(`${name}.`);
}
