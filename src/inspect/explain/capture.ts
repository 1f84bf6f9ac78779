/** What explanations look up in a capture: its sections with their fields, its memory blocks, its damage. */
import type { Fault } from "../../runtime/index.js";
import type { Node } from "../node.js";
import type { Path } from "../path.js";
import type { CaptureRecord, Scalar, Sink, Summary } from "../report.js";

export interface Section {
  readonly path: Path;
  readonly name: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly id: number;
  readonly at: number;
  readonly size: number;
  readonly bodySize: number;
  readonly fields: readonly Node[];
}

interface Block {
  readonly name: string;
  readonly size: number;
}

export interface Capture {
  /** What it is called on the command line. */
  readonly name: string;
  readonly machine: string | undefined;
  readonly configurationAt: number;
  readonly capabilities: readonly Scalar[];
  readonly pageSize: number | undefined;
  /** Those that open a live section or are one piece, in the order of the stream. */
  readonly sections: readonly Section[];
  readonly blocks: readonly Block[];
  /** In the order of their offsets. */
  readonly faults: readonly Fault[];
  readonly verdict: string;
}

/** Fields of sections are kept as long as these take no more bytes in the stream; a tree takes a multiple. */
const MAX_FIELD_BYTES = 8 << 20;
const MAX_SECTIONS = 1 << 16;

/** Takes the records of one inspection. */
export class CaptureCollector implements Sink {
  private readonly name: string;
  private readonly sections: Section[] = [];
  private machine: string | undefined;
  private configurationAt = 0;
  private capabilities: readonly Scalar[] = [];
  private bytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  record(record: CaptureRecord): void {
    if (record.record === "configuration") this.configuration(record);
    else if (record.record === "section") this.section(record);
  }

  finish(summary: Summary): Capture {
    const pageSize = summary.facts.find(({ key }) => key === "page_size")?.value;
    return {
      name: this.name,
      machine: this.machine,
      configurationAt: this.configurationAt,
      capabilities: this.capabilities,
      pageSize: typeof pageSize === "number" ? pageSize : undefined,
      sections: this.sections.sort((a, b) => a.at - b.at),
      blocks: blocksOf(summary),
      faults: [...summary.faults].sort((a, b) => a.offset - b.offset),
      verdict: summary.verdict,
    };
  }

  private configuration({ name, at, attributes }: CaptureRecord): void {
    const { capabilities } = attributes;
    this.machine = name;
    this.configurationAt = at;
    this.capabilities = Array.isArray(capabilities) ? (capabilities as readonly Scalar[]) : [];
  }

  private section({ name, at, size, attributes, fields, path }: CaptureRecord): void {
    const { phase, instance_id, version_id, section_id, body_size } = attributes;
    if ((phase !== "start" && phase !== "full") || this.sections.length === MAX_SECTIONS) return;
    const bodySize = Number(body_size);
    const isKept = fields !== undefined && this.bytes + bodySize <= MAX_FIELD_BYTES;
    if (isKept) this.bytes += bodySize;
    this.sections.push({
      path,
      name,
      instanceId: Number(instance_id),
      versionId: Number(version_id),
      id: Number(section_id),
      at,
      size,
      bodySize,
      fields: isKept ? fields : [],
    });
  }
}

function blocksOf(summary: Summary): Block[] {
  const table = summary.tables.find(({ key }) => key === "ram");
  if (table === undefined) return [];
  const name = table.columns.findIndex(({ key }) => key === "name");
  const size = table.columns.findIndex(({ key }) => key === "size");
  return table.rows.map((row) => ({
    name: String(row[name]?.value ?? ""),
    size: Number(row[size]?.value ?? 0),
  }));
}
