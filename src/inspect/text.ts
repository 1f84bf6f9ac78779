/** Writes an inspection for people: a summary of at most forty lines, then, when asked for, every record with its fields. */
import type { Fault } from "../runtime/index.js";
import { describeFault } from "./fault-text.js";
import { sectionOf, setFlags } from "./flags.js";
import type { Node } from "./node.js";
import {
  type CaptureRecord,
  hex,
  printable,
  type Scalar,
  type Sink,
  type Summary,
  type Table,
} from "./report.js";
import { digitsOf, numberText, quotedText, SHOWN_BYTES } from "./values.js";

export interface TextOptions {
  readonly colour: boolean;
  /** 0: the summary. 1: records and their fields. 2: also types, sizes, reserved and derived fields, whole byte strings. */
  readonly verbosity: number;
  /** What the capture is called in the first line. */
  readonly name: string;
}

const SUMMARY_LINES = 40;
/** Elements in a row that are zero, or alike, are shown up to this many, less one. */
const SHOWN_ALIKE = 4;
/** Faults that the summary shows; the rest are counted. */
const SHOWN_FAULTS = 5;
/** Records without fields of their own that are kept for the listing; a long migration has one for every iteration. */
const MAX_RECORDS = 20_000;

type Write = (text: string) => void;

/** Keeps what the listing needs, because the summary stands in front of it. */
export class TextRenderer implements Sink {
  private readonly options: TextOptions;
  private readonly records: CaptureRecord[] = [];
  private dropped = 0;

  constructor(options: TextOptions) {
    this.options = options;
  }

  record(record: CaptureRecord): void {
    if (this.options.verbosity === 0) return;
    if (this.records.length < MAX_RECORDS) this.records.push(record);
    else this.dropped++;
  }

  /** Writes everything. */
  finish(summary: Summary, write: Write): void {
    for (const line of this.summaryLines(summary)) write(`${line}\n`);
    if (this.options.verbosity === 0) return;
    // A checkpoint has no bytes of its own, and is a heading to what it begins with.
    const records = this.records.sort((a, b) => a.at - b.at || a.size - b.size);
    for (const record of records) this.writeRecord(record, write);
    if (this.dropped > 0) write(`\n${this.dropped} more records (use --format jsonl to see all)\n`);
  }

  private summaryLines(summary: Summary): string[] {
    const head = [`${this.bold(this.options.name)}: ${summary.title}, ${grouped(summary.size)} bytes`];
    const labels = [...summary.facts.map(({ label }) => label), "verdict"];
    const width = Math.max(...labels.map((label) => label.length));
    for (const { label, value, text } of summary.facts) {
      head.push(`${label.padEnd(width)}  ${shortened(printable(text ?? plain(value)))}`);
    }
    const foot = summary.notes.slice(0, 4).map((note) => `${"note".padEnd(width)}  ${printable(note)}`);
    const verdict = summary.faultCount === 0 ? this.green(summary.verdict) : this.red(summary.verdict);
    foot.push(`${"verdict".padEnd(width)}  ${verdict}`);
    if (summary.faultCount > 1) foot.push(...this.faultLines(summary));
    const room = SUMMARY_LINES - head.length - foot.length;
    return [...head, ...this.tableLines(summary.tables, room), "", ...foot];
  }

  private faultLines(summary: Summary): string[] {
    const shown = [...summary.faults].sort((a, b) => a.offset - b.offset).slice(0, SHOWN_FAULTS);
    const lines = shown.map((fault) => `  ${hex(fault.offset)}  ${describeFault(fault)}`);
    const more = summary.faultCount - shown.length;
    if (more > 0) lines.push(`  and ${more} more`);
    return lines;
  }

  /** Shares the room: small tables whole, the rest to the large ones. Two lines of each are blank line and heading. */
  private tableLines(tables: readonly Table[], room: number): string[] {
    const bySize = [...tables].sort((a, b) => a.rows.length - b.rows.length);
    const rooms = new Map<Table, number>();
    let left = room - 1;
    bySize.forEach((table, i) => {
      const share = Math.floor(left / (bySize.length - i));
      const used = Math.min(share, table.rows.length + 2);
      rooms.set(table, used);
      left -= used;
    });
    return tables.flatMap((table) => this.tableText(table, (rooms.get(table) ?? 0) - 2));
  }

