/** A struct as a table of its members, with the bits of integers that hold several and the cases of switches below it. */
import type {
  Case,
  Doc,
  Field,
  Module,
  Node,
  ParamType,
  RunNode,
  Slot,
  Struct,
  SwitchNode,
} from "../../schema/ir.js";
import { allNodes } from "../../schema/structure.js";
import { armsOf } from "../members.js";
import { sizeText } from "../typescript/docs.js";
import { expressionText, numberText } from "./expression.js";
import { linkTo } from "./links.js";
import { scalarText } from "./scalar.js";
import { code, meaningOf, tableOf, tableWithoutEmpty } from "./text.js";
import { rangeCell, sizeCell, typeText } from "./types.js";

const COLUMNS = ["offset", "size", "type", "name", "meaning"] as const;

export function structLines(struct: Struct): string[] {
  const table = new MemberTable(struct);
  table.add(struct.nodes, 0);
  const facts = [`${capital(sizeText(struct.size))}.`, ...parameterTexts(struct)];
  const nodes = allNodes(struct.nodes);
  const bits = nodes.flatMap((node) =>
    node.kind === "run" ? node.slots.flatMap((slot) => bitLines(node, slot)) : [],
  );
  const cases = nodes.flatMap((node) => (node.kind === "switch" ? caseLines(node, struct.module) : []));
  const rules = struct.nodes.flatMap((node) =>
    node.kind === "where" && node.field === undefined ? [`- ${code(node.text)}`] : [],
  );
  return [
    facts.join(" "),
    "",
    ...tableWithoutEmpty(COLUMNS, table.rows),
    ...bits,
    ...cases,
    ...(rules.length === 0 ? [] : ["", "Always:", "", ...rules]),
  ];
}

/** The members in the order of the bytes; those under a condition or in a range are set in. */
class MemberTable {
  readonly rows: string[][] = [];
  private readonly module: Module;
  private readonly wheres: ReadonlyMap<Field, string>;
  /** Whatever stood last. */
  private before: string | undefined;
  /** Of the next member alone. */
  private condition = "";

  constructor(struct: Struct) {
    this.module = struct.module;
    this.wheres = new Map(
      allNodes(struct.nodes).flatMap((node) =>
        node.kind === "where" && node.field !== undefined ? [[node.field, node.text]] : [],
      ),
    );
  }

  add(nodes: readonly Node[], depth: number): void {
    for (const node of nodes) this.node(node, depth);
  }

  private node(node: Node, depth: number): void {
    switch (node.kind) {
      case "run":
        this.run(node, depth);
        break;
      case "field":
        this.field(
          node.field,
          this.place(node.field.offset, 0),
          sizeCell(node.field.type, node.field.size),
          depth,
        );
        this.before = node.field.name;
        break;
      case "range":
        this.heading(`**within** ${code(expressionText(node.length))} bytes, exactly:`, depth);
        this.add(node.body, depth + 1);
        break;
      case "if":
        this.branches(node, depth);
        break;
      case "optional":
        if (isSingle(node.body)) {
          this.single(node.body, "If any bytes are left.", depth);
          break;
        }
        this.heading("**if any bytes are left**:", depth);
        this.add(node.body, depth + 1);
        break;
      case "switch":
        this.rows.push([
          this.place(armsOf(node).find(({ field }) => field !== undefined)?.field?.offset, 0),
          rangeCell(node.size),
          `by ${code(expressionText(node.on))}`,
          indented(code(node.name), depth),
          ["One of the cases below.", meaningOf(node.doc)].filter((part) => part !== "").join(" "),
        ]);
        this.before = node.name;
        break;
      case "where":
        break;
    }
  }

  private branches(node: Extract<Node, { kind: "if" }>, depth: number): void {
    const condition = code(expressionText(node.condition));
    if (node.else.length === 0 && isSingle(node.then)) {
      this.single(node.then, `If ${condition}.`, depth);
      return;
    }
    this.heading(`**if** ${condition}:`, depth);
    const { before } = this;
    this.add(node.then, depth + 1);
    if (node.else.length === 0) return;
    this.heading("**else**:", depth);
    this.before = before;
    this.add(node.else, depth + 1);
  }

  /** What one member depends on is said with it. */
  private single(nodes: readonly Node[], condition: string, depth: number): void {
    this.condition = condition;
    this.add(nodes, depth);
  }

  private run(run: RunNode, depth: number): void {
    const last = run.slots[run.slots.length - 1];
    for (const slot of run.slots) {
      const place = this.place(run.offset === undefined ? undefined : run.offset + slot.offset, slot.offset);
      if (slot.kind === "field") {
        this.field(slot.field, place, String(slot.size), depth);
        continue;
      }
      for (const field of slot.fields) {
        const { type } = field;
        if (type.kind === "bits") this.field(field, place, bitText(type.shift, type.width), depth);
      }
    }
    if (last !== undefined)
      this.before = (last.kind === "field" ? last.field : last.fields[last.fields.length - 1])?.name;
  }

  private field(field: Field, place: string, size: string, depth: number): void {
    this.rows.push([
      place,
      size,
      typeText(field.type, this.module),
      indented(code(field.name), depth),
      [this.condition, ...roleText(field), ...this.whereText(field), meaningOf(field.doc)]
        .filter((part) => part !== "")
        .join(" "),
    ]);
    this.condition = "";
  }

  private heading(text: string, depth: number): void {
    this.rows.push(["", "", "", indented(text, depth), ""]);
  }

