/** How integers and bit fields are got out of a DataView and put into one. */
import type { Field, IntType, Slot } from "../../schema/ir.js";
import { code, type Part } from "../printer.js";
import type { StructContext } from "./context.js";
import { literal } from "./expressions.js";

/** What is needed to print a byte order. A view keeps it in a field of its own, functions in a parameter. */
export type Orders = Pick<StructContext, "order" | "module">;

/** `at`, or `at + 4`. */
export function place(base: Part, offset: number): Part {
  return offset === 0 ? base : [base, ` + ${offset}`];
}

/** `getUint16`, `setBigInt64`: the method of DataView. 64 bits held as a number have none. */
function method(prefix: "get" | "set", int: IntType): string {
  const sign = int.signed ? "Int" : "Uint";
  return int.bits === 64 ? `${prefix}Big${sign}64` : `${prefix}${sign}${int.bits}`;
}

/** Held as a number, though it has 64 bits: needs a check. */
export function isWideNumber(int: IntType): boolean {
  return int.bits === 64 && int.rep === "number";
}

/** The value as it lies there. Wide numbers may come out inexact: the caller compares them with what is exact. */
export function rawInteger(int: IntType, view: Part, at: Part, context: Orders): Part {
  const order = context.order(int.order);
  if (isWideNumber(int))
    return code`${context.module.runtime(int.signed ? "rawS64" : "rawU64")}(${view}, ${at}, ${order})`;
  return int.bits === 8
    ? code`${view}.${method("get", int)}(${at})`
    : code`${view}.${method("get", int)}(${at}, ${order})`;
}

/** The value; throws what does not fit. */
export function readInteger(int: IntType, reader: Part, view: Part, at: Part, context: Orders): Part {
  if (!isWideNumber(int)) return rawInteger(int, view, at, context);
  return code`${context.module.runtime(int.signed ? "readS64" : "readU64")}(${reader}, ${at}, ${context.order(int.order)})`;
}

/** A statement that writes a value which is known to fit. */
export function writeInteger(int: IntType, view: Part, at: Part, value: Part, context: Orders): Part {
  const order = context.order(int.order);
  if (isWideNumber(int)) {
    return code`${context.module.runtime(int.signed ? "writeS64" : "writeU64")}(${view}, ${at}, ${value}, ${order});`;
  }
  const tail = int.bits === 8 ? "" : `, ${order}`;
  return code`${view}.${method("set", int)}(${at}, ${value}${tail});`;
}

/** A condition that is true when a raw wide number is not exact. */
export function isInexact(int: IntType, value: Part): Part {
  return int.signed ? code`!Number.isSafeInteger(${value})` : code`${value} > Number.MAX_SAFE_INTEGER`;
}

type BitsSlot = Slot & { readonly kind: "bits" };

/**
 * 64 bits are read as two halves when every field lies in one of them and is a number: a bigint would cost ten times
 * as much.
 */
export function isHalved(slot: BitsSlot): boolean {
  return (
    slot.int.bits === 64 &&
    slot.fields.every(({ type }) => {
      if (type.kind !== "bits" || type.int.rep !== "number") return false;
      return type.shift >= 32 || type.shift + type.width <= 32;
    })
  );
}

/** Where the half of 64 bits lies that holds `shift`. */
export function halfPlace(slot: BitsSlot, shift: number, base: Part, context: Orders): Part {
  const high = shift >= 32;
  const { order } = slot.int;
  if (order === "little" || order === "big")
    return place(base, slot.offset + ((order === "little") === high ? 4 : 0));
  const [first, second] = [place(base, slot.offset), place(base, slot.offset + 4)];
  return high
    ? code`${context.order(order)} ? ${second} : ${first}`
    : code`${context.order(order)} ? ${first} : ${second}`;
}

/** A field's value from the number that holds its container, or the half of it. */
export function extract(field: Field, container: Part, bits: 8 | 16 | 32 | 64): Part {
  if (field.type.kind !== "bits") throw new Error(`${field.name} is not a bit field`);
  const { width, int } = field.type;
  if (bits === 64) {
    const { shift } = field.type;
    const shifted = shift === 0 ? container : code`${container} >> ${shift}n`;
    const low = shift === 0 ? container : code`(${shifted})`;
    const whole = shift + width === 64;
    const value = whole ? shifted : code`${low} & ${literal((1n << BigInt(width)) - 1n, "bigint", 16)}`;
    return int.rep === "number" ? code`Number(${value})` : value;
  }
  const shift = field.type.shift % 32;
  if (shift + width === bits) return shift === 0 ? container : code`${container} >>> ${shift}`;
  const mask = literal((1n << BigInt(width)) - 1n, "number", 16);
  return shift === 0 ? code`${container} & ${mask}` : code`(${container} >>> ${shift}) & ${mask}`;
}
