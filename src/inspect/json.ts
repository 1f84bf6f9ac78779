/**
 * Writes an inspection for programs: one JSON document, or one line for each record. Records are written as they come, and
 * their fields as they are walked, so that neither form is ever held in memory as a whole. 64-bit integers are written in
 * full; readers that hold numbers as doubles round them.
 */
import { JsonBytes, type WriteBytes } from "./json-bytes.js";
import {
  JsonFields,
  writeFaults,
  writeFieldMembers,
  writeFlags,
  writeNode,
  writeNumber,
  writeText,
  writeValue,
} from "./json-fields.js";
import type { Leaf } from "./leaves.js";
import { printPath } from "./path.js";
import type { CaptureRecord, Sink, Summary, Table } from "./report.js";

/** `{"records": […], "summary": {…}}` */
export class JsonRenderer implements Sink {
  private readonly out: JsonBytes;
  private any = false;

  /** `write` gets UTF-8, never half a character. */
  constructor(write: WriteBytes) {
    this.out = new JsonBytes(write);
  }

  record(record: CaptureRecord): void {
    this.out.plain(this.any ? ",\n" : '{"records":[\n');
    this.any = true;
    writeRecord(record, this.out);
  }

  finish(summary: Summary): void {
    const { out } = this;
    out.plain(this.any ? '\n],"summary":' : '{"records":[\n],"summary":');
    out.open("{");
    writeSummary(summary, out);
    out.close("}");
    out.plain("}\n");
    out.flush();
  }
}

/** One line for each record, and the summary in the last. */
export class JsonLinesRenderer implements Sink {
  private readonly out: JsonBytes;

  /** `write` gets UTF-8, never half a character. */
  constructor(write: WriteBytes) {
    this.out = new JsonBytes(write);
  }

  record(record: CaptureRecord): void {
    writeRecord(record, this.out);
    this.out.plain("\n");
  }

  finish(summary: Summary): void {
    const { out } = this;
    out.open("{");
    writeText("record", "summary", out);
    writeSummary(summary, out);
    out.close("}");
    out.plain("\n");
    out.flush();
  }
}

/** Values for programs: one list, or an object a line. */
export class JsonLeaves {
  private readonly out: JsonBytes;
  private readonly inList: boolean;
  private any = false;

  constructor(write: WriteBytes, form: "json" | "jsonl") {
    this.out = new JsonBytes(write);
    this.inList = form === "json";
  }

  leaf(leaf: Leaf): void {
    if (this.inList) this.out.plain(this.any ? ",\n" : "[\n");
    this.any = true;
    writeLeaf(leaf, this.out);
    if (!this.inList) this.out.plain("\n");
  }

  finish(): void {
    if (this.inList) this.out.plain(this.any ? "\n]\n" : "[]\n");
    this.out.flush();
  }
}

/** Bytes that a leaf takes, but for long values. */
const LEAF_SIZE = 1 << 10;

/** `{"path": …, "_offset": …, "_size": …, "value": …}` */
export function leafText(leaf: Leaf): string {
  const decoder = new TextDecoder();
  let text = "";
  const out = new JsonBytes((bytes) => {
    text += decoder.decode(bytes);
  }, LEAF_SIZE);
  writeLeaf(leaf, out);
  out.flush();
  return text;
}

function writeRecord(record: CaptureRecord, out: JsonBytes): void {
  out.open("{");
  writeText("record", record.record, out);
  writeText("name", record.name, out);
  writeText("path", printPath(record.path), out);
  writeNumber("_offset", record.at, out);
  writeNumber("_size", record.size, out);
  for (const [key, value] of Object.entries(record.attributes)) {
    if (value === undefined) continue;
    out.key(key);
    writeValue(value, out);
  }
  const { fields, lent } = record;
  if (fields !== undefined || lent !== undefined) {
    out.key("fields");
    out.open("[");
    if (lent !== undefined) lent.walk(new JsonFields(lent, out));
    else for (const node of fields ?? []) writeNode(node, out);
    out.close("]");
  }
  if (record.faults.length > 0) writeFaults(record.faults, out);
  out.close("}");
}

function writeLeaf({ path, node, value, at, size }: Leaf, out: JsonBytes): void {
  out.open("{");
  writeText("path", printPath(path), out);
  if (node !== undefined) writeFieldMembers(node, out);
  else {
    if (at !== undefined) {
      writeNumber("_offset", at, out);
      writeNumber("_size", size ?? 0, out);
    }
    if (value !== undefined) {
      out.key("value");
      writeValue(value, out);
    }
  }
  out.close("}");
}

function writeSummary(summary: Summary, out: JsonBytes): void {
  writeText("kind", summary.kind, out);
  writeNumber("size", summary.size, out);
  for (const { key, value, flags } of summary.facts) {
    out.key(key === "sections" ? "section_count" : key);
    writeValue(value, out);
    if (flags !== undefined) writeFlags(`${key}_flags`, flags, out);
  }
  for (const table of summary.tables) writeTable(table, out);
  out.key("notes");
  writeValue(summary.notes, out);
  writeNumber("fault_count", summary.faultCount, out);
  writeFaults(summary.faults, out);
  writeText("verdict", summary.verdict, out);
}

function writeTable({ key, columns, rows }: Table, out: JsonBytes): void {
  out.key(key);
  out.open("[");
  for (const row of rows) {
    out.open("{");
    columns.forEach(({ key: name }, i) => {
      const { value, flags } = row[i] ?? { value: undefined };
      out.key(name);
      if (value === undefined) out.none();
      else writeValue(value, out);
      if (flags !== undefined) writeFlags(`${name}_flags`, flags, out);
    });
    out.close("}");
  }
  out.close("]");
}
