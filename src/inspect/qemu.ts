/** Inspects a QEMU migration stream: what it holds, whether its parts fit together, and the fields of its devices. */
import { QemuVmCmd, walkQemuVmRecord } from "../../generated/qemu/stream.js";
import { type Fault, Reader } from "../runtime/index.js";
import { streamFault } from "../streams/faults.js";
import {
  type Description,
  describedSize,
  readDescription,
  type StateDescription,
} from "../streams/qemu/description.js";
import type {
  CommandEvent,
  ConfigurationEvent,
  DescriptionEvent,
  QemuEvent,
  SectionEvent,
} from "../streams/qemu/events.js";
import { QemuStreamParser } from "../streams/qemu/parser.js";
import type { RamBlock, RamCounts } from "../streams/qemu/ram.js";
import { walkState } from "../streams/qemu/state.js";
import type { CaptureInspection, InspectOptions } from "./inspection.js";
import { CAPTURE_TITLES } from "./kinds.js";
import { FaultCollector, TreeBuilder } from "./node.js";
import {
  type Cell,
  type Fact,
  FaultList,
  hex,
  type Scalar,
  type Sink,
  type Summary,
  type Table,
  verdictOf,
} from "./report.js";

const SCHEMA = "qemu/stream.wire";
/** Sections that the summary can tell of, and that can wait: no machine has so many, but a hostile file may. */
const MAX_ROWS = 1 << 16;
/** Bodies that wait for a description at the end of the stream are kept up to this many bytes together. */
const MAX_WAITING = 64 << 20;

/** One row of the summary: a section with all its parts. */
interface Row {
  readonly id: number;
  readonly name: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly at: number;
  size: number;
  parts: number;
  complete: boolean;
  faults: number;
}

/** A device whose state has not been checked against the description yet. */
interface Waiting {
  readonly event: SectionEvent;
  readonly body: Uint8Array | undefined;
  readonly row: Row;
}

export class QemuInspection implements CaptureInspection {
  private readonly parser: QemuStreamParser;
  private readonly sink: Sink;
  private readonly withFields: boolean;
  private readonly faults = new FaultList();
  private readonly rows: Row[] = [];
  private readonly latest = new Map<number, Row>();
  private readonly commands = new Map<number, number>();
  private readonly notes: string[] = [];
  private readonly described = new Set<string>();
  private waiting: Waiting[] = [];
  private waitingBytes = 0;
  private states: Map<string, StateDescription> | undefined;
  private description: Description | undefined;
  private configuration: ConfigurationEvent | undefined;
  private size = 0;
  private flushes = 0;
  private readonly seen = { end: false, description: false, package: false };

