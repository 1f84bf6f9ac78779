/**
 * Whether a reader understands a message as its writer meant it. Names may change and things may be added; what both
 * versions know must be the same.
 */
import type { Field, FieldType, Struct, SwitchNode } from "../schema/ir.js";
import { allFields, allNodes, innermost } from "../schema/structure.js";
import { meaningIn } from "./meaning.js";
import { isChoice, type Leaf, type Reading } from "./reading.js";

export interface Disagreement {
  readonly kind: "refused" | "value" | "meaning" | "missing" | "surplus" | "length";
  /** Of the member, in the names of the version that reports it. Empty for the message as a whole. */
  readonly path: string;
  readonly offset: number;
  /** E.g. `the reader refuses mode: enum`. */
  readonly text: string;
  /** What the values or faults involved are called. */
  readonly names: readonly string[];
  /** The code of the fault with which the reader refuses. */
  readonly code: string | undefined;
}

/** Every disagreement, in the order of the bytes. */
export function disagreements(
  writer: Struct,
  written: Reading,
  reader: Struct,
  read: Reading,
): readonly Disagreement[] {
  const { fault } = read;
  if (fault !== undefined) {
    const { code, path, offset } = fault;
    const text = `the reader refuses it: ${code} at ${path || "the value"}, offset ${offset}`;
    return [{ kind: "refused", path, offset, text, names: [], code }];
  }
  const found: Disagreement[] = [];
  const ofReader = byPath(read.leaves);
  const ofWriter = byPath(written.leaves);
  for (const leaf of written.leaves) {
    const other = ofReader.get(leaf.path);
    if (other !== undefined) found.push(...compared(leaf, other, writer, reader));
    else if (!leaf.opaque && placeOf(reader, leaf.path) !== undefined) found.push(missing(leaf));
  }
  for (const leaf of read.leaves) {
    if (leaf.opaque || ofWriter.has(leaf.path) || placeOf(writer, leaf.path) === undefined) continue;
    found.push(surplus(leaf));
  }
  if (read.size !== written.size && !isGrowth(written, read, reader)) {
    const text = `the reader takes ${read.size} bytes, the writer wrote ${written.size}`;
    const offset = Math.min(read.size, written.size);
    found.push({ kind: "length", path: "", offset, text, names: [], code: undefined });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

/** What the writer added behind all that the reader knows, as `optional` members: readers take what they know. */
function isGrowth(written: Reading, read: Reading, reader: Struct): boolean {
  return written.leaves.every(
    ({ at, size, path, optional }) =>
      at + size <= read.size || (at >= read.size && optional && placeOf(reader, path) === undefined),
  );
}

function compared(leaf: Leaf, other: Leaf, writer: Struct, reader: Struct): Disagreement[] {
  const { path, at: offset } = leaf;
  const chosen = isChoice(leaf.value) || isChoice(other.value);
  if (!chosen && (leaf.opaque || other.opaque)) return [];
  if (!chosen && isOther(leaf, other)) {
    const text = `${path} is ${shown(leaf)} to the writer, ${shown(other)} to the reader`;
    return [{ kind: "value", path, offset, text, names: [...leaf.names, ...other.names], code: undefined }];
  }
  const isKnown = (name: string): boolean => hasName(writer, path, name) && hasName(reader, path, name);
  const names = [
    ...leaf.names.filter((name) => !other.names.includes(name)),
    ...other.names.filter((name) => !leaf.names.includes(name)),
  ];
  // A name that only one version has may be another name for the same thing.
  if (!names.some(isKnown)) return [];
  const called = ({ names: list }: Leaf): string =>
    list.length === 0 ? "nothing in particular" : list.join(" | ");
  const value = chosen ? path : `${path} = ${shown(leaf)}`;
  const text = `${value} means ${called(leaf)} to the writer, ${called(other)} to the reader`;
  return [{ kind: "meaning", path, offset, text, names, code: undefined }];
}

/** Bytes, text and integers that lie on the same bytes are the same data in another dress. */
function isOther(leaf: Leaf, other: Leaf): boolean {
  if (typeof leaf.value === "bigint" && typeof other.value === "bigint") return leaf.value !== other.value;
  if (leaf.value instanceof Uint8Array && other.value instanceof Uint8Array)
    return shown(leaf) !== shown(other);
  return leaf.at !== other.at || leaf.size !== other.size;
}

function shown({ value }: Leaf): string {
  if (typeof value === "bigint") return value < 0n ? String(value) : `0x${value.toString(16)}`;
  if (isChoice(value)) return value;
  const hex = [...value.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `<${hex}${value.length > 16 ? " …" : ""}>`;
}

function missing({ path, at: offset, names }: Leaf): Disagreement {
  return {
    kind: "missing",
    path,
    offset,
    text: `${path} is there for the writer, not for the reader`,
    names,
    code: undefined,
  };
}

function surplus({ path, at: offset, names }: Leaf): Disagreement {
  return {
    kind: "surplus",
    path,
    offset,
    text: `${path} is there for the reader, not for the writer`,
    names,
    code: undefined,
  };
}

function byPath(leaves: readonly Leaf[]): ReadonlyMap<string, Leaf> {
  return new Map(leaves.map((leaf) => [leaf.path, leaf]));
}

/** The place that a path leads to in a version: a field or a switch; undefined where the version knows none. */
function placeOf(struct: Struct, path: string): Field | SwitchNode | undefined {
  const [step = "", ...rest] = path.split(".");
  const { name, depth } = dimensionsOf(step);
  const members = membersOf(struct);
  const field = members.fields.get(name);
  const inner = field !== undefined && dimensions(field.type) === depth ? innermost(field.type) : undefined;
  if (rest.length > 0) return inner?.kind === "struct" ? placeOf(inner.struct, rest.join(".")) : undefined;
  return inner === undefined || inner.kind === "struct" ? members.switches.get(name) : field;
}

function dimensionsOf(step: string): { name: string; depth: number } {
  const [name = "", ...indices] = step.split("[");
  return { name, depth: indices.length };
}

function dimensions(type: FieldType): number {
  return type.kind === "array" ? 1 + dimensions(type.element) : 0;
}

/** Whether a version has the name for values at the path. */
function hasName(struct: Struct, path: string, name: string): boolean {
  const place = placeOf(struct, path);
  if (place === undefined) return false;
  if ("cases" in place) return place.cases.some((each) => each.name === name);
  return meaningIn(innermost(place.type))?.members.some((each) => each.name === name) ?? false;
}

interface Members {
  readonly fields: ReadonlyMap<string, Field>;
  readonly switches: ReadonlyMap<string, SwitchNode>;
}

const known = new WeakMap<Struct, Members>();

/** The members of a struct by name, gathered once: every message that is tried asks for them. */
function membersOf(struct: Struct): Members {
  let members = known.get(struct);
  if (members === undefined) {
    const switches = allNodes(struct.nodes).filter((node) => node.kind === "switch");
    members = {
      fields: new Map(allFields(struct).map((field) => [field.name, field])),
      switches: new Map(switches.map((node) => [node.name, node])),
    };
    known.set(struct, members);
  }
  return members;
}
