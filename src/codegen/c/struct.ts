/**
 * A struct as C sees it: packed, with the offsets and sizes of the IR asserted, so that a C compiler checks them. What
 * C has no words for ends the struct with a comment that says so; it never gets a layout that is nearly right.
 */
import type { Field, FieldType, IntType, Node, RunNode, Struct } from "../../schema/ir.js";
import { comment } from "./comment.js";
import { bitMacros } from "./constants.js";
import { memberName, type Names } from "./names.js";

/** The part of a struct that lies at constant offsets. */
interface Prefix {
  readonly runs: readonly RunNode[];
  readonly size: number;
  /** The last member, where it is an array of whatever length. */
  readonly tail: Field | undefined;
  /** Why the C struct ends before the value does; undefined where it covers all of it. */
  readonly end: string | undefined;
}

export function printStruct(struct: Struct, names: Names): string[] {
  const prefix = prefixOf(struct);
  const tag = `struct ${names.tag(struct)}`;
  const lead = [`struct ${struct.name}: ${sizeText(struct)}`];
  if (prefix.size === 0) {
    const why = prefix.end ?? (prefix.tail === undefined ? "takes no bytes" : declare(prefix.tail, names));
    return comment(struct.doc, ...lead, `Not in C: ${why}`);
  }
  if (prefix.end !== undefined) lead.push(`Here only its first ${prefix.size} bytes: ${prefix.end}`);
  const members: string[] = [];
  const asserts = [assert(`sizeof(${tag}) == ${prefix.size}`, `size of ${struct.name}`)];
  const macros: string[] = [];
  const add = (name: string, offset: number, lines: string[]): void => {
    members.push(...lines.map((line) => `\t${line}`));
    asserts.push(assert(`offsetof(${tag}, ${name}) == ${offset}`, `offset of ${struct.name}.${name}`));
  };
  for (const run of prefix.runs) {
    for (const slot of run.slots) {
      const offset = (run.offset ?? 0) + slot.offset;
      if (slot.kind === "field") {
        const { field } = slot;
        add(memberName(field.name), offset, [...fieldComment(field), `${declare(field, names)};`]);
        continue;
      }
      const container = containerName(slot.fields, struct);
      const bits = slot.fields.map((field) => `${field.name}:${bitText(field.type)}`).join(", ");
      add(container, offset, [...comment(EMPTY, bits), `${intType(slot.int)} ${container};`]);
      for (const field of slot.fields) {
        if (field.type.kind !== "bits") continue;
        const name = `${names.macro(struct.name, struct.module)}_${field.name.toUpperCase()}`;
        macros.push(...bitMacros(name, field.type.shift, field.type.width));
      }
    }
  }
  if (prefix.tail !== undefined) {
    const { tail } = prefix;
    add(memberName(tail.name), prefix.size, [...fieldComment(tail), `${declare(tail, names)};`]);
  }
  return [
    ...comment(struct.doc, ...lead),
    `${tag} {`,
    ...members,
    "} __attribute__((packed));",
    ...macros,
    ...asserts,
  ];
}

/** Whether the C struct is the whole value, so that another struct can hold it. */
function isWhole(struct: Struct): boolean {
  const prefix = prefixOf(struct);
  return prefix.size > 0 && prefix.end === undefined && prefix.tail === undefined;
}

const known = new WeakMap<Struct, Prefix>();

function prefixOf(struct: Struct): Prefix {
  const before = known.get(struct);
  if (before !== undefined) return before;
  const prefix = findPrefix(struct);
  known.set(struct, prefix);
  return prefix;
}

/** The members in the order of the bytes: the bounds of a range take no bytes, and a check takes none either. */
function* members(nodes: readonly Node[]): Generator<Exclude<Node, { kind: "where" | "range" }>> {
  for (const node of nodes) {
    if (node.kind === "range") yield* members(node.body);
    else if (node.kind !== "where") yield node;
  }
}

