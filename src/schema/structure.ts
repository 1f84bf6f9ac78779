/** Walks over the parts of a struct: what it is made of, and what it holds. */
import type { Argument, Count, Expr, Field, FieldType, Node, Program, Struct } from "./ir.js";

/** Every node in the order of the bytes, those inside ranges, conditions and arms behind the node that holds them. */
export function allNodes(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...allNodes(childrenOf(node))]);
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "range":
    case "optional":
      return node.body;
    case "if":
      return [...node.then, ...node.else];
    case "switch": {
      const arms = node.cases.flatMap((each) => each.arm?.nodes ?? []);
      return node.default.kind === "refuse" ? arms : [...arms, ...node.default.arm.nodes];
    }
    default:
      return [];
  }
}

/** Every field, arms of switches included. */
export function allFields(struct: Struct): Field[] {
  return allNodes(struct.nodes).flatMap((node) => {
    if (node.kind === "field") return [node.field];
    if (node.kind !== "run") return [];
    return node.slots.flatMap((slot) => (slot.kind === "field" ? [slot.field] : slot.fields));
  });
}

/** The type of what is not an array, behind all dimensions. */
export function innermost(type: FieldType): FieldType {
  return type.kind === "array" ? innermost(type.element) : type;
}

/** The struct and everything that it holds. */
export function closureOf(struct: Struct, seen = new Set<Struct>()): ReadonlySet<Struct> {
  if (seen.has(struct)) return seen;
  seen.add(struct);
  for (const { type } of allFields(struct)) {
    const inner = innermost(type);
    if (inner.kind === "struct") closureOf(inner.struct, seen);
  }
  return seen;
}

export function structsOf(program: Program): Struct[] {
  return program.modules.flatMap(({ decls }) => decls.filter((decl) => decl.kind === "struct"));
}

/** Every expression of the struct itself. */
export function expressionsOf(struct: Struct): Expr[] {
  return allNodes(struct.nodes).flatMap((node): readonly Expr[] => {
    switch (node.kind) {
      case "run":
        return node.slots.flatMap((slot) =>
          slot.kind === "field" ? expressionsOfType(slot.field.type) : [],
        );
      case "field":
        return expressionsOfType(node.field.type);
      case "range":
        return [node.length];
      case "if":
      case "where":
        return [node.condition];
      case "switch":
        return node.default.kind === "skip" ? [node.on, node.default.condition] : [node.on];
      case "optional":
        return [];
    }
  });
}

function expressionsOfType(type: FieldType): readonly Expr[] {
  switch (type.kind) {
    case "struct":
      return type.args.flatMap((arg: Argument) => (arg.kind === "expr" ? [arg.expr] : []));
    case "bytes":
    case "text":
      return expressionsOfCount(type.count);
    case "array":
      return [...expressionsOfCount(type.count), ...expressionsOfType(type.element)];
    default:
      return [];
  }
}

export function expressionsOfCount(count: Count): readonly Expr[] {
  if (count.kind === "expr" || count.kind === "bytes") return [count.expr];
  return count.kind === "while" ? [count.condition] : [];
}
