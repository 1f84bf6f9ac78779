/** Integers that are written out. */
import type { Expr, Rep } from "./ir.js";
import { MAX_SAFE, rawRange } from "./scalars.js";
import type { BinaryOperator, ExprSyntax } from "./syntax.js";

export function literal(value: bigint, hint?: string): Expr {
  const rep: Rep = value >= -MAX_SAFE && value <= MAX_SAFE ? "number" : "bigint";
  return { kind: "int", value, rep, range: { min: value, max: value }, hint };
}

/** Integers that are written out, or a choice between such: they have no representation of their own. */
export function isLiteral(expr: Expr): boolean {
  if (expr.kind === "conditional") return isLiteral(expr.then) && isLiteral(expr.else);
  return expr.kind === "int";
}

/** A literal in the representation of what it stands beside. */
export function withRep(expr: Expr, rep: Rep): Expr {
  if (expr.kind === "conditional")
    return { ...expr, then: withRep(expr.then, rep), else: withRep(expr.else, rep), rep };
  return expr.kind === "int" ? { ...expr, rep } : expr;
}

/** What an arithmetic operator can have on a side. */
export type Operand = Exclude<Expr, { kind: "bool" }>;

/** `~0x3` as the operand of a bit operator: the complement within the bits that the operator works on. */
export function complementIn(expr: Operand, syntax: ExprSyntax, width: number): Operand {
  if (expr.kind !== "int" || syntax.kind !== "unary" || syntax.op !== "~") return expr;
  const value = expr.value & rawRange(width, false).max;
  return { ...expr, value, range: { min: value, max: value } };
}

export function compare(op: BinaryOperator, a: bigint, b: bigint): boolean {
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    default:
      return a >= b;
  }
}
