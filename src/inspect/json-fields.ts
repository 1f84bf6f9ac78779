/** Fields as JSON: out of a tree, or while they are walked. */
import type { Fault, FieldValue, Site, Visitor } from "../runtime/index.js";
import { type FlagTables, type SetFlag, setFlags } from "./flags.js";
import type { JsonBytes } from "./json-bytes.js";
import type { LentFields } from "./lent-fields.js";
import { meaningOf, type Node } from "./node.js";
import type { Scalar } from "./report.js";

/** Writes what is walked into the list that is open. */
export class JsonFields implements Visitor {
  private readonly fields: LentFields;
  private readonly out: JsonBytes;
  private opened = 0;

  constructor(fields: LentFields, out: JsonBytes) {
    this.fields = fields;
    this.out = out;
  }

  open(site: Site, index: number, at: number): void {
    const { fields, out } = this;
    writeName(site.name, index, out);
    writeMembers(site, fields.base + at, fields.sizes[this.opened++] ?? 0, undefined, undefined, out);
    out.key("children");
    out.open("[");
  }

  close(): void {
    this.out.close("]");
    this.out.close("}");
  }

  field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    const { fields, out } = this;
    const meaning = meaningOf(fields.meaningOf, site, index, value);
    writeName(site.name, index, out);
    writeMembers(site, fields.base + at, size, value, meaning, out, bit, width);
    out.close("}");
  }

  /** Fields are lent where nothing is wrong with them. */
  fault(): void {}
}

export function writeNode(node: Node, out: JsonBytes): void {
  writeName(node.name, node.index, out);
  writeFieldMembers(node, out);
  if (node.children !== undefined) {
    out.key("children");
    out.open("[");
    for (const child of node.children) writeNode(child, out);
    out.close("]");
  }
  if (node.faults !== undefined) writeFaults(node.faults, out);
  out.close("}");
}

/** Type, place, value and meaning. */
export function writeFieldMembers(node: Node, out: JsonBytes): void {
  const { at, size, value, meaning: text, flags, bit, width } = node;
  const meaning = text === undefined ? undefined : { text, flags };
  writeMembers(node, at, size, value, meaning, out, bit, width);
}

export function writeFaults(faults: readonly Fault[], out: JsonBytes): void {
  out.key("faults");
  out.open("[");
  for (const { code, path, offset, need, had, detail, schema } of faults) {
    out.open("{");
    writeText("code", code, out);
    writeText("path", path, out);
    writeNumber("_offset", offset, out);
    if (need !== undefined) {
      writeNumber("need", need, out);
      writeNumber("had", had ?? 0, out);
    }
    if (detail !== undefined) writeText("detail", detail, out);
    writeText("schema", schema, out);
    out.close("}");
  }
  out.close("]");
}

export function writeValue(value: FieldValue | Scalar | readonly Scalar[], out: JsonBytes): void {
  if (typeof value === "string") out.text(value);
  else if (typeof value === "number" || typeof value === "bigint") out.number(value);
  else if (typeof value === "boolean") out.boolean(value);
  else if (value instanceof Uint8Array) out.bytes(value);
  else {
    out.open("[");
    for (const item of value) writeValue(item, out);
    out.close("]");
  }
}

export function writeFlags(key: string, flags: readonly SetFlag[], out: JsonBytes): void {
  out.key(key);
  out.open("[");
  for (const { bit, name, source } of flags) {
    out.open("{");
    writeNumber("bit", bit, out);
    if (name !== undefined) writeText("name", name, out);
    if (source !== undefined) writeText("source", source, out);
    out.close("}");
  }
  out.close("]");
}

export function writeText(key: string, value: string, out: JsonBytes): void {
  out.key(key);
  out.text(value);
}

export function writeNumber(key: string, value: number, out: JsonBytes): void {
  out.key(key);
  out.number(value);
}

/** Opens the object of a field. */
function writeName(name: string, index: number, out: JsonBytes): void {
  out.open("{");
  writeText("name", name, out);
  if (index >= 0) writeNumber("index", index, out);
}

function writeMembers(
  { type, role, unit }: Pick<Site, "type" | "role" | "unit">,
  at: number,
  size: number,
  value: FieldValue | undefined,
  meaning: { readonly text: string; readonly flags?: FlagTables | undefined } | undefined,
  out: JsonBytes,
  bit?: number,
  width?: number,
): void {
  writeText("type", type, out);
  writeNumber("_offset", at, out);
  writeNumber("_size", size, out);
  if (bit !== undefined) {
    writeNumber("bit", bit, out);
    writeNumber("width", width ?? 0, out);
  }
  if (role !== undefined) writeText("role", role, out);
  if (value !== undefined) {
    out.key("value");
    writeValue(value, out);
  }
  if (meaning !== undefined) {
    writeText("meaning", meaning.text, out);
    if (meaning.flags !== undefined && (typeof value === "number" || typeof value === "bigint"))
      writeFlags("flags", setFlags(value, meaning.flags), out);
  }
  if (unit !== undefined) writeText("unit", unit, out);
}
