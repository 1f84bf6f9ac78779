/**
 * Reads a section that does not say how long it is: it ends where the description says, or else at its footer, which is
 * looked for.
 */
import type { Reader } from "../../runtime/index.js";
import { Body } from "./body.js";
import type { SectionBound } from "./events.js";
import { qemuFault } from "./faults.js";
import { liveBodyFault } from "./live-body.js";
import { type OpenSection, ownFooterAt, sectionEvent } from "./open-section.js";
import { isRecordAt, type StreamContext } from "./plausible.js";
import { findAnchor } from "./scan.js";
import { cut, more, RECORD, type Report, type Step } from "./step.js";

export class StateSection {
  private readonly open: OpenSection;
  private readonly context: StreamContext;
  private readonly report: Report;
  private readonly maxBody: number;
  private readonly body: Body;
  /** Bytes of the body, if the description says so and has not been found wrong. */
  private expected: number | undefined;
  /** Where the first thing ended that looked like the footer, but had nothing readable behind it. */
  private passedAt: number | undefined;

  /** `expected`: the size of the body, where a description gives it. Bodies above `maxBody` bytes are not kept. */
  constructor(
    open: OpenSection,
    expected: number | undefined,
    maxBody: number,
    context: StreamContext,
    report: Report,
  ) {
    this.open = open;
    this.expected = expected;
    this.maxBody = maxBody;
    this.body = new Body(maxBody);
    this.context = context;
    this.report = report;
  }

  read(reader: Reader): Step {
    if (!this.context.footers) return this.findRecord(reader);
    const { expected } = this;
    const { section, bodyAt } = this.open;
    if (expected !== undefined && expected <= this.maxBody) {
      const found = ownFooterAt(reader, reader.at + expected, section.id);
      if (found.kind === "found") {
        this.body.lend(reader, reader.at + expected);
        reader.at = found.next;
        this.close(bodyAt + expected, reader.base + found.next, "description", true);
        return RECORD;
      }
      if (found.kind === "wanted" && !this.report.ended) return more(found.bytes);
      this.expected = undefined;
      if (found.kind === "none" || expected <= reader.end - reader.at) {
        const detail = `the description gives the state ${expected} bytes, but no footer of section ${section.id} is here`;
        this.report.fault(qemuFault("constraint", `${section.name}.footer`, bodyAt + expected, detail));
      }
    }
    return this.findEnd(reader);
  }

  /** Without footers: the next record stands where the description says, or is looked for. */
  private findRecord(reader: Reader): Step {
    const { section, bodyAt } = this.open;
    const { ended } = this.report;
    const { expected } = this;
    if (expected !== undefined && expected <= this.maxBody) {
      if (reader.end - reader.at <= expected && !ended) return more(expected + 1);
      const next = reader.at + expected;
      const isThere = next < reader.end && isRecordAt(reader, next, this.context);
      if (typeof isThere === "number") return more(expected + isThere);
      if (isThere) {
        this.body.lend(reader, next);
        this.close(bodyAt + expected, reader.base + next, "description", true);
        return RECORD;
      }
      this.expected = undefined;
      const detail = `the description gives the state ${expected} bytes, but no record begins behind it`;
      this.report.fault(qemuFault("constraint", section.name, bodyAt + expected, detail));
    }
    const anchor = findAnchor(reader, reader.at, section.id, this.context);
    if (anchor.kind === "none") {
      this.body.take(reader, reader.end);
      if (!ended) return more(1);
      const end = reader.base + reader.at;
      this.close(end, end, "none", false);
      return cut(qemuFault("truncated", section.name, end, `the input ends inside section ${section.id}`));
    }
    this.body.take(reader, anchor.at);
    if (anchor.kind === "wanted") return more(anchor.bytes);
    const end = reader.base + anchor.at;
    this.close(end, end, "record", true);
    return RECORD;
  }

  /** Looks for the footer. Falls back on the head of the next section, in case the footer itself is damaged. */
  private findEnd(reader: Reader): Step {
    const { section, phase, bodyAt } = this.open;
    const { id, name } = section;
    const anchor = findAnchor(reader, reader.at, id, this.context, (next) => {
      this.passedAt ??= reader.base + next;
    });
    // Five bytes of a body are hardly ever the footer of their own section. In the part of a live section, whose length
    // no description confirms later, the search has then run over a damaged record into the next part.
    if (anchor.kind === "footer" && phase !== "full" && this.passedAt !== undefined) {
      const detail = `a footer of section ${id} ends here, but no record begins`;
      this.report.fault(qemuFault("constraint", `${name}.footer`, this.passedAt, detail));
      this.passedAt = undefined;
    }
    if (anchor.kind === "none") {
      this.body.take(reader, reader.end);
      if (!this.report.ended) return more(1);
      const end = reader.base + reader.at;
      this.close(end, end, "none", false);
      if (this.passedAt !== undefined && this.passedAt < end) {
        const detail = `a footer of section ${id} ends here, but no record begins`;
        this.report.fault(qemuFault("constraint", `${name}.footer`, this.passedAt, detail));
      }
      const detail = `the input ends inside section ${id}, ${end - bodyAt} bytes into its body`;
      return cut(qemuFault("truncated", name, end, detail));
    }
    this.body.take(reader, anchor.at);
    if (anchor.kind === "wanted") return more(anchor.bytes);
    const end = reader.base + anchor.at;
    if (anchor.kind === "record") {
      this.close(end, end, "none", false);
      const detail = `no footer of section ${id} before the next record`;
      this.report.fault(qemuFault("constraint", `${name}.footer`, end, detail));
    } else {
      reader.at = anchor.next;
      this.close(end, reader.base + reader.at, "footer", true);
    }
    return RECORD;
  }

  private close(bodyEnd: number, end: number, bound: SectionBound, complete: boolean): void {
    const { section, phase, bodyAt } = this.open;
    const { bytes: body } = this.body;
    const wrong =
      phase === "full" || !complete ? undefined : body && liveBodyFault(section.name, body, bodyAt);
    if (wrong !== undefined) this.report.fault(wrong);
    const closing = { bodyEnd, end, bound, complete: complete && wrong === undefined, body, ram: undefined };
    this.report.emit(sectionEvent(this.open, closing));
  }
}
