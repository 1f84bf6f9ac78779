/** Types, counts and expressions of the IR as text in which equal things are equal. */
import type { Argument, Count, Expr, FieldType, IntType, Order, Param } from "../schema/ir.js";

export function expressionText(expr: Expr): string {
  switch (expr.kind) {
    case "int":
    case "bool":
      return String(expr.value);
    case "field":
      return expr.path.map(({ name }) => name).join(".");
    case "param":
      return expr.param.name;
    case "remaining":
      return "remaining";
    case "peek":
      return `peek(${integerText(expr.int)})`;
    case "unary":
      return `${expr.op}${operandText(expr.arg)}`;
    case "binary":
      return `${operandText(expr.left)} ${expr.op} ${operandText(expr.right)}`;
    case "conditional":
      return [expr.test, expr.then, expr.else].map(operandText).join(" ? ");
  }
}

function operandText(expr: Expr): string {
  return expr.kind === "binary" || expr.kind === "conditional"
    ? `(${expressionText(expr)})`
    : expressionText(expr);
}

/** The innermost type without its dimensions and without what its values are called. Structs are compared apart. */
export function baseText(type: FieldType): string {
  switch (type.kind) {
    case "int":
      return integerText(type.int) + (type.int.bits === 64 && type.int.rep === "number" ? " as number" : "");
    case "bits":
      return `${type.width} bits from bit ${type.shift} of ${integerText(type.int)}`;
    case "bytes":
      return "u8";
    case "text":
      return "char";
    case "struct":
      return `${type.struct.name}${argumentsText(type.args)}`;
    case "array":
      return baseText(type.element);
  }
}

function argumentsText(args: readonly Argument[]): string {
  if (args.length === 0) return "";
  const texts = args.map((each) =>
    each.kind === "expr" ? expressionText(each.expr) : orderText(each.order),
  );
  return `(${texts.join(", ")})`;
}

export function countText(type: FieldType): string {
  if (type.kind === "array") return dimensionText(type.count) + countText(type.element);
  return type.kind === "bytes" || type.kind === "text" ? dimensionText(type.count) : "";
}

function dimensionText(count: Count): string {
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

function integerText({ bits, signed, order }: IntType): string {
  const kind = `${signed ? "s" : "u"}${bits}`;
  return bits === 8 ? kind : `${orderText(order)}-endian ${kind}`;
}

function orderText(order: Order): string {
  return typeof order === "string" ? order : order.name;
}

export function paramText({ name, type }: Param): string {
  return type.kind === "int"
    ? `${type.meaning?.name ?? integerText(type.int)} ${name}`
    : `${type.kind} ${name}`;
}
