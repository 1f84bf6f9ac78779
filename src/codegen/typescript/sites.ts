/** The constants that tell a visitor what is known about each field before any value is seen. */
import type { Count, Field, FieldType, Flags, IntType, Struct } from "../../schema/ir.js";
import { armsOf, membersOf } from "../members.js";
import { code, join, type Part, type Printer } from "../printer.js";
import type { StructContext } from "./context.js";

/** One object for the struct, with a property for each field, arms of switches included. Nothing if there is no field. */
export function printSites(out: Printer, struct: Struct, context: StructContext): void {
  const fields = fieldsOf(struct);
  if (fields.length === 0) return;
  const { module } = context;
  out.block(`const ${module.names.of(struct, "sites")} =`, () => {
    for (const field of fields) out.list(`${context.local(field)}: {`, properties(field, context), "},", " ");
  }, [" satisfies Record<string, ", module.runtimeType("Site"), ">;"]);
}

/** How generated code refers to the site of a field. */
export function siteOf(field: Field, context: StructContext): string {
  return `${context.module.names.of(context.struct, "sites")}.${context.local(field)}`;
}

function fieldsOf(struct: Struct): Field[] {
  return membersOf(struct.nodes).flatMap((member) =>
    member.kind === "field"
      ? [member.field]
      : armsOf(member.node).flatMap(({ field }) => (field === undefined ? [] : [field])),
  );
}

function properties(field: Field, context: StructContext): Part[] {
  const { doc, role } = field;
  const first = firstSentence(doc.text);
  const unit = doc.notes.find(({ tag }) => tag === "unit")?.text;
  const meaning = meaningOf(field.type, context);
  return [
    `name: ${JSON.stringify(field.name)}`,
    `type: ${JSON.stringify(typeText(field.type))}`,
    // Written out: a bundler keeps an object with a template in it, for fear that the template does something.
    `schema: ${JSON.stringify(`${context.module.module.file}:${field.line}`)}`,
    ...(first === "" ? [] : [`doc: ${JSON.stringify(first)}`]),
    ...(unit === undefined ? [] : [`unit: ${JSON.stringify(unit)}`]),
    ...(role.kind === "value" ? [] : [`role: ${JSON.stringify(role.kind)}`]),
    ...(meaning === undefined ? [] : [code`meaning: ${meaning}`]),
    ...flagsOf(field.type, context),
  ];
}

/** The tables stay those of the sets: a mask's names and sections are looked up, never repeated in each field. */
function flagsOf(type: FieldType, context: StructContext): Part[] {
  if (type.kind === "array") return flagsOf(type.element, context);
  if ((type.kind !== "int" && type.kind !== "bits") || type.meaning?.kind !== "flags") return [];
  const tables: Part[] = [];
  for (let set: Flags | undefined = type.meaning; set !== undefined; set = set.extends)
    tables.push(context.module.feature("bits", set));
  return [code`flags: [${join(tables, ", ")}]`];
}

function meaningOf(type: FieldType, context: StructContext): Part | undefined {
  if (type.kind === "array") return meaningOf(type.element, context);
  if ((type.kind !== "int" && type.kind !== "bits") || type.meaning === undefined) return undefined;
  const { meaning } = type;
  if (meaning.kind === "enum") return context.module.feature("nameOf", meaning);
  return code`(value) => ${context.module.feature("namesOf", meaning)}(value).join(" | ") || undefined`;
}

/** The type as the schema writes it; lengths that are not constants are left out. */
function typeText(type: FieldType): string {
  switch (type.kind) {
    case "int":
      return type.meaning?.name ?? scalarText(type.int);
    case "bits":
      return `${type.meaning?.name ?? scalarText(type.int)}:${type.width}`;
    case "bytes":
      return `u8${dimension(type.count)}`;
    case "text":
      return `char${dimension(type.count)}`;
    case "struct":
      return type.struct.name;
    case "array": {
      // The outermost dimension comes first, as in C.
      const [, name = "", others = ""] = /^([^[]*)(.*)$/.exec(typeText(type.element)) ?? [];
      return `${name}${dimension(type.count)}${others}`;
    }
  }
}

function scalarText({ bits, signed, order }: IntType): string {
  if (bits === 8 || typeof order === "object") return `${signed ? "s" : "u"}${bits}`;
  return `${signed ? "s" : ""}${order === "little" ? "le" : "be"}${bits}`;
}

function dimension(count: Count): string {
  return count.kind === "const" ? `[${count.value}]` : "[]";
}

function firstSentence(text: string): string {
  const flat = text.replace(/\s+/g, " ").trim();
  return /^.*?[.:!?](?= |$)/.exec(flat)?.[0] ?? flat;
}
