/** An annotated dump: every byte of a range stands beside the field that it belongs to, or beside a dot when no field has it. */
import { eachLeaf, type Leaf } from "./leaves.js";
import { printPath } from "./path.js";
import { type ByteRange, isRange, Match, type Pattern, parsePattern, parseRange } from "./pattern.js";
import type { CaptureRecord, Sink } from "./report.js";
import { valueText } from "./values.js";

export interface DumpRange {
  readonly from: number;
  readonly to: number;
}

/** Bytes that a bare offset shows. */
const DEFAULT_SIZE = 256;
/** Ranges and fields that are kept: a dump is for looking at. */
const MAX_RANGES = 1000;
const MAX_FIELDS = 100_000;

/** Finds out which bytes a path names, and what is known of them. */
export class DumpPlan implements Sink {
  readonly ranges: DumpRange[] = [];
  private readonly patterns: readonly Pattern[];
  private readonly asked: readonly DumpRange[];
  private readonly fields: Leaf[] = [];

  /** Throws `PathError`. */
  constructor(texts: readonly string[]) {
    this.patterns = texts.filter((text) => !isRange(text)).map(parsePattern);
    this.asked = texts.filter(isRange).map((text) => ranged(parseRange(text)));
    this.ranges.push(...this.asked);
  }

  record(record: CaptureRecord): void {
    const inside = this.asked.some(({ from, to }) => record.at < to && from < record.at + record.size);
    const named = this.named(record);
    for (const range of named) if (this.ranges.length < MAX_RANGES) this.ranges.push(range);
    const wanted = inside ? [...named, ...this.asked] : named;
    if (wanted.length === 0) return;
    eachLeaf(record, undefined, (leaf) => {
      const { at, size } = leaf;
      if (at === undefined || size === undefined || this.fields.length === MAX_FIELDS) return;
      if (wanted.some(({ from, to }) => at < to && from < at + size)) this.fields.push(leaf);
    });
  }

  /** Those that have a byte of the range, in the order of the bytes. */
  fieldsOf({ from, to }: DumpRange): Leaf[] {
    return this.fields
      .filter(({ at = 0, size = 0 }) => at < to && from < at + size)
      .sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  }

  private named(record: CaptureRecord): DumpRange[] {
    if (this.patterns.length === 0) return [];
    let match = Match.start(this.patterns);
    for (const step of record.path) {
      match = match.next(step);
      if (match.isOver) return [];
      if (match.accepted.length > 0) return [{ from: record.at, to: record.at + record.size }];
    }
    const ranges: DumpRange[] = [];
    eachLeaf(record, Match.start(this.patterns), ({ at, size }) => {
      if (at === undefined || size === undefined || size === 0) return;
      const last = ranges[ranges.length - 1];
      // Fields of one struct follow one another: they are one range.
      if (last !== undefined && at <= last.to && at >= last.from)
        ranges[ranges.length - 1] = { from: last.from, to: Math.max(last.to, at + size) };
      else ranges.push({ from: at, to: at + size });
    });
    return ranges;
  }
}

function ranged({ from, to = from + DEFAULT_SIZE }: ByteRange): DumpRange {
  return { from, to };
}

/** The lines of a range whose bytes are `bytes`; `width` of them stand in a line. */
export function* dumpLines(
  range: DumpRange,
  bytes: Uint8Array,
  fields: readonly Leaf[],
  width: number,
): Generator<string> {
  const end = range.from + bytes.length;
  const digits = Math.max(8, end.toString(16).length);
  const rows = (from: number, to: number, said: string): Generator<string> =>
    rowsOf(bytes.subarray(from - range.from, to - range.from), from, width, digits, said);
  let at = range.from;
  for (const leaf of fields) {
    const from = Math.max(range.from, leaf.at ?? 0);
    const to = Math.min(end, (leaf.at ?? 0) + (leaf.size ?? 0));
    if (from > at) yield* rows(at, from, ".");
    // Bit fields share their bytes: only the first of them shows them.
    yield* rows(Math.max(at, from), Math.max(at, to), saidOf(leaf));
    at = Math.max(at, to);
  }
  if (at < end) yield* rows(at, end, ".");
}

function saidOf({ path, value, node }: Leaf): string {
  const isText = value instanceof Uint8Array;
  const what = value === undefined || isText ? "" : ` = ${valueText(value, node?.meaning, undefined)}`;
  return `${printPath(path)}${what}`;
}

function* rowsOf(
  bytes: Uint8Array,
  from: number,
  width: number,
  digits: number,
  said: string,
): Generator<string> {
  let previous: string | undefined;
  let elided = false;
  for (let at = 0; at < Math.max(1, bytes.length); at += width) {
    const row = bytes.subarray(at, at + width);
    const text = hexOf(row).padEnd(width * 3 - 1);
    const isLast = at + width >= bytes.length;
    if (text === previous && !isLast) {
      if (!elided) yield "*";
      elided = true;
      continue;
    }
    elided = false;
    previous = text;
    const address = (from + at).toString(16).padStart(digits, "0");
    yield `${address}  ${text}  |${asciiOf(row).padEnd(width)}|  ${at === 0 ? said : ""}`.trimEnd();
  }
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function asciiOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
}

/** What stands above the lines of a range where there are several. */
export function rangeTitle({ from, to }: DumpRange): string {
  return `@0x${from.toString(16)}..0x${to.toString(16)}, ${to - from} bytes`;
}