function findPrefix(struct: Struct): Prefix {
  const runs: RunNode[] = [];
  let size = 0;
  const nodes = [...members(struct.nodes)];
  for (const [index, node] of nodes.entries()) {
    if (node.kind === "run") {
      runs.push(node);
      size = (node.offset ?? 0) + node.size;
      continue;
    }
    const last = index === nodes.length - 1;
    if (node.kind === "field" && last && isFlexible(node.field.type))
      return { runs, size, tail: node.field, end: undefined };
    return { runs, size, tail: undefined, end: reason(node) };
  }
  return { runs, size, tail: undefined, end: undefined };
}

function isFlexible(type: FieldType): boolean {
  if (type.kind === "bytes" || type.kind === "text") return true;
  return type.kind === "array" && isConstant(type.element);
}

function isConstant(type: FieldType): boolean {
  switch (type.kind) {
    case "int":
      return true;
    case "struct":
      return type.struct.fixed !== undefined;
    case "bytes":
    case "text":
      return type.count.kind === "const";
    case "array":
      return type.count.kind === "const" && isConstant(type.element);
    default:
      return false;
  }
}

function reason(node: Exclude<Node, { kind: "where" | "range" | "run" }>): string {
  switch (node.kind) {
    case "field":
      return `${node.field.name} has no constant size, or its elements have none`;
    case "if":
      return "what follows depends on a condition";
    case "optional":
      return "what follows may be absent";
    case "switch":
      return `${node.name} depends on a tag`;
  }
}

function declare(field: Field, names: Names): string {
  return declareAs(field.type, memberName(field.name), names);
}

/** A declaration: `declarator` grows to the right with each dimension, as C reads it. */
function declareAs(type: FieldType, declarator: string, names: Names): string {
  switch (type.kind) {
    case "int":
    case "bits":
      return `${intType(type.int)} ${declarator}`;
    case "bytes":
      return `uint8_t ${declarator}${dimension(type)}`;
    case "text":
      return `char ${declarator}${dimension(type)}`;
    case "array":
      return declareAs(type.element, `${declarator}${dimension(type)}`, names);
    case "struct":
      // The bytes are right even where C has no words for what is in them.
      if (!isWhole(type.struct))
        return `uint8_t ${declarator}[${type.struct.fixed}] /* ${type.struct.name} */`;
      return `struct ${names.tag(type.struct)} ${declarator}`;
  }
}

function dimension(type: Extract<FieldType, { kind: "bytes" | "text" | "array" }>): string {
  return type.count.kind === "const" ? `[${type.count.value}]` : "[]";
}

const EMPTY = { text: "", notes: [] };

/** Names the source has for the order, where there is one; a byte order chosen at run time is the plain C type. */
function intType(int: IntType): string {
  if (int.bits === 8 || typeof int.order === "object") return `${int.signed ? "" : "u"}int${int.bits}_t`;
  return `${int.signed ? "s" : ""}${int.order === "little" ? "le" : "be"}${int.bits}`;
}

/** The container has no name in the source: it is called after its lowest named bits. */
function containerName(fields: readonly Field[], struct: Struct): string {
  const named = fields.find((field) => field.role.kind !== "reserved") ?? fields[0];
  let name = `${named?.name ?? ""}_bits`;
  while (struct.fields.some((field) => field.name === name)) name += "_";
  return name;
}

function bitText(type: FieldType): string {
  return type.kind === "bits" ? String(type.width) : "";
}

function fieldComment(field: Field): string[] {
  const lead: string[] = [];
  if (field.type.kind === "int" && field.type.meaning !== undefined) lead.push(field.type.meaning.name);
  if (field.role.kind === "constant") lead.push(`Always ${field.role.value}.`);
  return comment(field.doc, ...lead);
}

function sizeText(struct: Struct): string {
  if (struct.fixed !== undefined) return `${struct.fixed} bytes.`;
  const { min, max } = struct.size;
  return max === undefined ? `at least ${min} bytes.` : `${min} to ${max} bytes.`;
}

function assert(condition: string, message: string): string {
  return `_Static_assert(${condition}, "${message}");`;
}
