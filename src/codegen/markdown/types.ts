/** Types and sizes in the words of the schema language. */
import type { Count, FieldType, Module, Size } from "../../schema/ir.js";
import { expressionText } from "./expression.js";
import { linkTo } from "./links.js";
import { scalarText } from "./scalar.js";
import { code } from "./text.js";

/** `` `le16` ``, `` `u8[6]` ``, a link to a struct or to what the integer means. */
export function typeText(type: FieldType, from: Module): string {
  let element = type;
  let dimensions = "";
  while (element.kind === "array") {
    dimensions += dimension(element.count);
    element = element.element;
  }
  switch (element.kind) {
    case "bytes":
    case "text":
      return code(`${element.kind === "bytes" ? "u8" : "char"}${dimensions}${dimension(element.count)}`);
    case "struct": {
      const args = element.args.flatMap((arg) => (arg.kind === "expr" ? [expressionText(arg.expr)] : []));
      const suffix = `${args.length === 0 ? "" : `(${args.join(", ")})`}${dimensions}`;
      return linkTo(element.struct, from) + (suffix === "" ? "" : code(suffix));
    }
    case "int":
    case "bits": {
      const scalar = code(`${scalarText(element.int)}${dimensions}`);
      return element.meaning === undefined ? scalar : `${scalar} as ${linkTo(element.meaning, from)}`;
    }
  }
}

/** In bytes: `4`, `4 … 20`, `≥ 4`; or what it is computed from. */
export function sizeCell(type: FieldType, size: Size): string {
  if (size.min === size.max) return String(size.min);
  if (type.kind === "bytes" || type.kind === "text") {
    if (type.count.kind === "expr" || type.count.kind === "bytes")
      return code(expressionText(type.count.expr));
  }
  if (type.kind === "array") {
    const { count, elementSize } = type;
    if (count.kind === "bytes") return code(expressionText(count.expr));
    if (count.kind === "expr" && elementSize.min === elementSize.max) {
      const { expr } = count;
      const text =
        expr.kind === "field" || expr.kind === "param" ? expressionText(expr) : `(${expressionText(expr)})`;
      return elementSize.min === 1 ? code(text) : `${code(text)} · ${elementSize.min}`;
    }
  }
  return rangeCell(size);
}

export function rangeCell({ min, max }: Size): string {
  if (min === max) return String(min);
  // A bound that no buffer reaches comes from the range of a length.
  if (max === undefined || max >= 2 ** 32) return `≥ ${min}`;
  return `${min} … ${max}`;
}

function dimension(count: Count): string {
  switch (count.kind) {
    case "const":
      return `[${count.value}]`;
    case "expr":
      return `[${expressionText(count.expr)}]`;
    case "bytes":
      return `[bytes ${expressionText(count.expr)}]`;
    case "rest":
      return "[..]";
    case "while":
      return `[while ${expressionText(count.condition)}]`;
  }
}