  private tableText(table: Table, room: number): string[] {
    const all = table.rows.map((_, index) => index);
    const kept =
      all.length <= room
        ? all
        : [...all]
            .sort((a, b) => (table.weights[b] ?? 0) - (table.weights[a] ?? 0) || a - b)
            .slice(0, Math.max(0, room - 1))
            .sort((a, b) => a - b);
    const cells = kept.map((index) =>
      (table.rows[index] ?? []).map(({ value, text }) => printable(text ?? plain(value))),
    );
    const widths = table.columns.map(({ label }, i) =>
      Math.max(label.length, ...cells.map((row) => row[i]?.length ?? 0)),
    );
    const line = (texts: readonly string[]): string =>
      texts
        .map((text, i) =>
          table.columns[i]?.right ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0),
        )
        .join("  ")
        .trimEnd();
    const lines = ["", this.dim(line(table.columns.map(({ label }) => label))), ...cells.map(line)];
    const dropped = all.filter((index) => !kept.includes(index));
    if (dropped.length > 0) {
      lines.push(
        this.dim(
          shortened(
            `${dropped.length} more: ${dropped.map((index) => printable(table.briefs[index] ?? "")).join(", ")}`,
          ),
        ),
      );
    }
    return lines;
  }

  private writeRecord(record: CaptureRecord, write: Write): void {
    const attributes = Object.entries(record.attributes)
      .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
      .map(([key, value]) => `${key} ${value === undefined ? "" : plain(value)}`)
      .join(", ");
    write(
      `\n${this.place(record.at)} ${this.bold(`${record.record} ${printable(record.name)}`)} ${this.dim(`(${grouped(record.size)} bytes) ${attributes}`)}\n`,
    );
    for (const fault of record.faults) this.writeFault(fault, 1, write);
    for (const node of record.fields ?? []) this.writeNode(node, 1, write);
  }

  private writeNode(node: Node, depth: number, write: Write): void {
    const { verbosity } = this.options;
    const hidden = node.role === "reserved" || node.role === "derived" || node.role === "constant";
    if (hidden && verbosity < 2 && node.faults === undefined && isDull(node)) return;
    const name = node.index < 0 ? printable(node.name) : `[${node.index}]`;
    const type = verbosity < 2 ? "" : ` ${this.dim(`${printable(node.type)}, ${node.size} bytes`)}`;
    const bits =
      node.bit === undefined ? "" : this.dim(` bits ${node.bit}..${node.bit + (node.width ?? 1) - 1}`);
    const value = node.children === undefined ? ` ${this.valueText(node)}` : "";
    const doc = verbosity < 2 || node.doc === undefined ? "" : this.dim(`  // ${printable(node.doc)}`);
    write(`${this.place(node.at)} ${"  ".repeat(depth)}${name}${type}${bits}${value}${doc}\n`);
    if (verbosity >= 2) this.writeFlags(node, depth + 1, write);
    this.writeChildren(node.children ?? [], depth + 1, write);
    for (const fault of node.faults ?? []) this.writeFault(fault, depth + 1, write);
  }

  /** The flags of a mask, a line each, with the section that defines them. */
  private writeFlags({ at, value, flags }: Node, depth: number, write: Write): void {
    if (flags === undefined || (typeof value !== "number" && typeof value !== "bigint")) return;
    const set = setFlags(value, flags);
    const width = Math.max(...set.map(({ name }) => name?.length ?? 0));
    for (const { bit, name, source } of set) {
      const text = `bit ${String(bit).padEnd(3)} ${(name ?? "unknown").padEnd(width)}  ${this.dim(sectionOf(source))}`;
      write(`${this.place(at)} ${"  ".repeat(depth)}${text.trimEnd()}\n`);
    }
  }

  /**
   * Arrays of a fixed size are mostly empty, and what is empty is not always zero: a run of elements that are all zero, or
   * all like the one before them, is one line.
   */
  private writeChildren(children: readonly Node[], depth: number, write: Write): void {
    for (let i = 0; i < children.length; ) {
      const child = children[i] as Node;
      const zeros = this.options.verbosity < 2 ? zeroRun(children, i) : 0;
      if (zeros >= SHOWN_ALIKE) {
        this.writeRun(child, zeros, "all zero", depth, write);
        i += zeros;
        continue;
      }
      this.writeNode(child, depth, write);
      i++;
      const alike = this.options.verbosity < 2 ? runLike(child, children, i) : 0;
      if (alike < SHOWN_ALIKE) continue;
      this.writeRun(children[i] as Node, alike, `all as [${child.index}]`, depth, write);
      i += alike;
    }
  }

  private writeRun(first: Node, count: number, what: string, depth: number, write: Write): void {
    const range = `[${first.index}..${first.index + count - 1}]`;
    const text = this.dim(`${grouped(count)} elements, ${what}`);
    write(`${this.place(first.at)} ${"  ".repeat(depth)}${range} ${text}\n`);
  }

  private valueText(node: Node): string {
    const { value } = node;
    if (value === undefined) return "";
    const unit = node.unit === undefined ? "" : ` ${this.dim(node.unit)}`;
    const meaning = node.meaning === undefined ? "" : ` ${this.green(printable(node.meaning))}`;
    if (typeof value === "string") return quotedText(value);
    if (value instanceof Uint8Array) return this.bytesText(value);
    return `${numberText(value)}${unit}${meaning}`;
  }

  private bytesText(bytes: Uint8Array): string {
    if (bytes.length > 4 && bytes.every((byte) => byte === 0)) return this.dim(`${bytes.length} zero bytes`);
    if (this.options.verbosity >= 2 || bytes.length <= SHOWN_BYTES) return digitsOf(bytes, bytes.length);
    return `${digitsOf(bytes, SHOWN_BYTES)} … ${this.dim(`(${bytes.length} bytes)`)}`;
  }

  private writeFault(fault: Fault, depth: number, write: Write): void {
    write(`${this.place(fault.offset)} ${"  ".repeat(depth)}${this.red(describeFault(fault))}\n`);
  }

  private place(at: number): string {
    return this.dim(hex(at).padStart(10));
  }

  private bold(text: string): string {
    return this.styled("1", "22", text);
  }

  private dim(text: string): string {
    return this.styled("2", "22", text);
  }

  private green(text: string): string {
    return this.styled("32", "39", text);
  }

  private red(text: string): string {
    return this.styled("31", "39", text);
  }

  private styled(on: string, off: string, text: string): string {
    return this.options.colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  }
}

