/** Expressions as the schema has them: C's operators, and no more parentheses than it takes. */
import type { BinaryOp, Expr } from "../../schema/ir.js";
import { scalarText } from "./scalar.js";

const LEVELS: readonly (readonly BinaryOp[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const UNARY = LEVELS.length;

export function expressionText(expr: Expr): string {
  return print(expr).text;
}

/** `9`, `0x1000`: large numbers are masks, sizes or codes, which documents give in hexadecimal. */
export function numberText(value: bigint): string {
  return value < 10n ? String(value) : `0x${value.toString(16)}`;
}

interface Printed {
  readonly text: string;
  /** How tightly the outermost operator binds. */
  readonly level: number;
}

function print(expr: Expr): Printed {
  switch (expr.kind) {
    case "int":
      return {
        text: expr.hint ?? (expr.value < 0x1000n ? String(expr.value) : numberText(expr.value)),
        level: UNARY,
      };
    case "bool":
      return { text: String(expr.value), level: UNARY };
    case "field":
      return { text: expr.path.map(({ name }) => name).join("."), level: UNARY };
    case "param":
      return { text: expr.param.name, level: UNARY };
    case "remaining":
      return { text: "remaining", level: UNARY };
    case "peek":
      return { text: `peek(${scalarText(expr.int)})`, level: UNARY };
    case "unary":
      return { text: expr.op + wrapped(print(expr.arg), UNARY), level: UNARY };
    case "binary":
      return binary(expr);
    case "conditional": {
      const [test, then, other] = [expr.test, expr.then, expr.else].map((each) => wrapped(print(each), 0));
      return { text: `${test} ? ${then} : ${other}`, level: -1 };
    }
  }
}

function binary(expr: Expr & { readonly kind: "binary" }): Printed {
  const { op, left, right } = expr;
  // A condition is written `features & F_MQ`; the comparison with zero is the compiler's.
  if (op === "!=" && right.kind === "int" && right.value === 0n && right.hint === undefined)
    return print(left);
  const level = LEVELS.findIndex((ops) => ops.includes(op));
  return { text: `${wrapped(print(left), level)} ${op} ${wrapped(print(right), level + 1)}`, level };
}

function wrapped({ text, level }: Printed, least: number): string {
  return level < least ? `(${text})` : text;
}
