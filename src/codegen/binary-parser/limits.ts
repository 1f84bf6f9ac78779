/**
 * What binary-parser 2.3.0 cannot express, or would decode as something else than the schema means. Where it is only
 * careless (a short buffer passes for a whole one), the definition adds the check; what is listed here has no remedy.
 */
import type { Expr, FieldType, Node, Slot, Struct, SwitchNode } from "../../schema/ir.js";
import { looksAhead, pathsOf } from "../../schema/reads.js";
import { armsOf } from "../members.js";

const known = new WeakMap<Struct, { readonly why: string | undefined }>();

export function obstacleTo(struct: Struct): string | undefined {
  let found = known.get(struct);
  if (found === undefined) {
    found = { why: inNodes(struct.nodes) };
    known.set(struct, found);
  }
  return found.why;
}

function inNodes(nodes: readonly Node[]): string | undefined {
  return firstOf(nodes, inNode);
}

function inNode(node: Node): string | undefined {
  switch (node.kind) {
    case "run":
      return firstOf(node.slots, inSlot);
    case "field":
      return inType(node.field.type, node.field.name);
    case "if":
      return inNodes(node.then) ?? inNodes(node.else);
    case "range":
      return `${node.name} begins a range of bytes, and binary-parser does not notice when one is left unread or overrun`;
    case "optional":
      return "binary-parser cannot tell whether bytes are left for an optional member";
    case "switch":
      return inSwitch(node);
    case "where":
      return undefined;
  }
}

function inSwitch(node: SwitchNode): string | undefined {
  if (looksAhead(node.on))
    return `what ${node.name} is depends on how many bytes are left, which binary-parser cannot tell`;
  const arms = armsOf(node).flatMap(({ field }) => (field === undefined ? [] : [field]));
  return firstOf(arms, ({ name, type }) => {
    // A choice is an object of its own, and expressions in it see nothing else.
    if (lengthsOf(type).some(readsFields))
      return `the length of ${name} stands outside of the choice that it belongs to`;
    return inType(type, name);
  });
}

function inSlot(slot: Slot): string | undefined {
  if (slot.kind === "field") return inType(slot.field.type, slot.field.name);
  const { bits, order } = slot.int;
  const name = slot.fields[0]?.name ?? "";
  if (bits === 64) return `${name} is part of a 64-bit integer, and binary-parser has bits of up to 32`;
  // With "little" it takes the bits from the other end, but of an integer that it still reads as big-endian.
  if (bits > 8 && order !== "big")
    return `binary-parser reads the integer that holds the bits of ${name} as big-endian`;
  return undefined;
}

function inType(type: FieldType, name: string): string | undefined {
  switch (type.kind) {
    case "int":
    case "bits":
      return undefined;
    case "bytes":
    case "text":
      return type.count.kind === "while" ? untilFalse(name) : undefined;
    case "struct": {
      const given = type.args.some((arg) => arg.kind === "expr" && readsFields(arg.expr));
      if (given)
        return `what ${name} is depends on an earlier field, and a parser is made before anything is read`;
      const why = obstacleTo(type.struct);
      return why && `${name} is a ${type.struct.name}, which has none`;
    }
    case "array":
      if (type.count.kind === "while") return untilFalse(name);
      if (type.count.kind === "bytes")
        return `binary-parser reads on past the bytes of ${name} when they hold no whole number of elements`;
      return inType(type.element, name);
  }
}

function lengthsOf(type: FieldType): Expr[] {
  if (type.kind !== "bytes" && type.kind !== "text" && type.kind !== "array") return [];
  const { count } = type;
  const inner = type.kind === "array" ? lengthsOf(type.element) : [];
  return count.kind === "expr" || count.kind === "bytes" ? [count.expr, ...inner] : inner;
}

function readsFields(expr: Expr): boolean {
  return pathsOf(expr).length > 0;
}

function untilFalse(name: string): string {
  return `${name} goes on as long as a condition holds, which binary-parser tests only behind an element`;
}

function firstOf<T>(items: readonly T[], test: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const why = test(item);
    if (why !== undefined) return why;
  }
  return undefined;
}
