/**
 * What the conditions around a place have said of fields and parameters, where they leave few values: `type == 1`. A
 * comparison with any other value is a mistake, and TypeScript, which draws the same conclusions, would refuse the code
 * that is generated from it.
 */
import type { Enum, Expr } from "./ir.js";

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
  const { path, value, subject } = compared;
  const known = facts.get(path) ?? fewValuesOf(subject);
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

/** Whether the result of the comparison is known: its value can no longer be, is the only one left, or never was one. */
export function isSettled(facts: Facts, comparison: Expr): boolean {
  const compared = comparedIn(comparison);
  if (compared === undefined) return false;
  const { path, value, subject } = compared;
  const left = facts.get(path);
  if (left !== undefined) return !left.has(value) || left.size === 1;
  const values = valuesOfField(subject);
  return values !== undefined && !values.some((each) => value >= each.value && value <= each.to);
}

/** What a field of a closed enum can be. Parameters of one are given whatever an expression makes. */
function valuesOfField(expr: Expr): Enum["members"] | undefined {
  const field = expr.kind === "field" ? expr.path[expr.path.length - 1] : undefined;
  if (field?.type.kind !== "int" && field?.type.kind !== "bits") return undefined;
  const { meaning } = field.type;
  return meaning?.kind === "enum" && meaning.closed ? meaning.members : undefined;
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

/** A closed enum of more members than these is told apart by a switch, not by comparisons. */
const MAX_MEMBERS = 16;

/** All that a field of a closed enum can be, where that is little. */
function fewValuesOf(expr: Expr): ReadonlySet<bigint> | undefined {
  const members = valuesOfField(expr);
  const isFew = members && members.length <= MAX_MEMBERS && members.every(({ value, to }) => value === to);
  return isFew ? new Set(members.map(({ value }) => value)) : undefined;
}

/** `==` or `!=` of a field or a parameter and a constant. */
function comparedIn(
  expr: Expr,
): { readonly path: string; readonly value: bigint; readonly subject: Expr } | undefined {
  if (expr.kind !== "binary" || (expr.op !== "==" && expr.op !== "!=")) return undefined;
  const [subject, constant] = expr.right.kind === "int" ? [expr.left, expr.right] : [expr.right, expr.left];
  const path = pathOf(subject);
  return path === undefined || constant.kind !== "int" ? undefined : { path, value: constant.value, subject };
}

/** The names of fields and parameters are different ones within a struct. */
function pathOf(expr: Expr): string | undefined {
  if (expr.kind === "field") return expr.path.map((field) => field.name).join(".");
  return expr.kind === "param" ? expr.param.name : undefined;
}
