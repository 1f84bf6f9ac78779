/**
 * A push parser for QEMU migration streams of any length. It is fed chunks of any size and reports sections, commands and
 * damage as soon as they are complete, the same for every way of cutting the input.
 *
 * A section does not say how long it is. `ram` delimits itself. The others end where the description says, when the
 * caller has it beforehand (it stands at the end of a file), or else at the footer, which is looked for.
 *
 * Memory: the largest body or description up to `maxBody`, besides one chunk. Pages are not kept.
 */
import {
  QemuVmCmd,
  type QemuVmCommand,
  type QemuVmRecordHead,
  QemuVmSection,
  readQemuVmFileHeader,
  readQemuVmRecord,
  scanQemuVmFileHeader,
  scanQemuVmRecord,
} from "../../../generated/qemu/stream.js";
import type { Fault, Reader } from "../../runtime/index.js";
import { under } from "../faults.js";
import { Window } from "../window.js";
import { type BehindEof, behindEof, checkpointAt } from "./checkpoint-signs.js";
import { Checkpoints } from "./colo.js";
import { Configuration } from "./configuration.js";
import {
  type Description,
  describedSize,
  deviceKey,
  deviceStates,
  type StateDescription,
} from "./description.js";
import { DescriptionText } from "./description-text.js";
import type { QemuEvent, SectionPhase } from "./events.js";
import { qemuFault } from "./faults.js";
import { liveVersion } from "./handlers.js";
import { isLoneRecordAt, isRecordAt, type StreamContext } from "./plausible.js";
import type { RamPageSink } from "./ram/blocks.js";
import { RamParser } from "./ram/parser.js";
import { RamSection } from "./ram/section.js";
import type { StreamBefore } from "./resumed.js";
import { findAnchor } from "./scan.js";
import { type Section, SectionNumbers } from "./sections.js";
import { StateSection } from "./state-section.js";
import { awaited, cut, lost, more, ON, OVER, RECORD, type Report, type Step } from "./step.js";

const DEFAULT_MAX_BODY = 16 << 20;

export interface QemuStreamOptions {
  /** The description, when it was found before the stream is read. */
  readonly description?: Description | undefined;
  /** The size of a target page, when it was found before the stream is read. */
  readonly pageSize?: number | undefined;
  /** Is told where the contents of pages lie. */
  readonly pages?: RamPageSink | undefined;
  /** Bodies and descriptions up to this size are lent to the listener, in bytes. */
  readonly maxBody?: number;
  /**
   * Where the stream begins in the file that it was written to: the offsets of mapped-ram are those of the file. 0 when
   * left out.
   */
  readonly origin?: number | undefined;
  /**
   * The stream goes on after a postcopy migration broke, and begins with a record. What the one before it has told, or
   * "unknown": then its blocks and its section are taken as they come.
   */
  readonly resumed?: StreamBefore | "unknown" | undefined;
}

/** Reads one part of the stream, over as many chunks as it takes. */
interface PartReader {
  read(reader: Reader): Step;
}

export class QemuStreamParser {
  readonly ram: RamParser;
  private readonly listener: (event: QemuEvent) => void;
  private readonly maxBody: number;
  private readonly window = new Window();
  private readonly numbers = new SectionNumbers();
  private readonly states: ReadonlyMap<string, StateDescription>;
  private readonly context: { -readonly [K in keyof StreamContext]: StreamContext[K] };
  private readonly report: { ended: boolean } & Report;
  private readonly records: PartReader = { read: (reader) => this.record(reader) };
  private part: PartReader = { read: (reader) => this.fileHeader(reader) };
  private packageEnd: number | undefined;
  private checkpoints: Checkpoints | undefined;
  /** The first part of a section that has not been started is taken for one of guest memory. */
  private mayAssume = false;
  private sawEof = false;
  private sawConfiguration = false;
  private sawSwitchover = false;

