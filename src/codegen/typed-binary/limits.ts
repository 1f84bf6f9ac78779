/**
 * What typed-binary 4.3.3 cannot express. It is made for formats of its own: integers of up to 32 bits in the one order
 * of the reader, arrays of a constant length or behind a 32-bit count.
 */
import type { Field, FieldType, IntType, Node, Order, RunNode, Struct } from "../../schema/ir.js";

const known = new WeakMap<Struct, { readonly why: string | undefined }>();

export function obstacleTo(struct: Struct): string | undefined {
  let found = known.get(struct);
  if (found === undefined) {
    found = { why: inParams(struct) ?? inNodes(struct) ?? inOrders(struct) };
    known.set(struct, found);
  }
  return found.why;
}

/** The byte orders of a struct's integers, one-byte ones apart. */
export function ordersOf(struct: Struct): Set<Order> {
  const orders = new Set<Order>();
  for (const field of struct.fields) addOrders(field.type, orders);
  return orders;
}

function addOrders(type: FieldType, orders: Set<Order>): void {
  switch (type.kind) {
    case "int":
    case "bits":
      if (type.int.bits > 8) orders.add(type.int.order);
      break;
    case "array":
      addOrders(type.element, orders);
      break;
    case "struct":
      for (const order of ordersOf(type.struct)) {
        const arg = typeof order === "object" ? type.args[type.struct.params.indexOf(order)] : undefined;
        orders.add(arg?.kind === "order" ? arg.order : order);
      }
      break;
    case "bytes":
    case "text":
      break;
  }
}

/** The count that stands right before an array and is nothing else, which typed-binary reads with the array. */
export function prefixOf(run: RunNode, next: Node | undefined): Field | undefined {
  const last = run.slots[run.slots.length - 1];
  if (last?.kind !== "field" || next?.kind !== "field" || next.field.type.kind !== "array") return undefined;
  const { role, type } = last.field;
  if (role.kind !== "derived" || role.of.kind !== "count" || role.steps.length > 0) return undefined;
  if (role.of.field !== next.field || type.kind !== "int") return undefined;
  return type.int.bits === 32 && !type.int.signed ? last.field : undefined;
}

function inParams({ params }: Struct): string | undefined {
  const param = params.find(({ type }) => type.kind !== "order");
  return (
    param && `it depends on the parameter ${param.name}, and typed-binary has no schemas with parameters`
  );
}

function inOrders(struct: Struct): string | undefined {
  return ordersOf(struct).size > 1
    ? "its integers have several byte orders, and a reader of typed-binary has one"
    : undefined;
}

function inNodes({ nodes }: Struct): string | undefined {
  for (const [index, node] of nodes.entries()) {
    const before = nodes[index - 1];
    const counted = before?.kind === "run" && prefixOf(before, node) !== undefined;
    const why = inNode(node, counted);
    if (why !== undefined) return why;
  }
  return undefined;
}

function inNode(node: Node, counted: boolean): string | undefined {
  switch (node.kind) {
    case "run":
      for (const slot of node.slots) {
        const why =
          slot.kind === "bits"
            ? `typed-binary has no bit fields, such as ${slot.fields[0]?.name ?? ""}`
            : inType(slot.field.type, slot.field.name);
        if (why !== undefined) return why;
      }
      return undefined;
    case "field": {
      const { name, type } = node.field;
      if (counted && type.kind === "array") return inType(type.element, name);
      if (type.kind === "struct") return inType(type, name);
      return `the length of ${name} is not constant and does not come from a 32-bit count of elements right before it`;
    }
    case "if":
      return "typed-binary has no conditions on earlier fields";
    case "range":
      return `typed-binary has no ranges, such as the one that begins with ${node.name}`;
    case "optional":
      return "typed-binary cannot tell whether bytes are left for an optional member";
    case "switch":
      return `typed-binary cannot choose ${node.name} by a number that was read before`;
    case "where":
      return undefined;
  }
}

function inType(type: FieldType, name: string): string | undefined {
  switch (type.kind) {
    case "int":
      return inInt(type.int, name);
    case "bits":
      return undefined;
    case "bytes":
      return undefined;
    case "text":
      return `typed-binary keeps the NULs that fill up the text ${name}`;
    case "struct":
      return obstacleTo(type.struct) && `${name} is a ${type.struct.name}, which has none`;
    case "array":
      return inType(type.element, name);
  }
}

function inInt(int: IntType, name: string): string | undefined {
  return int.bits === 64 ? `${name} has 64 bits, and typed-binary has integers of up to 32` : undefined;
}
