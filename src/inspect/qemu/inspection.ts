/** Inspects a QEMU migration stream: turns what the parser finds into records, and tells at the end what it was. */
import { QemuVmCmd, walkQemuVmRecord } from "../../../generated/qemu/stream.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { streamFault } from "../../streams/faults.js";
import { readDescription } from "../../streams/qemu/description.js";
import type {
  CommandEvent,
  ConfigurationEvent,
  DescriptionEvent,
  EofEvent,
  QemuEvent,
  SectionEvent,
} from "../../streams/qemu/events.js";
import { QemuStreamParser } from "../../streams/qemu/parser.js";
import type { StreamBefore } from "../../streams/qemu/resumed.js";
import { placed } from "../fault-place.js";
import { verdictOf } from "../fault-text.js";
import type { CaptureInspection, InspectOptions } from "../inspection.js";
import { CAPTURE_TITLES } from "../kinds.js";
import { TreeBuilder } from "../node.js";
import { elementPath, member, type Path } from "../path.js";
import { type CaptureRecord, hex, type Sink, type Summary } from "../report.js";
import { Borrowed } from "./borrowed.js";
import { CheckpointRows } from "./checkpoints.js";
import { type DeviceReport, Devices } from "./devices.js";
import { streamFacts } from "./facts.js";
import { StreamFaults } from "./faults.js";
import { readLive } from "./live.js";
import { ramAttributes, ramTable } from "./memory.js";
import { commandName, uuidText } from "./names.js";
import { OrderedSink } from "./order.js";
import { SectionRows } from "./rows.js";
import { VirtioRows } from "./virtio-rows.js";

const SCHEMA = "qemu/stream.wire";
const MAX_NOTES = 20;

export class QemuInspection implements CaptureInspection {
  private readonly parser: QemuStreamParser;
  private readonly options: InspectOptions;
  private readonly isResumed: boolean;
  private readonly sink: OrderedSink;
  private readonly withFields: boolean;
  private readonly devices: Devices;
  private readonly borrowed: Borrowed | undefined;
  private readonly faults = new StreamFaults();
  private readonly rows = new SectionRows();
  private readonly virtio = new VirtioRows();
  private readonly checkpoints = new CheckpointRows();
  private readonly commands = new Map<number, number>();
  private readonly notes: string[] = [];
  private readonly records = { commands: 0, packages: 0, gaps: 0 };
  private configuration: ConfigurationEvent | undefined;
  private misfits: readonly string[] = [];
  private isEnding = false;
  private size = 0;
  private flushes = 0;
  private readonly seen = { end: false, description: false, package: false, background: false };