/** How many elements of an array from index `from` on are all zero. */
function zeroRun(nodes: readonly Node[], from: number): number {
  let run = 0;
  for (let node = nodes[from]; node !== undefined && node.index >= 0 && isZero(node); ) {
    run++;
    node = nodes[from + run];
  }
  return run;
}

/** How many elements of an array from index `from` on say the same as `model`, the one before them. */
function runLike(model: Node, nodes: readonly Node[], from: number): number {
  if (model.index < 0) return 0;
  let run = 0;
  for (let node = nodes[from]; node !== undefined && node.index >= 0 && isAlike(model, node); ) {
    run++;
    node = nodes[from + run];
  }
  return run;
}

function isAlike(a: Node, b: Node): boolean {
  if (a.faults !== undefined || b.faults !== undefined) return false;
  if (a.value instanceof Uint8Array) {
    const { value } = a;
    return (
      b.value instanceof Uint8Array &&
      b.value.length === value.length &&
      b.value.every((byte, i) => byte === value[i])
    );
  }
  if (a.value !== b.value || a.children?.length !== b.children?.length) return false;
  return a.children?.every((child, i) => isAlike(child, b.children?.[i] as Node)) ?? true;
}

function isZero(node: Node): boolean {
  if (node.faults !== undefined) return false;
  if (node.children !== undefined) return node.children.every(isZero);
  const { value } = node;
  return value === 0 || value === 0n || (value instanceof Uint8Array && value.every((byte) => byte === 0));
}

/** Whether a reserved, derived or constant field says nothing that its surroundings do not say. */
function isDull(node: Node): boolean {
  const { value } = node;
  return (
    node.role !== "reserved" ||
    value === 0 ||
    value === 0n ||
    (value instanceof Uint8Array && value.every((byte) => byte === 0))
  );
}

function plain(value: Scalar | readonly Scalar[] | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "object") return value.map(String).map(printable).join(", ");
  return printable(String(value));
}

function shortened(text: string): string {
  const LIMIT = 160;
  return text.length <= LIMIT ? text : `${text.slice(0, LIMIT - 1)}…`;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
}
