/** The interface of a struct, and the union of each of its switches. */
import type { Enum, Field, FieldType, Flags, IntType, Struct, SwitchNode } from "../../schema/ir.js";
import { armsOf, type Member, membersOf, switchesOf, valueMembersOf } from "../members.js";
import { code, join, type Part, type Printer } from "../printer.js";
import type { ModuleContext, StructContext } from "./context.js";
import { docLines, placeText, sizeText } from "./docs.js";

export function printType(out: Printer, struct: Struct, context: StructContext): void {
  for (const node of switchesOf(struct)) {
    printUnion(out, node, context);
    out.blank();
  }
  out.doc([`\`struct ${struct.name}\`: ${sizeText(struct.size)}.`, ...docLines(struct.doc, leftOut(struct))]);
  const members = valueMembersOf(struct.nodes);
  const name = context.module.names.type(struct);
  if (members.length === 0) {
    out.block(`export interface ${name}`, () => out.line("readonly [name: string]: never;"));
    return;
  }
  out.block(`export interface ${name}`, () => {
    for (const member of members) printProperty(out, member, context);
  });
}

/** What a reader of the interface will look for in vain. */
function leftOut(struct: Struct): string[] {
  return membersOf(struct.nodes).flatMap((member) => {
    if (member.kind === "switch") return [];
    const { name, role } = member.field;
    if (role.kind === "constant")
      return [`\`${name}\` is always ${role.value < 10n ? role.value : `0x${role.value.toString(16)}`}.`];
    if (role.kind === "derived") return [`\`${name}\` is not part of the value: encoding derives it.`];
    return [];
  });
}

function printProperty(out: Printer, member: Member, context: StructContext): void {
  if (member.kind === "switch") {
    const { node } = member;
    out.doc([capitalSize(node), ...docLines(node.doc, absence(node.conditional))]);
    const optional = node.conditional;
    out.line(
      code`${context.property(node)}${optional ? "?" : ""}: ${context.module.union(node)}${optional ? " | undefined" : ""};`,
    );
    return;
  }
  const { field } = member;
  const reserved = field.role.kind === "reserved";
  const optional = field.conditional || reserved;
  const facts = [
    ...(reserved ? ["Reserved: kept as it is, zero when left out."] : []),
    ...absence(field.conditional),
  ];
  out.doc([placeText(field), ...docLines(field.doc, facts)]);
  const type = valueType(field.type, context.module);
  out.line(code`${context.property(field)}${optional ? "?" : ""}: ${type}${optional ? " | undefined" : ""};`);
}

function absence(conditional: boolean): string[] {
  return conditional ? ["Undefined where the condition of the schema does not hold."] : [];
}

function capitalSize(node: SwitchNode): string {
  const text = sizeText(node.size);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function printUnion(out: Printer, node: SwitchNode, context: StructContext): void {
  const { struct } = context;
  out.doc([`\`${struct.name}.${node.name}\`: ${sizeText(node.size)}.`]);
  out.line(`export type ${context.module.union(node)} =`);
  const arms = armsOf(node);
  out.indented(() => {
    arms.forEach(({ field, from }, index) => {
      const name = context.caseName(from ?? known(field));
      const given = field === undefined ? [] : [valueType(field.type, context.module)];
      const type = join(
        field === undefined || field.role.kind === "reserved" ? [...given, "undefined"] : given,
        " | ",
      );
      const doc = field === undefined ? [] : [sizeOf(field), ...docLines(field.doc)];
      out.doc(doc);
      out.line(
        code`| { readonly case: ${JSON.stringify(name)}; readonly value: ${type} }${index === arms.length - 1 ? ";" : ""}`,
      );
    });
  });
}

function sizeOf(field: Field): string {
  const text = sizeText(field.size);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The type of a decoded value. */
export function valueType(type: FieldType, context: ModuleContext): Part {
  switch (type.kind) {
    case "int":
    case "bits":
      return intType(type.int, type.meaning, context);
    case "bytes":
      return "Uint8Array";
    case "text":
      return "string";
    case "struct":
      return context.type(type.struct);
    case "array":
      return [valueType(type.element, context), "[]"];
  }
}

function intType(int: IntType, meaning: Enum | Flags | undefined, context: ModuleContext): Part {
  return meaning === undefined || meaning.int.rep !== int.rep ? int.rep : context.type(meaning);
}

/** The closed enum whose members are the only values of the type, if there is one. */
export function closedEnumOf(type: FieldType): Enum | undefined {
  if (type.kind !== "int" && type.kind !== "bits") return undefined;
  const { meaning } = type;
  return meaning?.kind === "enum" && meaning.closed ? meaning : undefined;
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a case of a default always has a field");
  return value;
}
