/** Integers and bit fields as they lie in memory, got at without decoding what is around them. */
import type { Field, FieldType, Order, Slot } from "../../schema/ir.js";
import type { Part } from "../printer.js";
import { extract, halfPlace, isHalved, type Orders, place, rawInteger } from "./integers.js";
import { locate } from "./nested.js";

export type BitsSlot = Slot & { readonly kind: "bits" };

/** A field at a known place. */
export interface Located {
  readonly field: Field;
  /** It lies `offset` behind `base`; of a bit field, its container does. */
  readonly base: Part;
  readonly offset: number;
  /** The container of a bit field. */
  readonly bits: BitsSlot | undefined;
  readonly orders: Orders;
}

/** The value. 64-bit integers that are numbers are not checked. */
export function rawValue({ field, base, offset, bits, orders }: Located, view: Part): Part {
  const at = place(base, offset);
  if (bits === undefined) {
    if (field.type.kind !== "int") throw new Error(`${field.name} is no integer`);
    return rawInteger(field.type.int, view, at, orders);
  }
  const { int } = bits;
  const container = { ...bits, offset: 0 };
  if (isHalved(container) && field.type.kind === "bits") {
    const half = { ...int, signed: false, bits: 32 } as const;
    return extract(
      field,
      rawInteger(half, view, halfPlace(container, field.type.shift, at, orders), orders),
      32,
    );
  }
  const whole = { ...int, signed: false, rep: int.bits === 64 ? "bigint" : "number" } as const;
  return extract(field, rawInteger(whole, view, at, orders), int.bits);
}

/** A field inside nested structs: `path` leads from the field that is located to the last one. */
export function descend(located: Located, path: readonly Field[]): Located {
  const [inner, ...others] = path;
  if (inner === undefined) return located;
  const { type } = located.field;
  if (type.kind !== "struct") throw new Error(`${located.field.name} has no fields`);
  const found = locate(type.struct, inner);
  // The compiler refuses paths to what has no constant place.
  if (found === undefined) throw new Error(`${inner.name} has no constant place in ${type.struct.name}`);
  const { orders } = located;
  const nested: Located = {
    field: inner,
    base: located.base,
    offset: located.offset + found.offset,
    bits: found.slot.kind === "bits" ? found.slot : undefined,
    orders: { module: orders.module, order: (order) => orders.order(argumentOrder(order, type)) },
  };
  return descend(nested, others);
}

/** The byte order of a nested struct as its holder knows it. */
function argumentOrder(order: Order, type: FieldType & { readonly kind: "struct" }): Order {
  if (typeof order === "string") return order;
  const argument = type.args[type.struct.params.indexOf(order)];
  if (argument?.kind !== "order") throw new Error(`${order.name} is no byte order`);
  return argument.order;
}
