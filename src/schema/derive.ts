/**
 * Finds the fields that only count something. They are not part of decoded values, because encoding can compute them:
 * nobody has to keep a length in step with what it measures.
 */
import type { Draft } from "./draft.js";
import type { Count, Expr, Field, FieldType, Measured, Node, Step } from "./ir.js";
import { fieldsOf } from "./reads.js";

/**
 * One block: the members of a struct, or of a branch of a condition. A field can be derived only from something in its
 * own block, because a branch that is not taken measures nothing. Ranges are not conditional, so they belong to it.
 */
export function deriveRoles(nodes: readonly Node[]): void {
  const own = new Set<Field>();
  /** What has been gone past, the insides of ranges included. */
  const before: Node[] = [];
  const visit = (block: readonly Node[]): void => {
    for (const node of block) {
      switch (node.kind) {
        case "run":
          for (const slot of node.slots) {
            if (slot.kind !== "field") continue;
            own.add(slot.field);
          }
          break;
        case "field": {
          own.add(node.field);
          const measured = countOf(node.field);
          const known = argumentsOf(node.field.type);
          if (measured) derive(own, measured.expr, measured.of, known, before);
          break;
        }
        case "range":
          derive(own, node.length, { kind: "range", range: node }, node.body.flatMap(expressionsOf), before);
          visit(node.body);
          break;
        case "if":
          deriveRoles(node.then);
          deriveRoles(node.else);
          break;
        case "optional":
          deriveRoles(node.body);
          break;
        case "switch":
        case "where":
          break;
      }
      if (node.kind !== "range") before.push(node);
    }
  };
  visit(nodes);
}

function countOf(field: Field): { expr: Expr; of: Measured } | undefined {
  const { type } = field;
  if (type.kind !== "bytes" && type.kind !== "text" && type.kind !== "array") return undefined;
  const count: Count = type.count;
  if (count.kind === "expr") return { expr: count.expr, of: { kind: "count", field } };
  if (count.kind === "bytes") return { expr: count.expr, of: { kind: "bytes", field } };
  return undefined;
}

/** The first thing that a field measures derives it; what else it measures is compared when encoding. */
function derive(
  own: ReadonlySet<Field>,
  expr: Expr,
  of: Measured,
  inside: readonly Expr[],
  before: readonly Node[],
): void {
  const inverse = invert(expr);
  if (!inverse || !own.has(inverse.field) || inverse.field.role.kind !== "value") return;
  // What has to be written before its size is known cannot depend on that size, nor can anything in front of it.
  const reads = (read: Expr): boolean => fieldsOf(read).includes(inverse.field);
  if (!isCounted(of) && [...before.flatMap(expressionsOf), ...inside].some(reads)) return;
  (inverse.field as Draft<Field>).role = { kind: "derived", of, steps: inverse.steps };
}

/** The value tells by itself how much there is. */
function isCounted(of: Measured): boolean {
  if (of.kind !== "bytes") return of.kind === "count";
  const { type } = of.field;
  return type.kind !== "array" || type.elementSize.min === type.elementSize.max;
}

/** The expressions that encoding a node must know, however deep. Constraints can wait. */
function expressionsOf(node: Node): Expr[] {
  switch (node.kind) {
    case "run":
      return node.slots.flatMap((slot) => (slot.kind === "field" ? argumentsOf(slot.field.type) : []));
    case "field":
      return [...argumentsOf(node.field.type), ...countsOf(node.field.type)];
    case "range":
      return [node.length, ...node.body.flatMap(expressionsOf)];
    case "if":
      return [node.condition, ...[...node.then, ...node.else].flatMap(expressionsOf)];
    case "optional":
      return node.body.flatMap(expressionsOf);
    case "switch": {
      const arms = node.cases.map((one) => one.arm);
      const { default: otherwise } = node;
      if (otherwise.kind !== "refuse") arms.push(otherwise.arm);
      const skipIf = otherwise.kind === "skip" ? [otherwise.condition] : [];
      return [node.on, ...skipIf, ...arms.flatMap((arm) => arm?.nodes ?? []).flatMap(expressionsOf)];
    }
    case "where":
      return [];
  }
}

function argumentsOf(type: FieldType): Expr[] {
  if (type.kind === "array") return argumentsOf(type.element);
  if (type.kind !== "struct") return [];
  return type.args.flatMap((argument) => (argument.kind === "expr" ? [argument.expr] : []));
}

function countsOf(type: FieldType): Expr[] {
  if (type.kind !== "bytes" && type.kind !== "text" && type.kind !== "array") return [];
  const { count } = type;
  return count.kind === "expr" || count.kind === "bytes" ? [count.expr] : [];
}

/** Turns `f(field) = count` round: the steps lead from the count to the field. Division loses what it cuts off. */
function invert(expr: Expr): { field: Field; steps: Step[] } | undefined {
  if (expr.kind === "field") {
    const [field, ...inner] = expr.path;
    // A measuring field with a meaning (a type, a set of flags) says more than a number; so do bits of a container.
    if (!field || inner.length > 0 || field.type.kind !== "int" || field.type.meaning) return undefined;
    return { field, steps: [] };
  }
  if (expr.kind !== "binary") return undefined;
  const { op, left, right } = expr;
  if (right.kind === "int") {
    if (op === "+") return then({ op: "sub", by: right.value }, left);
    if (op === "-") return then({ op: "add", by: right.value }, left);
    if (op === "*" && right.value > 0n) return then({ op: "div", by: right.value }, left);
    if (op === "<<") return then({ op: "div", by: 1n << right.value }, left);
  }
  if (left.kind === "int") {
    if (op === "+") return then({ op: "sub", by: left.value }, right);
    if (op === "*" && left.value > 0n) return then({ op: "div", by: left.value }, right);
  }
  return undefined;
}

function then(step: Step, rest: Expr): { field: Field; steps: Step[] } | undefined {
  const inverse = invert(rest);
  return inverse && { field: inverse.field, steps: [step, ...inverse.steps] };
}
