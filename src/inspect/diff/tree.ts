/**
 * What is compared of a capture: its values, in a tree by their paths. Records of a list stand in it by name and by how
 * many of that name come before, so that one more in front does not make all others differ. Of memory there are counters
 * only, so that the tree takes no more room than the devices do.
 */
import { eachLeaf, type Leaf } from "../leaves.js";
import { fieldsOf } from "../lent-fields.js";
import { member, type Path, printPath, type Step } from "../path.js";
import type { Pattern } from "../pattern.js";
import type { CaptureRecord, Cell, Sink, Summary } from "../report.js";
import { blockPath, isUnder } from "./block-path.js";

/** More values than the devices of any machine have; a hostile file may have more than fit into memory. */
const MAX_VALUES = 4_000_000;

/** Attributes that say where and when, not what. */
const PLACES = new Set([
  "phase",
  "section_id",
  "instance_id",
  "body_offset",
  "index",
  "record",
  "t",
  "answers",
]);

export interface Branch {
  /** As the capture calls it; of a branch of a list that is not its place in the other capture. */
  readonly path: Path;
  leaf: Leaf | undefined;
  /** The record whose values are below. */
  readonly record: Pick<CaptureRecord, "name" | "at" | "size"> | undefined;
  readonly branches: Map<string, Branch>;
}

export class ValueTree implements Sink {
  readonly root: Branch = branchAt([], undefined);
  /** There was more than can be compared. */
  overflow = false;
  private readonly ignored: readonly Pattern[];
  private readonly counts = new Map<string, number>();
  private size = 0;

  constructor(ignored: readonly Pattern[]) {
    this.ignored = ignored;
  }

  record(record: CaptureRecord): void {
    const { phase } = record.attributes;
    // Iterations come and go with time; the summary has what they amount to.
    if (phase === "part" || phase === "end") return;
    const path = phase === "start" ? record.path.slice(0, 2) : record.path;
    if (isUnder(path, this.ignored)) return;
    const last = path[path.length - 1];
    const inList = last?.kind === "index";
    const { attributes } = record;
    const name = `${record.name}${attributes["reply"] === true ? " reply" : ""}`;
    const keys = path.map((step, i) =>
      inList && i === path.length - 1 ? this.keyOf(path, name) : keyOf(step),
    );
    const base = this.at(keys, path, record);
    const fields = fieldsOf(record);
    const hasFields = fields !== undefined && fields.length > 0;
    const compared = Object.entries(attributes).filter(
      ([key]) => !PLACES.has(key) && !(hasFields && key === "body_size"),
    );
    const whole = { ...record, path, fields, lent: undefined, attributes: Object.fromEntries(compared) };
    eachLeaf(phase === "start" ? { ...whole, attributes: versionOf(record) } : whole, undefined, (leaf) =>
      this.add(base, path.length, leaf),
    );
  }

  /** The counters of memory, which only the summary has. */
  finish(summary: Summary): void {
    const table = summary.tables.find(({ key }) => key === "ram");
    if (table === undefined) return;
    const nameAt = table.columns.findIndex(({ key }) => key === "name");
    for (const row of table.rows) {
      const block = String(row[nameAt]?.value ?? "");
      table.columns.forEach(({ key }, i) => {
        if (i !== nameAt) this.counter(block, key, row[i]);
      });
    }
  }

  private counter(block: string, key: string, cell: Cell | undefined): void {
    const path: Path = [...blockPath(block), member(key)];
    if (cell?.value === undefined) return;
    this.add(this.root, 0, { path, value: cell.value, node: undefined, at: undefined, size: undefined });
  }

  private add(base: Branch, depth: number, leaf: Leaf): void {
    if (isUnder(leaf.path, this.ignored)) return;
    if (this.size === MAX_VALUES) {
      this.overflow = true;
      return;
    }
    this.size++;
    let branch = base;
    for (let i = depth; i < leaf.path.length; i++) {
      const step = leaf.path[i];
      if (step === undefined) break;
      branch = next(branch, keyOf(step), leaf.path.slice(0, i + 1), undefined);
    }
    branch.leaf = leaf;
  }

  private at(keys: readonly string[], path: Path, record: CaptureRecord): Branch {
    let branch = this.root;
    keys.forEach((key, i) => {
      const isLast = i === keys.length - 1;
      branch = next(branch, key, path.slice(0, i + 1), isLast ? record : undefined);
    });
    return branch;
  }

  private keyOf(path: Path, name: string): string {
    const list = `${printPath(path.slice(0, -1))} ${name}`;
    const count = this.counts.get(list) ?? 0;
    this.counts.set(list, count + 1);
    return `${name}#${count}`;
  }
}

function branchAt(path: Path, record: Branch["record"]): Branch {
  // Not the record itself: its fields would be kept with it.
  const kept = record && { name: record.name, at: record.at, size: record.size };
  return { path, leaf: undefined, record: kept, branches: new Map() };
}

function next(branch: Branch, key: string, path: Path, record: Branch["record"]): Branch {
  const known = branch.branches.get(key);
  if (known !== undefined) return known;
  const made = branchAt(path, record);
  branch.branches.set(key, made);
  return made;
}

/** Names and indices of one place never get in each other's way. */
function keyOf(step: Step): string {
  return step.kind === "index" ? `[${step.index}]` : `${step.name}#${step.number}`;
}

function versionOf({ attributes }: CaptureRecord): CaptureRecord["attributes"] {
  return { version_id: attributes["version_id"] };
}
