/** What an expression is made of, and what it looks at. */
import type { Expr, Field } from "./ir.js";

/** The expression and all that it is made of. */
export function partsOf(expr: Expr): Expr[] {
  switch (expr.kind) {
    case "unary":
      return [expr, ...partsOf(expr.arg)];
    case "binary":
      return [expr, ...partsOf(expr.left), ...partsOf(expr.right)];
    case "conditional":
      return [expr, ...[expr.test, expr.then, expr.else].flatMap(partsOf)];
    default:
      return [expr];
  }
}

/** Every field path that the expression reads. */
export function pathsOf(expr: Expr): (readonly Field[])[] {
  return partsOf(expr).flatMap((part) => (part.kind === "field" ? [part.path] : []));
}

/** The fields of its own struct that the expression reads, or reads something in. */
export function fieldsOf(expr: Expr): Field[] {
  return pathsOf(expr).flatMap((path) => path.slice(0, 1));
}

export function usesRemaining(expr: Expr): boolean {
  return partsOf(expr).some((part) => part.kind === "remaining");
}

/** The expression reads \`remaining\`, or what follows: it can be told on decode only. */
export function looksAhead(expr: Expr): boolean {
  return partsOf(expr).some((part) => part.kind === "remaining" || part.kind === "peek");
}

/** How many bytes beyond the cursor an expression looks at: 0 when it does not. */
export function peekedBytes(expr: Expr): number {
  return Math.max(0, ...partsOf(expr).map((part) => (part.kind === "peek" ? part.int.bits / 8 : 0)));
}
