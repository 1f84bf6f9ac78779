/** Reads one part of the section of guest memory: the records of the pages, which say themselves where they end. */
import type { Reader } from "../../../runtime/index.js";
import type { SectionBound } from "../events.js";
import { qemuFault } from "../faults.js";
import { type OpenSection, ownFooterAt, sectionEvent } from "../open-section.js";
import type { StreamContext } from "../plausible.js";
import { findAnchor } from "../scan.js";
import { cut, lost, more, ON, RECORD, type Report, type Step } from "../step.js";
import type { RamParser } from "./parser.js";

export class RamSection {
  private readonly open: OpenSection;
  private readonly ram: RamParser;
  private readonly context: StreamContext;
  private readonly report: Report;
  private state: "records" | "resync" | "footer" = "records";
  private damaged = false;
  private gapAt = 0;

  constructor(open: OpenSection, ram: RamParser, context: StreamContext, report: Report) {
    this.open = open;
    this.ram = ram;
    this.context = context;
    this.report = report;
    ram.begin(open.phase === "start");
  }

  read(reader: Reader): Step {
    switch (this.state) {
      case "records":
        return this.records(reader);
      case "resync":
        return this.resync(reader);
      case "footer":
        return this.footer(reader);
    }
  }

  private records(reader: Reader): Step {
    const stop = this.ram.read(reader, this.report.ended);
    if (stop.kind === "done") {
      this.state = "footer";
      return ON;
    }
    if (stop.kind === "wanted" && !this.report.ended) return more(stop.bytes);
    const here = reader.base + reader.at;
    if (stop.kind === "wanted") {
      this.close(here, here, "none", false);
      return cut(stop.lacking);
    }
    this.report.fault(stop.fault);
    this.damaged = true;
    this.gapAt = here;
    this.state = "resync";
    return ON;
  }

  /** Damage among the pages: the next records that can be read, or the footer, whichever comes first. */
  private resync(reader: Reader): Step {
    const { ended } = this.report;
    const anchor = findAnchor(reader, reader.at, undefined, this.context);
    const limit = anchor.kind === "none" ? reader.end : anchor.at;
    const found = this.ram.findRecord(reader, limit, ended);
    if (found !== undefined) {
      reader.at = found.at;
      if (found.wanted > 0) return more(found.wanted);
      const end = reader.base + reader.at;
      if (end > this.gapAt) this.report.emit({ kind: "gap", at: this.gapAt, size: end - this.gapAt });
      this.ram.recover();
      this.state = "records";
      return ON;
    }
    reader.at = limit;
    if (anchor.kind === "wanted") return more(anchor.bytes);
    if (anchor.kind === "none" && !ended) return more(1);
    const end = reader.base + limit;
    this.close(end, end, "none", false);
    return { kind: "lost", from: this.gapAt };
  }

  private footer(reader: Reader): Step {
    const { section } = this.open;
    const path = `${section.name}.footer`;
    const end = reader.base + reader.at;
    if (!this.context.footers) {
      this.close(end, end, "self", true);
      return RECORD;
    }
    const next = ownFooterAt(reader, reader.at, section.id);
    if (next.kind === "wanted") {
      if (!this.report.ended) return more(next.bytes);
      this.close(end, end, "self", false);
      return cut(qemuFault("truncated", path, end, undefined, next.bytes, reader.end - reader.at));
    }
    if (next.kind === "none") {
      const bare = this.open.phase === "start" ? this.report.lacksFooters(reader) : false;
      if (typeof bare === "number") return more(bare);
      if (bare) return ON;
      this.close(end, end, "self", false);
      this.report.fault(qemuFault("constraint", path, end, `no footer of section ${section.id}`));
      return lost(reader);
    }
    reader.at = next.next;
    this.close(end, reader.base + reader.at, "self", true);
    return RECORD;
  }

  private close(bodyEnd: number, end: number, bound: SectionBound, complete: boolean): void {
    const ram = { ...this.ram.counts };
    const closing = { bodyEnd, end, bound, complete: complete && !this.damaged, body: undefined, ram };
    this.report.emit(sectionEvent(this.open, closing));
  }
}
