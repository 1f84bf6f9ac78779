/**
 * What the conditions around a place have said of fields and parameters, where they leave few values: `type == 1`. A
 * comparison with any other value is a mistake, and TypeScript, which draws the same conclusions, would refuse the code
 * that is generated from it.
 */
import type { Expr } from "./ir.js";

/** The values that something can still have, by its path in the struct. */
export type Facts = ReadonlyMap<string, ReadonlySet<bigint>>;

export const NO_FACTS: Facts = new Map();

/** What is known when `condition` has turned out to be `truth`. */
export function assuming(facts: Facts, condition: Expr, truth: boolean): Facts {
  if (condition.kind === "unary" && condition.op === "!") return assuming(facts, condition.arg, !truth);
  if (condition.kind !== "binary") return facts;
  const { op, left, right } = condition;
  if (op === "&&" || op === "||") {
    // Both sides have turned out so, or it is not known which of them has.
    if ((op === "&&") === truth) return assuming(assuming(facts, left, truth), right, truth);
    return either(assuming(facts, left, truth), assuming(assuming(facts, left, !truth), right, truth));
  }
  const compared = comparedIn(condition);
  if (compared === undefined) return facts;
  const { path, value } = compared;
  const known = facts.get(path);
  if ((op === "==") === truth) return new Map(facts).set(path, new Set([value]));
  if (known === undefined) return facts;
  return new Map(facts).set(path, new Set([...known].filter((other) => other !== value)));
}

/** What is known where the tag of a switch is one of these. */
export function chosen(facts: Facts, tag: Expr, values: readonly bigint[]): Facts {
  const path = pathOf(tag);
  return path === undefined ? facts : new Map(facts).set(path, new Set(values));
}

/** The values that are left for a field or a parameter, where few are. */
export function valuesKnown(facts: Facts, expr: Expr): ReadonlySet<bigint> | undefined {
  const path = pathOf(expr);
  return path === undefined ? undefined : facts.get(path);
}

/** Whether the comparison is with a value that can no longer be: its result is known. */
export function isSettled(facts: Facts, comparison: Expr): boolean {
  const compared = comparedIn(comparison);
  if (compared === undefined) return false;
  return facts.get(compared.path)?.has(compared.value) === false;
}

/** Of each, what both know of it. */
function either(one: Facts, other: Facts): Facts {
  const both = new Map<string, ReadonlySet<bigint>>();
  for (const [path, values] of one) {
    const others = other.get(path);
    if (others !== undefined) both.set(path, new Set([...values, ...others]));
  }
  return both;
}

/** `==` or `!=` of a field or a parameter and a constant. */
function comparedIn(expr: Expr): { readonly path: string; readonly value: bigint } | undefined {
  if (expr.kind !== "binary" || (expr.op !== "==" && expr.op !== "!=")) return undefined;
  const [subject, constant] = expr.right.kind === "int" ? [expr.left, expr.right] : [expr.right, expr.left];
  const path = pathOf(subject);
  return path === undefined || constant.kind !== "int" ? undefined : { path, value: constant.value };
}

/** The names of fields and parameters are different ones within a struct. */
function pathOf(expr: Expr): string | undefined {
  if (expr.kind === "field") return expr.path.map((field) => field.name).join(".");
  return expr.kind === "param" ? expr.param.name : undefined;
}