  /** `isResumed`: the stream goes on after a break. */
  constructor(sink: Sink, options: InspectOptions, isResumed = false) {
    this.options = options;
    this.isResumed = isResumed;
    this.sink = new OrderedSink(sink);
    this.withFields = options.withFields;
    this.borrowed = options.borrowed && new Borrowed(options.borrowed);
    const mode = options.withFields ? (options.lendsFields ? "lent" : "kept") : "checked";
    this.devices = new Devices(mode, (device) => this.device(device), this.borrowed);
    if (options.description !== undefined) this.devices.describe(options.description);
    this.parser = new QemuStreamParser((event) => this.take(event), {
      description: options.description,
      origin: options.origin,
      resumed: isResumed ? (options.before ?? "unknown") : undefined,
    });
    if (options.before !== undefined) this.devices.machine = options.before.machine;
  }

  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.parser.push(chunk);
  }

  skip(limit: number): number {
    const skipped = this.parser.skip(limit);
    this.size += skipped;
    return skipped;
  }

  handOver(): StreamBefore {
    return { ...this.parser.handOver(), machine: this.devices.machine };
  }

  end(): Summary {
    this.isEnding = true;
    this.parser.end();
    if (this.options.breaksOff === true) this.judgeBreak();
    this.release();
    if (this.borrowed !== undefined) this.tellBorrowed(this.borrowed);
    this.misfits = this.devices.misfits();
    this.notes.push(...this.misfits);
    this.checkWhole();
    return this.summary();
  }

  private take(event: QemuEvent): void {
    switch (event.kind) {
      case "file-header":
        this.plain("file-header", "QEVM", [member("file-header")], event);
        break;
      case "configuration":
        this.configuration = event;
        this.devices.machine = event.machine;
        this.plain("configuration", event.machine, [member("configuration")], event, {
          machine: event.machine,
          target_page_bits: event.targetPageBits,
          capabilities: event.capabilities,
          uuid: event.uuid && uuidText(event.uuid),
        });
        break;
      case "command":
        this.command(event);
        break;
      case "package-begin":
        this.seen.package = true;
        this.plain(event.kind, "package", elementPath("packages", this.records.packages++), event);
        break;
      case "package-end":
        this.plain(
          event.kind,
          "package",
          [...elementPath("packages", this.records.packages - 1), member("end")],
          event,
        );
        break;
      case "section":
        this.section(event);
        break;
      case "eof":
        this.eof(event);
        break;
      case "description":
        this.description(event);
        break;
      case "gap":
        this.plain("gap", "unreadable", elementPath("gaps", this.records.gaps++), event);
        break;
      case "checkpoint-begin":
        // No description follows any more.
        this.release();
        this.checkpoints.begin(event);
        break;
      case "checkpoint-end":
        this.putGiven(this.checkpoints.end(event));
        break;
      case "colo-message":
        this.putGiven(this.checkpoints.message(event, this.withFields));
        break;
      case "fault":
        this.fault(event.fault);
        break;
    }
  }

  private eof(event: EofEvent): void {
    const path = this.checkpoints.eofPath();
    this.plain("eof", "QEMU_VM_EOF", path ?? [member("eof")], event);
    if (path !== undefined) return;
    this.seen.end = true;
    this.seen.background = event.background;
  }

  private fault(fault: Fault): void {
    // What a break cuts off comes again.
    if (this.isEnding && this.options.breaksOff === true && fault.code === "truncated") return;
    this.checkpoints.blame();
    // What is wrong with a checkpoint as a whole has its place already.
    const isSum = fault.path.endsWith(".state_size");
    if (fault.path.startsWith("checkpoints["))
      this.faults.addPlaced(isSum ? this.checkpoints.blameSum(fault) : fault);
    else if (
      fault.code === "truncated" &&
      fault.path.startsWith("record") &&
      this.checkpoints.path !== undefined
    )
      this.faults.addPlaced(placed(fault, "", { path: this.checkpoints.path }));
    else this.faults.add(fault);
  }

  private putGiven(record: CaptureRecord | undefined): void {
    if (record !== undefined) this.put(record);
  }

  private release(): void {
    this.devices.release();
    this.sink.flush();
  }

  private put(record: CaptureRecord): void {
    this.faults.pass(record);
    this.sink.record(record, this.devices.isWaiting);
  }

  /** A record without fields. */
  private plain(
    record: string,
    name: string,
    path: Path,
    { at, size }: { readonly at: number; readonly size: number },
    attributes: CaptureRecord["attributes"] = {},
  ): void {
    this.put({ record, name, path, at, size, attributes, fields: undefined, faults: [] });
  }

  private command(event: CommandEvent): void {
    const { cmd, data } = event.command;
    this.commands.set(cmd, (this.commands.get(cmd) ?? 0) + 1);
    if (cmd === QemuVmCmd.MIG_CMD_ENABLE_COLO) this.checkpoints.isExpected = true;
    const tree = this.withFields ? new TreeBuilder(event.at) : undefined;
    if (tree !== undefined) walkQemuVmRecord(new Reader(event.bytes, { base: event.at }), tree);
    this.put({
      record: "command",
      name: commandName(cmd),
      path: elementPath("commands", this.records.commands++),
      at: event.at,
      size: event.size,
      attributes: { cmd, value: data.body.case === "migCmdPing" ? data.body.value.value : undefined },
      fields: tree?.roots,
      faults: [],
    });
  }

  private section(event: SectionEvent): void {
    if (this.isResumed && this.rows.sections === 0) this.checkResumed(event);
    const again = this.checkpoints.section(event);
    const row = again ?? this.rows.count(event);
    this.flushes += event.ram?.flushes ?? 0;
    if (event.phase === "full" && again !== undefined) {
      this.devices.takeAgain(event, row, () => this.checkpoints.misfit(event, row.path));
    } else if (event.phase === "full") this.devices.take(event, row);
    else {
      const path = [...row.path, ...elementPath("parts", row.parts - 1)];
      const { fields, faults = [] } = readLive(event, path, this.withFields) ?? {};
      row.faults += faults.length;
      this.blame(faults);
      this.put(sectionRecord(event, path, fields, faults));
    }
  }

  private device({ event, row, fields, lent, faults, note, virtio }: DeviceReport): void {
    row.faults += faults.length;
    this.blame(faults);
    // Of what is sent again and again, the table tells once.
    if (virtio !== undefined && this.checkpoints.path === undefined) this.virtio.add(event, virtio);
    if (note !== undefined && this.notes.length < MAX_NOTES) this.notes.push(note);
    const record = { ...sectionRecord(event, row.path, fields, faults), lent };
    this.faults.pass(record);
    this.sink.late(record);
  }

  private blame(faults: readonly Fault[]): void {
    for (const fault of faults) {
      this.checkpoints.blame();
      this.faults.addPlaced(fault);
    }
  }

  private description(event: DescriptionEvent): void {
    this.seen.description = true;
    const { text } = event;
    if (text === undefined) return;
    const { description, problem } = readDescription(text);
    if (problem !== undefined) {
      this.faults.add(
        streamFault(SCHEMA, "constraint", "vmdescription", event.textAt + problem.at, problem.detail),
      );
    } else {
      this.devices.describe(description);
    }
    this.plain("description", "vmdescription", [member("description")], event, {
      devices: description?.devices.length,
      page_size: description?.pageSize,
    });
    this.release();
    this.checkDescription(event.at);
  }

  /** Whether stream and description tell of the same devices and pages. */
  private checkDescription(at: number): void {
    const { description } = this.devices;
    if (description === undefined) return;
    for (const fault of this.devices.missing(at)) this.faults.addPlaced(fault);
    const pageSize = this.pageSizes().find((size) => size !== description.pageSize);
    if (pageSize !== undefined) {
      const detail = `${description.pageSize}, but the pages of the stream have ${pageSize} bytes`;
      this.faults.addPlaced(streamFault(SCHEMA, "constraint", "description.page_size", at, detail));
    }
  }

  private tellBorrowed(borrowed: Borrowed): void {
    if (this.devices.description === undefined) this.notes.push(...borrowed.notes());
    else this.notes.push(`the stream describes its devices itself: ${borrowed.from} is not used`);
  }

  /**
   * What the stream says of each block's pages. The header of a mapped-ram block goes before what was known beforehand:
   * its bitmap is laid out by it, and else its damage would show only where the description comes last.
   */
  private pageSizes(): number[] {
    const { traits, blocks } = this.parser.ram;
    return [...blocks.values()].flatMap(({ mapped }) => mapped?.pageSize ?? traits.pageSize ?? []);
  }

  private checkWhole(): void {
    if (this.faults.list.count > 0 || !this.seen.end) return;
    const { ram } = this.parser;
    if (!this.seen.description) this.judgeWithoutDescription();
    if (this.seen.background) {
      this.notes.push("no live section ends, as in a background snapshot: that none was lost cannot be told");
    }
    const pages = [...ram.blocks.values()].some(
      ({ pages: counts }) => counts.normal + counts.zero + counts.xbzrle > 0,
    );
    if (this.flushes > 0 && !pages)
      this.notes.push("the pages went through multifd channels: they are not in this stream");
  }

  /** The source asks which pages have come, and says that it goes on, before it does. */
  private checkResumed({ at, name }: SectionEvent): void {
    if (this.commands.has(QemuVmCmd.MIG_CMD_POSTCOPY_RESUME)) return;
    const detail = "the stream goes on without MIG_CMD_POSTCOPY_RESUME in front of its first section";
    this.faults.add(streamFault(SCHEMA, "missing", name, at, detail));
  }

  private judgeBreak(): void {
    const { seen, isResumed } = this;
    if (!(seen.package || isResumed)) {
      const detail = "the connection breaks before postcopy has begun: nothing can be taken up again";
      this.faults.addPlaced(streamFault(SCHEMA, "truncated", "stream", this.size, detail));
    } else if (!seen.end) {
      this.notes.push(
        `the connection broke at ${hex(this.size)}: what was not whole came again in the next stream`,
      );
    }
  }

  /** Every machine type that writes a configuration writes a description, but for what it leaves out after postcopy. */
  private judgeWithoutDescription(): void {
    if (this.isResumed) return;
    if (this.seen.package) {
      this.notes.push(`a postcopy stream carries no description: ${this.readable}`);
    } else if (this.configuration === undefined) {
      this.notes.push(`no description follows: ${this.readable}, sizes of the others not checked`);
    } else {
      const detail = this.checkpoints.isExpected
        ? "no description stands behind the migration, where QEMU writes that of all devices"
        : "the input ends behind EOF, where QEMU writes the description of all devices";
      this.faults.add(streamFault(SCHEMA, "truncated", "vmdescription", this.size, detail));
    }
  }

  private get readable(): string {
    return this.borrowed === undefined
      ? "only virtio devices can be read"
      : "virtio devices can be read, and what the borrowed one fits";
  }

  private get soundVerdict(): string {
    if (this.options.breaksOff === true && !this.seen.end) {
      return "broken off: every byte up to the break is accounted for";
    }
    const isClean = this.seen.description && !this.seen.background && this.misfits.length === 0;
    return isClean
      ? "clean: every byte is accounted for, and every device agrees with the description"
      : "complete: every byte is accounted for";
  }

  private summary(): Summary {
    const faults = this.faults.list;
    const kind = this.isResumed ? "qemu-resumed" : "qemu-stream";
    if (this.isResumed && this.options.before === undefined) {
      this.notes.push("the stream before the break is not here: blocks of memory are taken as they come");
    }
    return {
      kind,
      title: CAPTURE_TITLES[kind],
      size: this.size,
      facts: [
        ...streamFacts({
          configuration: this.configuration,
          isResumed: this.isResumed,
          pageSize:
            this.pageSizes()[0] ?? this.parser.ram.traits.pageSize ?? this.devices.description?.pageSize,
          commands: this.commands,
          borrowed: this.devices.description === undefined ? this.borrowed?.from : undefined,
          sections: this.rows.sections,
        }),
        ...this.checkpoints.facts(),
      ],
      tables: [
        this.rows.table(),
        this.virtio.table(),
        ramTable(this.parser.ram.blocks.values()),
        this.checkpoints.table(),
      ].filter((table) => table.rows.length > 0),
      notes: this.notes,
      faults: faults.faults,
      faultCount: faults.count,
      verdict: verdictOf(faults, this.soundVerdict),
    };
  }
}

function sectionRecord(
  event: SectionEvent,
  path: Path,
  fields: CaptureRecord["fields"],
  faults: CaptureRecord["faults"],
): CaptureRecord {
  const opens = event.phase === "start" || event.phase === "full";
  return {
    record: "section",
    name: event.name,
    path,
    at: event.at,
    size: event.size,
    attributes: {
      phase: event.phase,
      section_id: event.sectionId,
      instance_id: opens ? event.instanceId : undefined,
      version_id: opens ? event.versionId : undefined,
      body_offset: event.bodyAt,
      body_size: event.bodySize,
      ...(event.ram === undefined ? {} : ramAttributes(event.ram)),
      ...(event.complete ? {} : { complete: false }),
    },
    fields,
    faults,
  };
}