  /** A number, or behind what it lies. */
  private place(offset: number | undefined, distance: number): string {
    if (offset !== undefined) return String(offset);
    if (this.before === undefined) return String(distance);
    return `after ${code(this.before)}${distance === 0 ? "" : ` + ${distance}`}`;
  }

  private whereText(field: Field): string[] {
    const text = this.wheres.get(field);
    return text === undefined ? [] : [`Always ${code(text)}.`];
  }
}

/** One field, with whatever constrains it. */
function isSingle(nodes: readonly Node[]): boolean {
  const [first, ...others] = nodes.filter(({ kind }) => kind !== "where");
  if (first === undefined || others.length > 0) return false;
  return (
    first.kind === "field" ||
    (first.kind === "run" && first.slots.length === 1 && first.slots[0]?.kind === "field")
  );
}

function roleText({ role }: Field): string[] {
  switch (role.kind) {
    case "value":
      return [];
    case "reserved":
      return ["Reserved."];
    case "constant":
      return [`Always ${code(numberText(role.value))}.`];
    case "derived": {
      const { of, steps } = role;
      const gives = steps.length === 0 ? "Gives" : "Determines";
      if (of.kind === "range")
        return [`${gives} the length of the range that begins with ${code(of.range.name)}.`];
      return [
        `${gives} the number of ${of.kind === "count" ? "elements" : "bytes"} of ${code(of.field.name)}.`,
      ];
    }
  }
}

function parameterTexts({ params, module }: Struct): string[] {
  const given = params.filter(({ implicit }) => !implicit);
  const listed = given.map(({ name, type }) => `${code(name)} (${parameterType(type, module)})`).join(", ");
  return [
    ...(given.length === 0
      ? []
      : [`Depends on ${listed}, which ${given.length === 1 ? "comes" : "come"} from outside.`]),
    ...(given.length < params.length ? ["The byte order is chosen at run time."] : []),
  ];
}

function parameterType(type: ParamType, module: Module): string {
  switch (type.kind) {
    case "order":
      return "a byte order";
    case "bool":
      return "a condition";
    case "int":
      return type.meaning === undefined ? code(scalarText(type.int)) : linkTo(type.meaning, module);
  }
}

/** The bits of an integer as they are drawn: the most significant on the left. */
function bitLines(run: RunNode, slot: Slot): string[] {
  if (slot.kind !== "bits") return [];
  const fields = [...slot.fields].reverse();
  const place = run.offset === undefined ? "" : ` at offset ${run.offset + slot.offset}`;
  const head = fields.map(({ type }) => {
    if (type.kind !== "bits") return "";
    return type.width === 1 ? String(type.shift) : `${type.shift + type.width - 1} … ${type.shift}`;
  });
  return [
    "",
    `Bits of the ${code(scalarText(slot.int))}${place}:`,
    "",
    ...tableOf(head, [fields.map(({ name }) => code(name))]),
  ];
}

function bitText(shift: number, width: number): string {
  return width === 1 ? `bit ${shift}` : `bits ${shift} … ${shift + width - 1}`;
}

function caseLines(node: SwitchNode, module: Module): string[] {
  const rows = node.cases.map((each) => {
    const { arm } = each;
    if (arm === undefined) return [labelText(each), "0", "", code(each.name), "Nothing."];
    return [labelText(each), ...armCells(arm.field, module)];
  });
  const last = node.default;
  switch (last.kind) {
    case "keep":
      rows.push(["any other", ...armCells(last.arm.field, module, "Kept as it is.")]);
      break;
    case "skip":
      rows.push([
        "any other",
        ...armCells(
          last.arm.field,
          module,
          `Kept if ${code(expressionText(last.condition))}, refused otherwise.`,
        ),
      ]);
      break;
    case "refuse":
      rows.push(["any other", "", "", "", "Refused."]);
      break;
  }
  const tag = expressionText(node.on);
  return [
    "",
    `Cases of ${code(node.name)}:`,
    "",
    ...tableWithoutEmpty([code(tag), "size", "type", "name", "meaning"], rows),
  ];
}

function armCells(field: Field, module: Module, lead = ""): string[] {
  return [
    sizeCell(field.type, field.size),
    typeText(field.type, module),
    code(field.name),
    [lead, ...roleText(field), meaningOf(field.doc)].filter((part) => part !== "").join(" "),
  ];
}

function labelText({ labels }: Case): string {
  return labels
    .map(({ from, to, hint }) => {
      const numbers =
        from === to ? code(numberText(from)) : `${code(numberText(from))} … ${code(numberText(to))}`;
      return hint === undefined ? numbers : `${numbers} ${code(hint)}`;
    })
    .join(", ");
}

function indented(text: string, depth: number): string {
  return "&emsp;".repeat(depth) + text;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The fields of a small struct in one cell; undefined for one that needs a section of its own. */
export function inlineFields(struct: Struct): string | undefined {
  const fields: Field[] = [];
  for (const node of struct.nodes) {
    if (node.kind === "field") fields.push(node.field);
    else if (node.kind !== "run") return undefined;
    else {
      for (const slot of node.slots) {
        if (slot.kind === "bits") return undefined;
        fields.push(slot.field);
      }
    }
  }
  if (fields.length > 3 || fields.some(({ doc }) => !isEmpty(doc))) return undefined;
  return fields.map((field) => `${typeText(field.type, struct.module)} ${code(field.name)}`).join("; ");
}

/** What stands in a cell of a table for the struct that goes there. */
export function structCell(struct: Struct, from: Module, inline: boolean): string {
  return (inline ? inlineFields(struct) : undefined) ?? linkTo(struct, from);
}

function isEmpty({ text, notes }: Doc): boolean {
  return text === "" && notes.length === 0;
}
