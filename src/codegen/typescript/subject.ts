/** What an error is about, and how generated code says so: its path, and the line of the schema. */
import type { Field } from "../../schema/ir.js";
import { SCHEMA_FILE } from "../names.js";

/** A field, or an element of it. */
export interface Subject {
  /** The field's name with the indices of outer dimensions, as the inside of a template literal. */
  readonly name: string;
  /** An expression for the index in the innermost dimension. */
  readonly index: string | undefined;
  readonly line: number;
}

export function wholeOf({ name, line }: Field): Subject {
  return { name, index: undefined, line };
}

export function elementOf(what: Subject, index: string): Subject {
  return what.index === undefined
    ? { ...what, index }
    : { ...what, name: `${what.name}[\${${what.index}}]`, index };
}

/** The path, as an argument. */
export function pathText({ name, index }: Subject): string {
  if (index !== undefined) return `\`${name}[\${${index}}]\``;
  return name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
}

/** The path in two arguments, for `inside`: the name, and the index if there is one. */
export function insideArguments({ name, index }: Subject): string {
  const text = name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
  return index === undefined ? text : `${text}, ${index}`;
}

/** The line of the schema, as an argument that is worked out only when it is needed. */
export function schemaLine(line: number): string {
  return `\`\${${SCHEMA_FILE}}:${line}\``;
}