  constructor(listener: (event: QemuEvent) => void, options: QemuStreamOptions = {}) {
    const { description } = options;
    this.listener = listener;
    this.maxBody = options.maxBody ?? DEFAULT_MAX_BODY;
    this.ram = new RamParser(
      {
        pageSize: options.pageSize ?? description?.pageSize,
        ignoreShared: false,
        mappedRam: false,
        postcopy: false,
        origin: options.origin ?? 0,
      },
      options.pages,
    );
    if (options.resumed !== undefined) this.goOnFrom(options.resumed);
    this.states = description === undefined ? new Map() : deviceStates(description);
    this.context = {
      isLive: (id) => this.numbers.isLive(id),
      isKnown: (id) => this.numbers.isKnown(id),
      isRepeated: (header) => this.numbers.isRepeated(header),
      colo: undefined,
      ended: false,
      footers: true,
      packageEnd: undefined,
    };
    this.report = {
      ended: false,
      emit: (event) => this.emit(event),
      fault: (fault) => this.fault(fault),
      lacksFooters: (reader) => this.lacksFooters(reader),
    };
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /**
   * Passes over up to `limit` bytes that come next and that the parser would not look at, the pages of a mapped-ram block,
   * and says how many. A caller that can read anywhere pushes on behind them; nothing comes out differently.
   */
  skip(limit: number): number {
    return this.window.skip(Math.min(limit, this.ram.unseen(this.window.at)));
  }

  /** The input is over. Nothing may be pushed any more. */
  end(): void {
    this.report.ended = true;
    this.context.ended = true;
    this.window.finish((reader) => this.parse(reader));
    this.checkpoints?.finish(this.window.at);
  }

  /**
   * The connection broke in postcopy, and the source has connected again: what comes begins with a record, and belongs to
   * the same sections. What was not complete is forgotten; offsets count on. Says from where.
   */
  resume(): number {
    this.window.forget();
    this.ram.recover();
    this.packageEnd = undefined;
    if (this.part !== this.records) this.numbers.revive();
    this.part = this.records;
    return this.window.at;
  }

  /** For the stream that follows when this one breaks. */
  handOver(): Omit<StreamBefore, "machine"> {
    const { traits, blocks } = this.ram;
    const { unfinished } = this.numbers;
    return { pageSize: traits.pageSize, blocks, live: unfinished };
  }

  private goOnFrom(before: StreamBefore | "unknown"): void {
    const { traits } = this.ram;
    this.part = this.records;
    traits.postcopy = true;
    // The source has switched over long ago.
    this.sawSwitchover = true;
    this.mayAssume = before === "unknown";
    if (before === "unknown") {
      traits.anyBlock = true;
      return;
    }
    traits.pageSize ??= before.pageSize;
    this.ram.adopt(before.blocks.values());
    this.numbers.adopt(before.live);
  }

  /** Nothing tells what the section is: in postcopy it is that of guest memory which goes on. */
  private assumed(id: number, isEnd: boolean): Section | undefined {
    if (!this.mayAssume) return undefined;
    this.mayAssume = false;
    this.numbers.adopt([{ id, name: "ram", instanceId: 0, versionId: liveVersion("ram") ?? 0 }]);
    return this.numbers.reopen(id, isEnd);
  }

  private parse(reader: Reader): number {
    while (true) {
      this.context.packageEnd = this.packageEnd === undefined ? undefined : this.packageEnd - reader.base;
      const step = this.part.read(reader);
      switch (step.kind) {
        case "more":
          return step.bytes;
        case "record":
          this.part = this.records;
          break;
        case "over":
          this.part = this.behindMigration() ?? { read: (behind) => this.over(behind) };
          break;
        case "lost":
          this.part = { read: (rest) => this.resync(rest, step.from) };
          break;
        case "cut":
          this.checkpoints?.cutShort();
          this.fault(step.fault);
          reader.at = reader.end;
          this.part = { read: (behind) => this.over(behind) };
          return 1;
      }
    }
  }

  /** The same machine types write no configuration: one sign alone may be damage. */
  private lacksFooters(reader: Reader): boolean | number {
    if (this.sawConfiguration) return false;
    const isNext = isLoneRecordAt(reader, reader.at, this.context);
    if (isNext === true) this.context.footers = false;
    return isNext;
  }

  private fileHeader(reader: Reader): Step {
    const at = reader.at;
    if (!scanQemuVmFileHeader(reader)) {
      const fault = reader.fault as Fault;
      const wait = awaited(reader, at, fault, this.report.ended);
      if (wait !== undefined) return wait;
      if (fault.code === "truncated") return cut(fault);
      this.fault(fault);
      return lost(reader);
    }
    reader.at = at;
    readQemuVmFileHeader(reader);
    this.emit({ kind: "file-header", at: reader.base + at, size: reader.at - at });
    return RECORD;
  }

  private record(reader: Reader): Step {
    const at = reader.at;
    const start = reader.base + at;
    if (this.packageEnd !== undefined && start >= this.packageEnd) return this.endPackage(start);
    const checkpoint = this.checkpoints && checkpointAt(reader, at, this.context.isKnown, this.report.ended);
    if (typeof checkpoint === "number") return more(checkpoint);
    if (this.checkpoints !== undefined && checkpoint === true)
      return this.interrupted(this.checkpoints, start);
    if (!scanQemuVmRecord(reader)) {
      const fault = reader.fault as Fault;
      const wait = awaited(reader, at, fault, this.report.ended);
      if (wait !== undefined) return wait;
      // A type that no record has is wrong itself, not what stands behind it.
      const named = under(
        "record",
        fault.code === "tag"
          ? { ...fault, path: "type", offset: start, detail: `no record has the type ${fault.detail}` }
          : fault,
      );
      // What a damaged length claims may be the rest of the stream.
      const isCommand = reader.bytes[at] === QemuVmSection.QEMU_VM_COMMAND;
      if (fault.code === "truncated" && !isCommand) return cut(named);
      this.fault(named);
      return lost(reader);
    }
    const end = reader.at;
    reader.at = at;
    const { type, head } = readQemuVmRecord(reader);
    if (type === QemuVmSection.QEMU_VM_EOF && this.packageEnd === undefined) return this.eof(reader, at, end);
    return this.head(reader, at, head);
  }

  /** What the record that begins at index `at` and ends at the cursor opens. */
  private head(reader: Reader, at: number, head: QemuVmRecordHead): Step {
    const start = reader.base + at;
    switch (head.case) {
      case "start":
      case "full": {
        if (!isName(head.value.idstr.text)) {
          return this.misplaced(reader, at, "no section has such a name", "idstr");
        }
        const section = this.numbers.open(start, head.case, head.value, (fault) => this.fault(fault));
        return this.begin(start, reader, head.case, section);
      }
      case "part":
      case "end": {
        const { sectionId } = head.value;
        const isEnd = head.case === "end";
        const section = this.numbers.reopen(sectionId, isEnd) ?? this.assumed(sectionId, isEnd);
        if (section !== undefined) return this.begin(start, reader, head.case, section);
        return this.misplaced(reader, at, `section ${sectionId} has not been started`, "section_id");
      }
      case "configuration":
        this.sawConfiguration = true;
        // A length that is damaged has taken the next record for the name.
        if (!isName(head.value.name)) {
          this.fault(qemuFault("constraint", "configuration.name", start, "no machine type has such a name"));
          reader.at = at;
          return lost(reader);
        }
        this.part = new Configuration(start, head.value.name, this.report);
        return ON;
      case "command": {
        const { cmd } = head.value;
        if (cmd === QemuVmCmd.MIG_CMD_INVALID || cmd > QemuVmCmd.MIG_CMD_SWITCHOVER_START) {
          this.fault(qemuFault("tag", "command.cmd", start, `there is no command ${cmd}`));
          reader.at = at;
          return lost(reader);
        }
        const bytes = reader.bytes.subarray(at, reader.at);
        this.emit({ kind: "command", at: start, size: bytes.length, command: head.value, bytes });
        this.command(start, reader.base + reader.at, head.value);
        return ON;
      }
      case "vmdescription": {
        const detail = "a description without the end of the stream in front of it";
        if (!this.sawEof) this.fault(qemuFault("missing", "record.type", start, detail));
        const { size } = head.value;
        this.part = new DescriptionText(start, reader.base + reader.at, size, this.maxBody, this.report);
        return ON;
      }
      case "footer":
        return this.misplaced(reader, at, "a footer without a section in front of it");
      default:
        return this.misplaced(reader, at, "not inside a package");
    }
  }

  private misplaced(reader: Reader, at: number, detail: string, field?: string): Step {
    const code = field === undefined ? "tag" : "constraint";
    this.fault(qemuFault(code, `record.${field ?? "type"}`, reader.base + at, detail));
    reader.at = at;
    return lost(reader);
  }

  /** EOF is a zero byte, as is most of what a reader out of step comes upon: what follows must confirm it. */
  private eof(reader: Reader, at: number, end: number): Step {
    if (this.checkpoints !== undefined) {
      const sound = isRecordAt(reader, at, this.context);
      const behind = behindEof(reader, end, this.report.ended);
      if (typeof sound === "number" || typeof behind === "number") {
        const wanted = Math.max(Number(sound), end - at + (typeof behind === "number" ? behind : 0));
        reader.at = at;
        return more(wanted);
      }
      if (!sound)
        return this.misplaced(reader, at, "EOF, but neither a description nor a message of COLO follows");
      if (this.checkpoints.isOpen || behind !== undefined)
        return this.coloEof(this.checkpoints, reader, at, end, behind);
    }
    const isLast = end >= reader.end;
    if (isLast && !this.report.ended) {
      reader.at = at;
      return more(end - at + 1);
    }
    if (!isLast && reader.bytes[end] !== QemuVmSection.QEMU_VM_VMDESCRIPTION) {
      const detail = "EOF, but the input goes on with something else than a description";
      return this.misplaced(reader, at, detail);
    }
    const start = reader.base + at;
    const background = this.numbers.checkEnd(start, this.sawSwitchover, (fault) => this.fault(fault));
    this.emit({ kind: "eof", at: start, size: end - at, background });
    reader.at = end;
    this.sawEof = true;
    return isLast ? OVER : ON;
  }

  /** EOF in a stream with checkpoints, with no description behind it. */
  private coloEof(
    checkpoints: Checkpoints,
    reader: Reader,
    at: number,
    end: number,
    behind: BehindEof | undefined,
  ): Step {
    const start = reader.base + at;
    if (checkpoints.isMigrating) {
      const background = this.numbers.checkEnd(start, this.sawSwitchover, (fault) => this.fault(fault));
      this.emit({ kind: "eof", at: start, size: end - at, background });
      this.sawEof = true;
    } else this.emit({ kind: "eof", at: start, size: end - at, background: false });
    reader.at = end;
    checkpoints.eof(start, start + end - at, behind);
    this.part = checkpoints;
    return ON;
  }

  /** A checkpoint begins where a record should. */
  private interrupted(checkpoints: Checkpoints, start: number): Step {
    checkpoints.interrupt(start);
    this.part = checkpoints;
    return ON;
  }

  /** What follows the description: nothing, but for checkpoints. */
  private behindMigration(): PartReader | undefined {
    this.checkpoints?.start();
    return this.checkpoints;
  }

  private begin(start: number, reader: Reader, phase: SectionPhase, section: Section): Step {
    const open = { section, phase, at: start, bodyAt: reader.base + reader.at };
    if (section.name === "ram" && section.versionId === liveVersion("ram") && phase !== "full") {
      this.part = new RamSection(open, this.ram, this.context, this.report);
      return ON;
    }
    // Lists and subsections may have changed since they were described.
    const isDescribed = phase === "full" && this.checkpoints?.isOpen !== true;
    const state = isDescribed ? this.states.get(deviceKey(section.name, section.instanceId)) : undefined;
    const expected = state && describedSize(state);
    this.part = new StateSection(open, expected, this.maxBody, this.context, this.report);
    return ON;
  }

  /** What a command means for the bytes that follow. */
  private command(start: number, end: number, { cmd, data }: QemuVmCommand): void {
    const { body } = data;
    if (cmd === QemuVmCmd.MIG_CMD_SWITCHOVER_START) this.sawSwitchover = true;
    if (cmd === QemuVmCmd.MIG_CMD_ENABLE_COLO && this.checkpoints === undefined) {
      const detail = "COLO is switched on behind the first section, or in postcopy";
      if (this.numbers.hasBegun || this.ram.traits.postcopy)
        this.fault(qemuFault("constraint", "command.cmd", start, detail));
      this.checkpoints = new Checkpoints(this.report, () => this.numbers.reopenAll());
      this.context.colo = this.checkpoints;
    }
    if (body.case === "migCmdPackaged") {
      if (this.packageEnd !== undefined) {
        this.fault(qemuFault("tag", "command.cmd", start, "a package inside a package"));
        return;
      }
      this.packageEnd = end + body.value.length;
      this.emit({ kind: "package-begin", at: end, size: body.value.length });
    } else if (body.case === "migCmdPostcopyAdvise") {
      const { targetPageSize } = body.value;
      // Without data only dirty bitmaps migrate by postcopy, and the memory does not.
      if (targetPageSize === undefined) return;
      this.ram.traits.postcopy = true;
      this.ram.traits.pageSize ??= Number(targetPageSize);
    }
  }

  private endPackage(start: number): Step {
    const end = this.packageEnd as number;
    if (start > end) {
      const detail = `the last record of the package goes on ${start - end} bytes past its end`;
      this.fault(qemuFault("overrun", "package", end, detail));
    }
    this.packageEnd = undefined;
    this.emit({ kind: "package-end", at: end, size: 0 });
    return ON;
  }

  private over(reader: Reader): Step {
    if (reader.at === reader.end) return more(1);
    const at = reader.base + reader.at;
    this.fault(qemuFault("trailing", "stream", at, "bytes behind the end of the stream"));
    reader.at = reader.end;
    return { kind: "lost", from: at };
  }

  /** What begins at `from` cannot be read: looks for the next record that can. */
  private resync(reader: Reader, from: number): Step {
    const anchor = findAnchor(reader, reader.at, undefined, this.context, undefined, true);
    if (anchor.kind === "wanted") {
      reader.at = anchor.at;
      return more(anchor.bytes);
    }
    if (anchor.kind === "none") {
      reader.at = reader.end;
      if (!this.report.ended) return more(1);
      this.gap(from, reader.base + reader.end);
      return OVER;
    }
    reader.at = anchor.kind === "footer" ? anchor.next : anchor.at;
    this.gap(from, reader.base + reader.at);
    return RECORD;
  }

  private gap(from: number, end: number): void {
    if (end > from) this.emit({ kind: "gap", at: from, size: end - from });
  }

  private fault(fault: Fault): void {
    this.emit({ kind: "fault", fault });
  }

  private emit(event: QemuEvent): void {
    if (event.kind === "section" && event.name === "ram" && event.phase === "end") {
      this.checkpoints?.memory(event.at + event.size);
    }
    if (event.kind === "configuration") {
      const { traits } = this.ram;
      if (event.targetPageBits !== undefined) traits.pageSize = 2 ** event.targetPageBits;
      traits.ignoreShared = event.capabilities.includes("x-ignore-shared");
      traits.mappedRam = event.capabilities.includes("mapped-ram");
    }
    this.listener(event);
  }
}

function isName(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}
