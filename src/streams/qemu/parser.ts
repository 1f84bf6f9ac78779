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
  QemuVmSection,
  type QemuVmSectionHeader,
  readQemuConfigurationCapabilities,
  readQemuConfigurationTargetPageBits,
  readQemuConfigurationUuid,
  readQemuVmFileHeader,
  readQemuVmRecord,
  readQemuVmSubsection,
  scanQemuConfigurationCapabilities,
  scanQemuConfigurationTargetPageBits,
  scanQemuConfigurationUuid,
  scanQemuVmFileHeader,
  scanQemuVmRecord,
  scanQemuVmSubsection,
} from "../../../generated/qemu/stream.js";
import type { Fault, FaultCode, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { Window } from "../window.js";
import { Body } from "./body.js";
import { type Description, describedSize, type StateDescription } from "./description.js";
import type { QemuEvent, SectionBound, SectionPhase } from "./events.js";
import { liveVersion } from "./handlers.js";
import type { StreamContext } from "./plausible.js";
import { RamParser } from "./ram.js";
import { findAnchor } from "./scan.js";

const SCHEMA = "qemu/stream.wire";
/** Of every subsection of the configuration. */
const CONFIGURATION_VERSION = 1;
const DEFAULT_MAX_BODY = 16 << 20;
/** The loader keeps 8 bits of some versions; none in use comes near this. */
const MAX_VERSION = 0xffff;
/** Ids beyond this are an attack on memory. */
const MAX_SECTIONS = 1 << 16;

export interface QemuStreamOptions {
  /** The description, when it was found before the stream is read. */
  readonly description?: Description | undefined;
  /** Bodies and descriptions up to this size are lent to the listener, in bytes. */
  readonly maxBody?: number;
}

interface Section {
  readonly id: number;
  readonly name: string;
  readonly instanceId: number;
  readonly versionId: number;
}

/** The section that is being read. */
interface Open {
  readonly section: Section;
  readonly phase: SectionPhase;
  readonly at: number;
  readonly bodyAt: number;
  /** Some of the body could not be read. */
  damaged: boolean;
  /** Where the first thing ended that looked like the footer, but had nothing readable behind it. */
  passedAt: number | undefined;
  /** Bytes of the body, if the description says so and has not been found wrong. */
  expected: number | undefined;
}

type Mode =
  | "file-header"
  | "record"
  | "configuration"
  | "ram"
  | "ram-resync"
  | "ram-footer"
  | "body"
  | "description"
  | "skip"
  | "resync"
  | "over";

export class QemuStreamParser {
  readonly ram: RamParser;
  private readonly listener: (event: QemuEvent) => void;
  private readonly description: Description | undefined;
  private readonly maxBody: number;
  private readonly window = new Window();
  private readonly body: Body;
  private readonly live = new Map<number, Section>();
  private readonly known = new Map<number, Section>();
  private readonly states: ReadonlyMap<string, StateDescription>;
  private readonly context: { -readonly [K in keyof StreamContext]: StreamContext[K] };
  private mode: Mode = "file-header";
  private ended = false;
  private open: Open | undefined;
  private configuration:
    | {
        at: number;
        machine: string;
        targetPageBits: number | undefined;
        capabilities: string[];
        uuid: Uint8Array | undefined;
      }
    | undefined;
  private descriptionHead = { at: 0, textAt: 0, size: 0 };
  private packageEnd: number | undefined;
  private gapAt = 0;
  private hasLive = false;
  private hasRam = false;
  private sawEof = false;

  constructor(listener: (event: QemuEvent) => void, options: QemuStreamOptions = {}) {
    this.listener = listener;
    this.description = options.description;
    this.maxBody = options.maxBody ?? DEFAULT_MAX_BODY;
    this.body = new Body(this.maxBody);
    this.ram = new RamParser({
      pageSize: this.description?.pageSize,
      ignoreShared: false,
      mappedRam: false,
      postcopy: false,
    });
    this.states = new Map(
      (this.description?.devices ?? []).map((device) => [
        keyOf(device.name, device.instanceId),
        device.state,
      ]),
    );
    this.context = {
      isLive: (id) => this.live.has(id),
      isKnown: (id) => this.known.has(id),
      ended: false,
      packageEnd: undefined,
    };
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. Nothing may be pushed any more. */
  end(): void {
    this.ended = true;
    this.context.ended = true;
    this.window.finish((reader) => this.parse(reader));
  }

  private parse(reader: Reader): number {
    while (true) {
      this.context.packageEnd = this.packageEnd === undefined ? undefined : this.packageEnd - reader.base;
      const wanted = this.step(reader);
      if (wanted > 0) return wanted;
    }
  }

  /** Makes progress and returns 0, or says how many bytes it needs. */
  private step(reader: Reader): number {
    switch (this.mode) {
      case "file-header":
        return this.fileHeader(reader);
      case "record":
        return this.record(reader);
      case "configuration":
        return this.configurationSubsection(reader);
      case "ram":
        return this.ramPart(reader);
      case "ram-resync":
        return this.ramResync(reader);
      case "ram-footer":
        return this.ramFooter(reader);
      case "body":
        return this.sectionBody(reader);
      case "description":
        return this.descriptionText(reader);
      case "skip":
        return this.skipText(reader);
      case "resync":
        return this.resync(reader);
      case "over":
        return this.over(reader);
    }
  }

  private fileHeader(reader: Reader): number {
    const at = reader.at;
    if (!scanQemuVmFileHeader(reader)) {
      const fault = reader.fault as Fault;
      const wanted = this.short(reader, at, fault);
      if (wanted > 0) return wanted;
      if (fault.code === "truncated") return this.cut(reader, fault);
      this.fault(fault);
      return this.lost(reader);
    }
    reader.at = at;
    readQemuVmFileHeader(reader);
    this.emit({ kind: "file-header", at: reader.base + at, size: reader.at - at });
    this.mode = "record";
    return 0;
  }

  private record(reader: Reader): number {
    const at = reader.at;
    const start = reader.base + at;
    if (this.packageEnd !== undefined && start >= this.packageEnd) return this.endPackage(start);
    if (!scanQemuVmRecord(reader)) {
      const fault = reader.fault as Fault;
      const wanted = this.short(reader, at, fault);
      if (wanted > 0) return wanted;
      // A type that no record has is wrong itself, not what stands behind it.
      const named = under(
        "record",
        fault.code === "tag"
          ? { ...fault, path: "type", offset: start, detail: `no record has the type ${fault.detail}` }
          : fault,
      );
      if (fault.code === "truncated") return this.cut(reader, named);
      this.fault(named);
      return this.lost(reader);
    }
    const end = reader.at;
    reader.at = at;
    const { type, head } = readQemuVmRecord(reader);
    switch (head.case) {
      case "start":
      case "full":
        this.openSection(start, reader, head.case, head.value);
        return 0;
      case "part":
      case "end":
        return this.reopen(start, reader, at, head.case, head.value.sectionId);
      case "configuration":
        if (!/^[\x20-\x7e]+$/.test(head.value.name)) {
          this.fault(
            this.wrong("constraint", "configuration.name", start, "no machine type has such a name"),
          );
        }
        this.configuration = {
          at: start,
          machine: head.value.name,
          targetPageBits: undefined,
          capabilities: [],
          uuid: undefined,
        };
        this.mode = "configuration";
        return 0;
      case "command":
        this.emit({
          kind: "command",
          at: start,
          size: end - at,
          command: head.value,
          bytes: reader.bytes.subarray(at, end),
        });
        this.command(start, reader.base + end, head.value);
        return 0;
      case "vmdescription":
        if (!this.sawEof) {
          this.fault(
            this.wrong(
              "missing",
              "record.type",
              start,
              "a description without the end of the stream in front of it",
            ),
          );
        }
        return this.beginDescription(start, reader, head.value.size);
      case "footer":
        this.fault(this.wrong("tag", "record.type", start, "a footer without a section in front of it"));
        reader.at = at;
        return this.lost(reader);
      default:
        if (type === QemuVmSection.QEMU_VM_EOF && this.packageEnd === undefined)
          return this.eof(reader, at, end);
    }
    this.fault(this.wrong("tag", "record.type", start, "not inside a package"));
    reader.at = at;
    return this.lost(reader);
  }

  /** EOF is a zero byte, as is most of what a reader out of step comes upon: what follows must confirm it. */
  private eof(reader: Reader, at: number, end: number): number {
    const next = reader.bytes[end];
    if (end >= reader.end && !this.ended) {
      reader.at = at;
      return end - at + 1;
    }
    const start = reader.base + at;
    if (end < reader.end && next !== QemuVmSection.QEMU_VM_VMDESCRIPTION) {
      this.fault(
        this.wrong(
          "tag",
          "record.type",
          start,
          "EOF, but the input goes on with something else than a description",
        ),
      );
      reader.at = at;
      return this.lost(reader);
    }
    if (!this.hasRam && this.hasLive) {
      this.fault(
        this.wrong("missing", "ram", start, "the stream has live sections, but not that of guest memory"),
      );
    }
    for (const { id, name } of this.live.values()) {
      this.fault(this.wrong("missing", `${name}`, start, `EOF while section ${id} has not ended`));
    }
    this.emit({ kind: "eof", at: start, size: end - at });
    reader.at = end;
    this.sawEof = true;
    this.mode = end < reader.end ? "record" : "over";
    return 0;
  }

  private openSection(
    start: number,
    reader: Reader,
    phase: "start" | "full",
    header: QemuVmSectionHeader,
  ): void {
    const section: Section = {
      id: header.sectionId,
      name: header.idstr.text,
      instanceId: header.instanceId,
      versionId: header.versionId,
    };
    const path = `${section.name}.section_id`;
    if (section.versionId > MAX_VERSION) {
      this.fault(
        this.wrong(
          "constraint",
          `${section.name}.version_id`,
          start,
          `no state has version ${section.versionId}`,
        ),
      );
    }
    const other = this.known.get(section.id);
    if (other !== undefined) {
      // A handler that is live may write a FULL section at the end, under the number it has.
      if (phase === "start" || other.name !== section.name || other.instanceId !== section.instanceId) {
        this.fault(
          this.wrong("constraint", path, start, `${other.name} has the number ${section.id} already`),
        );
      }
    } else if (this.known.size === MAX_SECTIONS) {
      this.fault(this.wrong("limit", path, start, `more than ${MAX_SECTIONS} sections`));
    } else {
      this.known.set(section.id, section);
    }
    if (phase === "start") this.startLive(start, section);
    this.begin(start, reader, phase, section);
  }

  private startLive(start: number, section: Section): void {
    const version = liveVersion(section.name);
    if (version === undefined) {
      this.fault(this.wrong("tag", `${section.name}.idstr`, start, "no live section has this name"));
    } else if (version !== section.versionId) {
      this.fault(
        this.wrong(
          "constraint",
          `${section.name}.version_id`,
          start,
          `version ${section.versionId}, only ${version} is known`,
        ),
      );
    }
    if (this.live.size < MAX_SECTIONS) this.live.set(section.id, section);
    this.hasLive = true;
    if (section.name !== "ram") return;
    this.hasRam = true;
    if (section.instanceId !== 0) {
      this.fault(
        this.wrong("constraint", "ram.instance_id", start, `instance ${section.instanceId}, there is only 0`),
      );
    }
  }

  private reopen(start: number, reader: Reader, at: number, phase: "part" | "end", id: number): number {
    const section = this.live.get(id);
    if (section === undefined) {
      this.fault(this.wrong("constraint", "record.section_id", start, `section ${id} has not been started`));
      reader.at = at;
      return this.lost(reader);
    }
    if (phase === "end") this.live.delete(id);
    this.begin(start, reader, phase, section);
    return 0;
  }

  private begin(start: number, reader: Reader, phase: SectionPhase, section: Section): void {
    const state = phase === "full" ? this.states.get(keyOf(section.name, section.instanceId)) : undefined;
    this.open = {
      section,
      phase,
      at: start,
      bodyAt: reader.base + reader.at,
      damaged: false,
      passedAt: undefined,
      expected: state && describedSize(state),
    };
    this.body.clear();
    if (section.name === "ram" && section.versionId === liveVersion("ram") && phase !== "full") {
      this.ram.begin(phase === "start");
      this.mode = "ram";
    } else {
      this.mode = "body";
    }
  }

  private ramPart(reader: Reader): number {
    const stop = this.ram.read(reader, this.ended);
    if (stop.kind === "done") {
      this.mode = "ram-footer";
      return 0;
    }
    if (stop.kind === "wanted" && !this.ended) return stop.bytes;
    if (stop.kind === "wanted") {
      this.close(reader.base + reader.at, reader.base + reader.at, "none", false);
      return this.cut(reader, stop.lacking);
    }
    this.fault(stop.fault);
    (this.open as Open).damaged = true;
    this.gapAt = reader.base + reader.at;
    this.mode = "ram-resync";
    return 0;
  }

  /** Damage among the pages: the next records that can be read, or the footer, whichever comes first. */
  private ramResync(reader: Reader): number {
    const anchor = findAnchor(reader, reader.at, undefined, this.context);
    const limit = anchor.kind === "none" ? reader.end : anchor.at;
    const found = this.ram.findRecord(reader, limit, this.ended);
    if (found !== undefined) {
      reader.at = found.at;
      if (found.wanted > 0) return found.wanted;
      this.gap(reader.base + reader.at);
      this.ram.recover();
      this.mode = "ram";
      return 0;
    }
    reader.at = limit;
    if (anchor.kind === "wanted") return anchor.bytes;
    if (anchor.kind === "none" && !this.ended) return 1;
    const end = reader.base + limit;
    this.close(end, end, "none", false);
    return this.lostAt(this.gapAt);
  }

  private ramFooter(reader: Reader): number {
    const open = this.open as Open;
    const end = reader.base + reader.at;
    const next = this.footer(reader, reader.at, open.section.id);
    if (next.kind === "wanted") {
      if (!this.ended) return next.bytes;
      this.close(end, end, "self", false);
      return this.cut(
        reader,
        this.wrong(
          "truncated",
          `${open.section.name}.footer`,
          end,
          undefined,
          next.bytes,
          reader.end - reader.at,
        ),
      );
    }
    if (next.kind === "none") {
      this.close(end, end, "self", false);
      this.fault(
        this.wrong(
          "constraint",
          `${open.section.name}.footer`,
          end,
          `no footer of section ${open.section.id}`,
        ),
      );
      return this.lost(reader);
    }
    reader.at = next.next;
    this.close(end, reader.base + reader.at, "self", true);
    this.mode = "record";
    return 0;
  }

  /** A footer of that very section at `at`, whatever may stand behind it. */
  private footer(
    reader: Reader,
    at: number,
    id: number,
  ):
    | { readonly kind: "none" }
    | { readonly kind: "found"; readonly next: number }
    | { readonly kind: "wanted"; readonly bytes: number } {
    const cursor = reader.at;
    reader.at = at;
    const whole = scanQemuVmRecord(reader);
    const next = reader.at;
    const wanted = reader.wanted;
    reader.at = at;
    const head = whole ? readQemuVmRecord(reader).head : undefined;
    reader.at = cursor;
    if (head?.case === "footer" && head.value.sectionId === id) return { kind: "found", next };
    if (whole || reader.fault?.code !== "truncated") return { kind: "none" };
    return reader.bytes[at] === QemuVmSection.QEMU_VM_SECTION_FOOTER || at >= reader.end
      ? { kind: "wanted", bytes: wanted - cursor }
      : { kind: "none" };
  }

  private sectionBody(reader: Reader): number {
    const open = this.open as Open;
    const { expected } = open;
    if (expected !== undefined && expected <= this.maxBody) {
      const found = this.footer(reader, reader.at + expected, open.section.id);
      if (found.kind === "found") {
        this.body.lend(reader, reader.at + expected);
        reader.at = found.next;
        this.close(open.bodyAt + expected, reader.base + found.next, "description", true);
        this.mode = "record";
        return 0;
      }
      if (found.kind === "wanted" && !this.ended) return found.bytes;
      open.expected = undefined;
      if (found.kind === "none" || expected <= reader.end - reader.at) {
        this.fault(
          this.wrong(
            "constraint",
            `${open.section.name}.footer`,
            open.bodyAt + expected,
            `the description gives the state ${expected} bytes, but no footer of section ${open.section.id} is here`,
          ),
        );
      }
    }
    return this.findEnd(reader, open);
  }

  /** Looks for the footer. Falls back on the head of the next section, in case the footer itself is damaged. */
  private findEnd(reader: Reader, open: Open): number {
    const { id, name } = open.section;
    const anchor = findAnchor(reader, reader.at, id, this.context, (next) => {
      open.passedAt ??= reader.base + next;
    });
    // Five bytes of a body are hardly ever the footer of their own section. In the part of a live section, whose length
    // no description confirms later, the search has then run over a damaged record into the next part.
    if (anchor.kind === "footer" && open.phase !== "full" && open.passedAt !== undefined) {
      const detail = `a footer of section ${id} ends here, but no record begins`;
      this.fault(this.wrong("constraint", `${name}.footer`, open.passedAt, detail));
      open.passedAt = undefined;
    }
    if (anchor.kind === "none") {
      this.body.take(reader, reader.end);
      if (!this.ended) return 1;
      const end = reader.base + reader.at;
      this.close(end, end, "none", false);
      return this.cut(
        reader,
        this.wrong(
          "truncated",
          name,
          end,
          `the input ends inside section ${id}, ${end - open.bodyAt} bytes into its body`,
        ),
      );
    }
    this.body.take(reader, anchor.at);
    if (anchor.kind === "wanted") return anchor.bytes;
    const end = reader.base + anchor.at;
    if (anchor.kind === "record") {
      this.close(end, end, "none", false);
      this.fault(
        this.wrong("constraint", `${name}.footer`, end, `no footer of section ${id} before the next record`),
      );
    } else {
      reader.at = anchor.next;
      this.close(end, reader.base + reader.at, "footer", true);
    }
    this.mode = "record";
    return 0;
  }

  private close(bodyEnd: number, end: number, bound: SectionBound, complete: boolean): void {
    const { section, phase, at, bodyAt, damaged } = this.open as Open;
    const isRam = this.mode.startsWith("ram");
    this.open = undefined;
    this.emit({
      kind: "section",
      at,
      size: end - at,
      phase,
      sectionId: section.id,
      name: section.name,
      instanceId: section.instanceId,
      versionId: section.versionId,
      bodyAt,
      bodySize: bodyEnd - bodyAt,
      body: isRam ? undefined : this.body.bytes,
      ram: isRam ? { ...this.ram.counts } : undefined,
      bound,
      complete: complete && !damaged,
    });
    this.body.clear();
  }

  private configurationSubsection(reader: Reader): number {
    const at = reader.at;
    if (at === reader.end && !this.ended) return 1;
    if (reader.bytes[at] !== QemuVmSection.QEMU_VM_SUBSECTION || at === reader.end)
      return this.endConfiguration(reader);
    const inside = scanQemuVmSubsection(reader) && this.skimSubsection(reader, at);
    if (inside === true) {
      reader.at = at;
      this.readSubsection(reader);
      return 0;
    }
    const fault = under("configuration", reader.fault as Fault);
    const wanted = this.short(reader, at, fault);
    if (wanted > 0) return wanted;
    this.endConfiguration(reader);
    if (fault.code === "truncated") return this.cut(reader, fault);
    this.fault(fault);
    return this.lost(reader);
  }

  /** Whether the subsection at `at` is whole and sound; its head has been scanned. */
  private skimSubsection(reader: Reader, at: number): boolean {
    const bodyAt = reader.at;
    reader.at = at;
    const { text } = readQemuVmSubsection(reader).name;
    reader.at = bodyAt;
    switch (text) {
      case "configuration/target-page-bits":
        return scanQemuConfigurationTargetPageBits(reader);
      case "configuration/capabilities":
        return scanQemuConfigurationCapabilities(reader);
      case "configuration/uuid":
        return scanQemuConfigurationUuid(reader);
      default:
        return reader.fail("tag", "", at, SCHEMA, 0, `unknown subsection ${JSON.stringify(text)}`);
    }
  }

  private readSubsection(reader: Reader): void {
    const { configuration } = this;
    if (configuration === undefined) return;
    const start = reader.base + reader.at;
    const { name, versionId } = readQemuVmSubsection(reader);
    if (versionId !== CONFIGURATION_VERSION) {
      this.fault(
        this.wrong(
          "constraint",
          `${name.text}.version_id`,
          start,
          `version ${versionId}, all have ${CONFIGURATION_VERSION}`,
        ),
      );
    }
    switch (name.text) {
      case "configuration/target-page-bits":
        configuration.targetPageBits = readQemuConfigurationTargetPageBits(reader).pageBits;
        this.ram.traits.pageSize = 2 ** configuration.targetPageBits;
        break;
      case "configuration/capabilities":
        configuration.capabilities = readQemuConfigurationCapabilities(reader).capabilities.map(
          ({ text }) => text,
        );
        this.ram.traits.ignoreShared = configuration.capabilities.includes("x-ignore-shared");
        this.ram.traits.mappedRam = configuration.capabilities.includes("mapped-ram");
        break;
      case "configuration/uuid":
        configuration.uuid = readQemuConfigurationUuid(reader).uuid.slice();
        break;
    }
  }

  private endConfiguration(reader: Reader): number {
    if (this.configuration !== undefined) {
      const { at, ...rest } = this.configuration;
      this.emit({ kind: "configuration", at, size: reader.base + reader.at - at, ...rest });
      this.configuration = undefined;
    }
    this.mode = "record";
    return 0;
  }

  /** What a command means for the bytes that follow. */
  private command(start: number, end: number, { cmd, data }: QemuVmCommand): void {
    const { body } = data;
    if (body.case === "migCmdPackaged") {
      if (this.packageEnd !== undefined) {
        this.fault(this.wrong("tag", "command.cmd", start, "a package inside a package"));
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
    } else if (cmd === QemuVmCmd.MIG_CMD_INVALID || cmd > QemuVmCmd.MIG_CMD_SWITCHOVER_START) {
      this.fault(this.wrong("tag", "command.cmd", start, `there is no command ${cmd}`));
    }
  }

  private endPackage(start: number): number {
    const end = this.packageEnd as number;
    if (start > end) {
      this.fault(
        this.wrong(
          "overrun",
          "package",
          end,
          `the last record of the package goes on ${start - end} bytes past its end`,
        ),
      );
    }
    this.packageEnd = undefined;
    this.emit({ kind: "package-end", at: end, size: 0 });
    return 0;
  }

  private beginDescription(start: number, reader: Reader, size: number): number {
    this.descriptionHead = { at: start, textAt: reader.base + reader.at, size };
    if (size > this.maxBody) {
      this.fault(
        this.wrong("limit", "vmdescription.size", start, `${size} bytes, the cap is ${this.maxBody}`),
      );
      this.mode = "skip";
    } else {
      this.mode = "description";
    }
    return 0;
  }

  private descriptionText(reader: Reader): number {
    const { at, textAt, size } = this.descriptionHead;
    const had = reader.end - reader.at;
    if (had < size) {
      if (!this.ended) return size;
      reader.at = reader.end;
      this.emit({ kind: "description", at, size: textAt - at + had, textAt, text: undefined });
      return this.cut(reader, this.wrong("truncated", "vmdescription.text", textAt, undefined, size, had));
    }
    this.emit({ kind: "description", at, size: textAt - at + size, textAt, text: reader.slice(size) });
    this.mode = "over";
    return 0;
  }

  private skipText(reader: Reader): number {
    const { at, textAt, size } = this.descriptionHead;
    const end = textAt + size;
    reader.at = Math.min(reader.end, end - reader.base);
    if (reader.base + reader.at < end) {
      if (!this.ended) return 1;
      return this.cut(
        reader,
        this.wrong(
          "truncated",
          "vmdescription.text",
          textAt,
          undefined,
          size,
          reader.base + reader.at - textAt,
        ),
      );
    }
    this.emit({ kind: "description", at, size: textAt - at + size, textAt, text: undefined });
    this.mode = "over";
    return 0;
  }

  private over(reader: Reader): number {
    if (reader.at < reader.end) {
      const at = reader.base + reader.at;
      this.fault(this.wrong("trailing", "stream", at, "bytes behind the end of the stream"));
      this.gapAt = at;
      reader.at = reader.end;
      this.mode = "resync";
    }
    return 1;
  }

  /** The record at the cursor cannot be read: looks for the next that can. */
  private lost(reader: Reader): number {
    return this.lostAt(reader.base + reader.at);
  }

  private lostAt(at: number): number {
    this.gapAt = at;
    this.mode = "resync";
    return 0;
  }

  private resync(reader: Reader): number {
    const anchor = findAnchor(reader, reader.at, undefined, this.context);
    if (anchor.kind === "wanted") {
      reader.at = anchor.at;
      return anchor.bytes;
    }
    if (anchor.kind === "none") {
      reader.at = reader.end;
      if (this.ended) this.gap(reader.base + reader.end);
      if (this.ended) this.mode = "over";
      return 1;
    }
    reader.at = anchor.kind === "footer" ? anchor.next : anchor.at;
    this.gap(reader.base + reader.at);
    this.mode = "record";
    return 0;
  }

  private gap(end: number): void {
    if (end > this.gapAt) this.emit({ kind: "gap", at: this.gapAt, size: end - this.gapAt });
  }

  /** After a scan that failed: puts the cursor back, and says how many bytes to wait for, or 0 when waiting is no use. */
  private short(reader: Reader, at: number, fault: Fault): number {
    const wanted = reader.wanted - at;
    reader.at = at;
    return fault.code === "truncated" && !this.ended ? wanted : 0;
  }

  /** The input ends too early. */
  private cut(reader: Reader, fault: Fault): number {
    this.fault(fault);
    reader.at = reader.end;
    this.mode = "over";
    return 1;
  }

  private wrong(
    code: FaultCode,
    path: string,
    at: number,
    detail: string | undefined,
    need?: number,
    had?: number,
  ): Fault {
    return streamFault(SCHEMA, code, path, at, detail, need, had);
  }

  private fault(fault: Fault): void {
    this.listener({ kind: "fault", fault });
  }

  private emit(event: QemuEvent): void {
    this.listener(event);
  }
}

function keyOf(name: string, instanceId: number): string {
  return `${instanceId} ${name}`;
}
