/** Ranges of values: what an operation can give when its operands can be so much. */
import type { Expr, Interval } from "./ir.js";

export const BOOL: Interval = { min: 0n, max: 1n };

export function intervalOf(expr: Expr): Interval {
  return expr.kind === "bool" ? { min: 0n, max: 1n } : expr.range;
}

export function corners(a: Interval, b: Interval, f: (x: bigint, y: bigint) => bigint): Interval {
  const values = [f(a.min, b.min), f(a.min, b.max), f(a.max, b.min), f(a.max, b.max)];
  return { min: values.reduce(min), max: values.reduce(max) };
}

export function hull(a: Expr, b: Expr): Interval {
  const [x, y] = [intervalOf(a), intervalOf(b)];
  return { min: min(x.min, y.min), max: max(x.max, y.max) };
}

export function negate(range: Interval): Interval {
  return { min: -range.max, max: -range.min };
}

/** All ones up to the highest bit. */
export function fill(value: bigint): bigint {
  return (1n << BigInt(value.toString(2).length)) - 1n;
}

export function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Whether the result of a comparison is open, as far as the ranges tell. */
export function canDiffer(op: string, a: Interval, b: Interval): boolean {
  switch (op) {
    case "==":
    case "!=":
      return a.max >= b.min && b.max >= a.min && !(a.min === a.max && b.min === b.max);
    case "<":
    case ">=":
      return a.min < b.max && a.max >= b.min;
    default:
      return a.min <= b.max && a.max > b.min;
  }
}
