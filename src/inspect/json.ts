/**
 * Writes an inspection for programs: one JSON document, or one line for each record. Records are written as they come, so
 * that neither form is ever held in memory as a whole. 64-bit integers are written in full; readers that hold numbers as
 * doubles round them.
 */
import type { Fault, FieldValue } from "../runtime/index.js";
import { type SetFlag, setFlags } from "./flags.js";
import type { Leaf } from "./leaves.js";
import type { Node } from "./node.js";
import { printPath } from "./path.js";
import type { CaptureRecord, Scalar, Sink, Summary } from "./report.js";

type Write = (text: string) => void;

/** `{"records": […], "summary": {…}}` */
export class JsonRenderer implements Sink {
  private readonly write: Write;
  private any = false;

  constructor(write: Write) {
    this.write = write;
  }

  record(record: CaptureRecord): void {
    this.write(`${this.any ? "," : '{"records":['}\n${recordText(record)}`);
    this.any = true;
  }

  finish(summary: Summary): void {
    this.write(`${this.any ? "" : '{"records":['}\n],"summary":${summaryText(summary)}}\n`);
  }
}

/** One line for each record, and the summary in the last. */
export class JsonLinesRenderer implements Sink {
  private readonly write: Write;

  constructor(write: Write) {
    this.write = write;
  }

  record(record: CaptureRecord): void {
    this.write(`${recordText(record)}\n`);
  }

  finish(summary: Summary): void {
    this.write(`${objectText([["record", text("summary")]], summaryText(summary))}\n`);
  }
}

type Member = readonly [key: string, value: string];

function recordText(record: CaptureRecord): string {
  const members: Member[] = [
    ["record", text(record.record)],
    ["name", text(record.name)],
    ["path", text(printPath(record.path))],
    ["_offset", String(record.at)],
    ["_size", String(record.size)],
  ];
  for (const [key, value] of Object.entries(record.attributes)) {
    if (value !== undefined) members.push([key, scalarText(value)]);
  }
  if (record.fields !== undefined) members.push(["fields", listText(record.fields.map(nodeText))]);
  if (record.faults.length > 0) members.push(["faults", listText(record.faults.map(faultText))]);
  return objectText(members);
}

/** `{"path": …, "_offset": …, "_size": …, "value": …}` */
export function leafText({ path, node, value, at, size }: Leaf): string {
  const members: Member[] = [["path", text(printPath(path))]];
  if (node !== undefined) return objectText([...members, ...fieldMembers(node)]);
  if (at !== undefined) members.push(["_offset", String(at)], ["_size", String(size)]);
  if (value !== undefined)
    members.push(["value", value instanceof Uint8Array ? valueText(value) : scalarText(value)]);
  return objectText(members);
}

function nodeText(node: Node): string {
  const members: Member[] = [["name", text(node.name)]];
  if (node.index >= 0) members.push(["index", String(node.index)]);
  members.push(...fieldMembers(node));
  if (node.children !== undefined) members.push(["children", listText(node.children.map(nodeText))]);
  if (node.faults !== undefined) members.push(["faults", listText(node.faults.map(faultText))]);
  return objectText(members);
}

function fieldMembers(node: Node): Member[] {
  const members: Member[] = [
    ["type", text(node.type)],
    ["_offset", String(node.at)],
    ["_size", String(node.size)],
  ];
  if (node.bit !== undefined) members.push(["bit", String(node.bit)], ["width", String(node.width)]);
  if (node.role !== undefined) members.push(["role", text(node.role)]);
  if (node.value !== undefined) members.push(["value", valueText(node.value)]);
  if (node.meaning !== undefined) members.push(["meaning", text(node.meaning)]);
  if (node.flags !== undefined && (typeof node.value === "number" || typeof node.value === "bigint"))
    members.push(["flags", flagsText(setFlags(node.value, node.flags))]);
  if (node.unit !== undefined) members.push(["unit", text(node.unit)]);
  return members;
}

function summaryText(summary: Summary): string {
  const members: Member[] = [
    ["kind", text(summary.kind)],
    ["size", String(summary.size)],
  ];
  for (const { key, value, flags } of summary.facts) {
    members.push([key === "sections" ? "section_count" : key, scalarText(value)]);
    if (flags !== undefined) members.push([`${key}_flags`, flagsText(flags)]);
  }
  for (const table of summary.tables) {
    const rows = table.rows.map((row) =>
      objectText(
        table.columns.flatMap(({ key }, i): Member[] => {
          const { value, flags } = row[i] ?? { value: undefined };
          const said: Member = [key, value === undefined ? "null" : scalarText(value)];
          return flags === undefined ? [said] : [said, [`${key}_flags`, flagsText(flags)]];
        }),
      ),
    );
    members.push([table.key, listText(rows)]);
  }
  members.push(
    ["notes", listText(summary.notes.map(text))],
    ["fault_count", String(summary.faultCount)],
    ["faults", listText(summary.faults.map(faultText))],
    ["verdict", text(summary.verdict)],
  );
  return objectText(members);
}

function flagsText(flags: readonly SetFlag[]): string {
  return listText(flags.map((flag) => JSON.stringify(flag)));
}

function faultText(fault: Fault): string {
  const members: Member[] = [
    ["code", text(fault.code)],
    ["path", text(fault.path)],
    ["_offset", String(fault.offset)],
  ];
  if (fault.need !== undefined) members.push(["need", String(fault.need)], ["had", String(fault.had)]);
  if (fault.detail !== undefined) members.push(["detail", text(fault.detail)]);
  members.push(["schema", text(fault.schema)]);
  return objectText(members);
}

/** `rest`: the text of an object whose members follow. */
function objectText(members: readonly Member[], rest = "{}"): string {
  const own = members.map(([key, value]) => `${text(key)}:${value}`).join(",");
  const others = rest.slice(1, -1);
  return `{${own}${own !== "" && others !== "" ? "," : ""}${others}}`;
}

function listText(items: readonly string[]): string {
  return `[${items.join(",")}]`;
}

function scalarText(value: Scalar | readonly Scalar[]): string {
  if (typeof value === "object") return listText(value.map(scalarText));
  return typeof value === "string" ? text(value) : String(value);
}

function valueText(value: FieldValue): string {
  if (value instanceof Uint8Array) {
    let digits = "";
    for (const byte of value) digits += byte.toString(16).padStart(2, "0");
    return text(digits);
  }
  return scalarText(value);
}

function text(value: string): string {
  return JSON.stringify(value);
}