  constructor(sink: Sink, options: InspectOptions) {
    this.sink = sink;
    this.withFields = options.withFields;
    if (options.description !== undefined) this.describe(options.description);
    this.parser = new QemuStreamParser((event) => this.take(event), { description: options.description });
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  end(): Summary {
    this.parser.end();
    for (const { event, body, row } of this.waiting) this.device(event, body, row);
    this.waiting = [];
    this.checkWhole();
    return this.summary();
  }

  private take(event: QemuEvent): void {
    switch (event.kind) {
      case "file-header":
        this.sink.record({
          record: "file-header",
          name: "QEVM",
          at: event.at,
          size: event.size,
          attributes: {},
          fields: undefined,
          faults: [],
        });
        break;
      case "configuration":
        this.configuration = event;
        this.sink.record({
          record: "configuration",
          name: event.machine,
          at: event.at,
          size: event.size,
          attributes: {
            target_page_bits: event.targetPageBits,
            capabilities: event.capabilities,
            uuid: event.uuid && uuidText(event.uuid),
          },
          fields: undefined,
          faults: [],
        });
        break;
      case "command":
        this.command(event);
        break;
      case "package-begin":
      case "package-end":
        this.seen.package = true;
        this.sink.record({
          record: event.kind,
          name: "package",
          at: event.at,
          size: event.size,
          attributes: {},
          fields: undefined,
          faults: [],
        });
        break;
      case "section":
        this.section(event);
        break;
      case "eof":
        this.seen.end = true;
        this.sink.record({
          record: "eof",
          name: "QEMU_VM_EOF",
          at: event.at,
          size: event.size,
          attributes: {},
          fields: undefined,
          faults: [],
        });
        break;
      case "description":
        this.descriptionText(event);
        break;
      case "gap":
        this.sink.record({
          record: "gap",
          name: "unreadable",
          at: event.at,
          size: event.size,
          attributes: {},
          fields: undefined,
          faults: [],
        });
        break;
      case "fault":
        this.faults.add(event.fault);
        break;
    }
  }

  private command(event: CommandEvent): void {
    const { cmd } = event.command;
    this.commands.set(cmd, (this.commands.get(cmd) ?? 0) + 1);
    const tree = this.withFields ? new TreeBuilder(event.at) : undefined;
    if (tree !== undefined) walkQemuVmRecord(new Reader(event.bytes, { base: event.at }), tree);
    this.sink.record({
      record: "command",
      name: commandName(cmd),
      at: event.at,
      size: event.size,
      attributes: { cmd },
      fields: tree?.roots,
      faults: [],
    });
  }

  private section(event: SectionEvent): void {
    const row = this.rowOf(event);
    row.size += event.size;
    row.parts++;
    row.complete = row.complete && event.complete;
    this.flushes += event.ram?.flushes ?? 0;
    const isDevice = event.phase === "full";
    if (isDevice && this.states === undefined && this.waiting.length < MAX_ROWS) {
      this.wait(event, row);
      return;
    }
    if (isDevice) {
      this.device(event, event.body, row);
      return;
    }
    this.report(event, undefined, []);
  }

  private rowOf(event: SectionEvent): Row {
    const known = this.latest.get(event.sectionId);
    if (known !== undefined && (event.phase === "part" || event.phase === "end")) return known;
    const row: Row = {
      id: event.sectionId,
      name: event.name,
      instanceId: event.instanceId,
      versionId: event.versionId,
      at: event.at,
      size: 0,
      parts: 0,
      complete: true,
      faults: 0,
    };
    if (this.rows.length < MAX_ROWS) this.rows.push(row);
    this.latest.set(event.sectionId, row);
    return row;
  }

  /** Keeps what the fields will be read from once the description is known. */
  private wait(event: SectionEvent, row: Row): void {
    const { body } = event;
    const kept =
      body !== undefined && this.waitingBytes + body.length <= MAX_WAITING ? body.slice() : undefined;
    this.waitingBytes += kept?.length ?? 0;
    this.waiting.push({ event: { ...event, body: undefined }, body: kept, row });
  }

  /** Checks a device against its description, and reports it with its fields. */
  private device(event: SectionEvent, body: Uint8Array | undefined, row: Row): void {
    const faults: Fault[] = [];
    const state = this.states?.get(keyOf(event.name, event.instanceId));
    let fields: TreeBuilder["roots"] | undefined;
    if (this.states !== undefined && state === undefined) {
      faults.push(
        streamFault(
          SCHEMA,
          "missing",
          event.name,
          event.at,
          `the description has no device ${event.name}, instance ${event.instanceId}`,
        ),
      );
    } else if (state !== undefined) {
      this.described.add(keyOf(event.name, event.instanceId));
      if (state.version !== undefined && state.version !== event.versionId) {
        faults.push(
          streamFault(
            SCHEMA,
            "constraint",
            `${event.name}.version_id`,
            event.at,
            `version ${event.versionId}, described as ${state.version}`,
          ),
        );
      }
      if (body === undefined) this.checkSize(event, state, faults);
      else fields = this.fieldsOf(event, body, state, faults);
    }
    row.faults += faults.length;
    for (const fault of faults) this.faults.add(fault);
    this.report(event, fields, faults);
  }

  private fieldsOf(
    event: SectionEvent,
    body: Uint8Array,
    state: StateDescription,
    faults: Fault[],
  ): TreeBuilder["roots"] | undefined {
    const reader = new Reader(body, { base: event.bodyAt });
    const visitor = this.withFields ? new TreeBuilder(event.bodyAt) : new FaultCollector();
    const readable = walkState(reader, state, visitor, event.name);
    faults.push(...visitor.faults);
    if (readable && reader.at !== reader.end && event.bound !== "none") {
      const left = reader.end - reader.at;
      faults.push(
        streamFault(
          SCHEMA,
          "trailing",
          event.name,
          event.bodyAt + reader.at,
          `${left} bytes more than its fields take`,
        ),
      );
    }
    return visitor instanceof TreeBuilder ? visitor.roots : undefined;
  }

  private checkSize(event: SectionEvent, state: StateDescription, faults: Fault[]): void {
    const size = describedSize(state);
    if (size === event.bodySize) {
      this.note(`${event.name} is too large (${event.bodySize} bytes) for its fields to be read`);
    } else {
      faults.push(
        streamFault(
          SCHEMA,
          "constraint",
          event.name,
          event.bodyAt,
          `a state of ${event.bodySize} bytes, described as ${size}`,
        ),
      );
    }
  }

  private report(
    event: SectionEvent,
    fields: TreeBuilder["roots"] | undefined,
    faults: readonly Fault[],
  ): void {
    this.sink.record({
      record: "section",
      name: event.name,
      at: event.at,
      size: event.size,
      attributes: {
        phase: event.phase,
        section_id: event.sectionId,
        instance_id: event.phase === "start" || event.phase === "full" ? event.instanceId : undefined,
        version_id: event.phase === "start" || event.phase === "full" ? event.versionId : undefined,
        body_offset: event.bodyAt,
        body_size: event.bodySize,
        ...(event.ram === undefined ? {} : ramAttributes(event.ram)),
        ...(event.complete ? {} : { complete: false }),
      },
      fields,
      faults,
    });
  }

  private descriptionText(event: DescriptionEvent): void {
    this.seen.description = true;
    const { text } = event;
    if (text === undefined) return;
    const { description, problem } = readDescription(text);
    if (problem !== undefined) {
      this.faults.add(
        streamFault(SCHEMA, "constraint", "vmdescription", event.textAt + problem.at, problem.detail),
      );
    } else if (this.description === undefined) {
      this.describe(description);
    }
    this.sink.record({
      record: "description",
      name: "vmdescription",
      at: event.at,
      size: event.size,
      attributes: { devices: description?.devices.length, page_size: description?.pageSize },
      fields: undefined,
      faults: [],
    });
    for (const { event: section, body, row } of this.waiting) this.device(section, body, row);
    this.waiting = [];
    this.checkDescription(event.at);
  }

  private describe(description: Description): void {
    this.description = description;
    this.states = new Map(
      description.devices.map((device) => [keyOf(device.name, device.instanceId), device.state]),
    );
  }

  /** What the description promises, and the stream did not bring. */
  private checkDescription(at: number): void {
    const { description } = this;
    if (description === undefined) return;
    for (const { name, instanceId } of description.devices) {
      if (!this.described.has(keyOf(name, instanceId))) {
        this.faults.add(
          streamFault(
            SCHEMA,
            "missing",
            name,
            at,
            `the description has a device ${name}, instance ${instanceId}, the stream has not`,
          ),
        );
      }
    }
    const { pageSize } = this.parser.ram.traits;
    if (pageSize !== undefined && this.parser.ram.blocks.size > 0 && pageSize !== description.pageSize) {
      this.faults.add(
        streamFault(
          SCHEMA,
          "constraint",
          "vmdescription.page_size",
          at,
          `${description.pageSize}, but the pages of the stream have ${pageSize} bytes`,
        ),
      );
    }
  }

  private checkWhole(): void {
    if (this.faults.count > 0 || !this.seen.end) return;
    const { ram } = this.parser;
    if (!this.seen.description) {
      this.notes.push(
        this.seen.package
          ? "a postcopy stream carries no description: fields of devices cannot be read"
          : "no description follows: fields of devices cannot be read, their sizes not checked",
      );
    }
    const pages = [...ram.blocks.values()].some(
      ({ pages: counts }) => counts.normal + counts.zero + counts.xbzrle > 0,
    );
    if (this.flushes > 0 && !pages)
      this.notes.push("the pages went through multifd channels: they are not in this stream");
  }

  private note(text: string): void {
    if (this.notes.length < 20) this.notes.push(text);
  }

  private summary(): Summary {
    const { faults } = this;
    const clean = this.seen.description
      ? "clean: every byte is accounted for, and every device agrees with the description"
      : "complete: every byte is accounted for";
    return {
      kind: "qemu-stream",
      title: CAPTURE_TITLES["qemu-stream"],
      size: this.size,
      facts: this.facts(),
      tables: [this.sectionTable(), this.ramTable()].filter((table) => table.rows.length > 0),
      notes: this.notes,
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(faults, clean),
    };
  }

  private facts(): Fact[] {
    const facts: Fact[] = [];
    const { configuration } = this;
    if (configuration !== undefined) {
      facts.push({ key: "machine", label: "machine", value: configuration.machine });
    }
    const pageSize = this.parser.ram.traits.pageSize ?? this.description?.pageSize;
    if (pageSize !== undefined) facts.push({ key: "page_size", label: "page size", value: pageSize });
    facts.push({
      key: "capabilities",
      label: "capabilities",
      value: configuration?.capabilities ?? [],
      text: configuration?.capabilities.join(", ") || "none that both sides must agree on",
    });
    if (configuration?.uuid !== undefined) {
      facts.push({ key: "uuid", label: "uuid", value: uuidText(configuration.uuid) });
    }
    if (this.commands.size > 0) {
      const names = [...this.commands].map(
        ([cmd, count]) => `${commandName(cmd)}${count > 1 ? ` ×${count}` : ""}`,
      );
      facts.push({ key: "commands", label: "commands", value: names, text: names.join(", ") });
    }
    const devices = this.rows.filter((row) => row.parts > 0).length;
    facts.push({ key: "sections", label: "sections", value: devices });
    return facts;
  }

  private sectionTable(): Table {
    return {
      key: "sections",
      title: "sections",
      columns: [
        { key: "offset", label: "offset", right: true },
        { key: "size", label: "size", right: true },
        { key: "version", label: "version", right: true },
        { key: "name", label: "name" },
      ],
      rows: this.rows.map((row) => [
        { value: row.at, text: hex(row.at) },
        { value: row.size },
        { value: row.versionId },
        { value: row.name, text: `${row.name}${this.distinction(row)}` },
      ]),
      weights: this.rows.map((row) =>
        row.faults > 0 || !row.complete ? Number.POSITIVE_INFINITY : weightOf(row),
      ),
      briefs: this.rows.map(({ name }) => name),
    };
  }

  private distinction(row: Row): string {
    const parts = row.parts > 1 ? ` (${row.parts} parts)` : "";
    const damage = row.complete ? (row.faults > 0 ? " (damaged)" : "") : " (incomplete)";
    return `${row.instanceId === 0 ? "" : ` #${row.instanceId}`}${parts}${damage}`;
  }

  private ramTable(): Table {
    const blocks = [...this.parser.ram.blocks.values()];
    const withXbzrle = blocks.some((block) => block.pages.xbzrle > 0);
    return {
      key: "ram",
      title: "guest memory",
      columns: [
        { key: "size", label: "bytes", right: true },
        { key: "normal", label: "pages", right: true },
        { key: "zero", label: "zero", right: true },
        ...(withXbzrle ? [{ key: "xbzrle", label: "xbzrle", right: true }] : []),
        { key: "name", label: "block" },
      ],
      rows: blocks.map((block) => ramRow(block, withXbzrle)),
      weights: blocks.map((block) => block.usedLength),
      briefs: blocks.map(({ name }) => name),
    };
  }
}

function ramRow(block: RamBlock, withXbzrle: boolean): Cell[] {
  const { normal, zero, xbzrle } = block.pages;
  return [
    { value: block.usedLength },
    { value: normal },
    { value: zero },
    ...(withXbzrle ? [{ value: xbzrle }] : []),
    { value: block.name },
  ];
}

function ramAttributes(counts: RamCounts): Record<string, Scalar> {
  return {
    normal_pages: counts.normal,
    zero_pages: counts.zero,
    ...(counts.xbzrle > 0 ? { xbzrle_pages: counts.xbzrle, xbzrle_bytes: counts.xbzrleBytes } : {}),
    ...(counts.flushes > 0 ? { multifd_flushes: counts.flushes } : {}),
  };
}

/** Memory and virtio first, then by size. */
function weightOf(row: Row): number {
  if (row.name === "ram") return Number.MAX_SAFE_INTEGER;
  return row.size + (/virtio|vhost|vfio/.test(row.name) ? 2 ** 40 : 0);
}

const COMMAND_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(QemuVmCmd).map(([name, value]) => [Number(value), name]),
);

function commandName(cmd: number): string {
  return COMMAND_NAMES.get(cmd) ?? `command ${cmd}`;
}

function uuidText(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function keyOf(name: string, instanceId: number): string {
  return `${instanceId} ${name}`;
}
