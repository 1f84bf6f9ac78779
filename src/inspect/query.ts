/** Picks values out of a capture: those that patterns match, and those that stand in a range of bytes. */
import { eachLeaf, type Leaf } from "./leaves.js";
import { fieldsOf } from "./lent-fields.js";
import type { Node } from "./node.js";
import { type Path, printPath, Siblings } from "./path.js";
import {
  type ByteRange,
  isRange,
  Match,
  type Pattern,
  parsePattern,
  parseRange,
  printPattern,
} from "./pattern.js";
import { type CaptureRecord, printable, type Sink } from "./report.js";

/** Names that a hint lists. */
const MAX_HINTS = 12;

export class Query implements Sink {
  /** How many values were found. */
  found = 0;
  private readonly visit: (leaf: Leaf) => void;
  private readonly patterns: readonly Pattern[];
  private readonly ranges: readonly ByteRange[];
  /** The place where a pattern led furthest, and what is there instead. */
  private nearest: { readonly depth: number; readonly text: string } | undefined;

  /** Throws `PathError` when a path cannot be understood. */
  constructor(texts: readonly string[], visit: (leaf: Leaf) => void) {
    this.patterns = texts.filter((text) => !isRange(text)).map(parsePattern);
    this.ranges = texts.filter(isRange).map(parseRange);
    this.visit = visit;
  }

  record(lending: CaptureRecord): void {
    const start = Match.start(this.patterns);
    const { ranges } = this;
    const isNamed = leadsTo(start, lending.path);
    const isTouched = ranges.some((range) => overlaps(range, lending));
    if (!isNamed && !isTouched) return;
    // One tree for all that follows: its nodes are compared.
    const record = { ...lending, fields: fieldsOf(lending), lent: undefined };
    const before = this.found;
    const named = new Set<Node>();
    if (isNamed) {
      eachLeaf(record, start, (leaf) => {
        if (leaf.node !== undefined) named.add(leaf.node);
        this.find(leaf);
      });
      if (this.found === 0) this.approach(record, start);
    }
    if (!isTouched) return;
    eachLeaf(record, undefined, (leaf) => {
      const isNew = leaf.node !== undefined && !named.has(leaf.node);
      if (isNew && ranges.some((range) => overlaps(range, leaf))) this.find(leaf);
    });
    // Nothing smaller is known of these bytes.
    if (this.found === before) {
      const { path, at, size } = record;
      this.find({ path, value: undefined, node: undefined, at, size });
    }
  }

  /** Why nothing was found. */
  get miss(): string {
    const what = [...this.patterns.map(printPattern), ...this.ranges.map(rangeText)].join(", ");
    const hint = this.nearest === undefined ? "" : `; ${this.nearest.text}`;
    return `no value matches ${what}${hint}`;
  }

  private find(leaf: Leaf): void {
    this.found++;
    this.visit(leaf);
  }

  private approach(record: CaptureRecord, start: Match): void {
    let match = start;
    for (const step of record.path) match = match.next(step);
    const names = [...(record.fields ?? []).map(({ name }) => name), ...Object.keys(record.attributes)];
    this.remember(record.path.length, printPath(record.path), names);
    this.descend(record.fields ?? [], undefined, match, printPath(record.path), record.path.length);
  }

  private descend(
    nodes: readonly Node[],
    parent: Node | undefined,
    outer: Match,
    base: string,
    depth: number,
  ): void {
    const siblings = new Siblings(parent);
    for (const node of nodes) {
      const steps = siblings.steps(node);
      let match = outer;
      for (const step of steps) match = match.next(step);
      if (match.isOver) continue;
      const text = printPath(steps);
      const path = `${base}${text.startsWith("[") ? "" : "."}${text}`;
      const children = node.children ?? [];
      const names = children.map(({ name, index }) => (index < 0 ? name : `[${index}]`));
      this.remember(depth + steps.length, path, names);
      this.descend(children, node, match, path, depth + steps.length);
    }
  }

  private remember(depth: number, path: string, names: readonly string[]): void {
    if (this.nearest !== undefined && this.nearest.depth >= depth) return;
    const shown = [...new Set(names)].slice(0, MAX_HINTS).map(printable).join(", ");
    const more = names.length > MAX_HINTS ? ", …" : "";
    this.nearest = { depth, text: names.length === 0 ? `${path} is a value` : `${path} has ${shown}${more}` };
  }
}

/** Whether a pattern matches something at the path, above it or below it. */
function leadsTo(start: Match, path: Path): boolean {
  let match = start;
  for (const step of path) {
    if (match.accepted.length > 0) return true;
    match = match.next(step);
    if (match.isOver) return false;
  }
  return !match.isOver;
}

function overlaps(
  { from, to = from + 1 }: ByteRange,
  { at, size }: { readonly at: number | undefined; readonly size: number | undefined },
): boolean {
  return at !== undefined && size !== undefined && at < to && from < at + size;
}

function rangeText({ from, to }: ByteRange): string {
  return to === undefined ? `@0x${from.toString(16)}` : `@0x${from.toString(16)}..0x${to.toString(16)}`;
}
