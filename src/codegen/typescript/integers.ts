/** How integers and bit fields are got out of a DataView and put into one. */
import type { Field, IntType, Slot } from "../../schema/ir.js";
import { code, join, type Part } from "../printer.js";
import type { StructContext } from "./context.js";
import { isVariable, literal } from "./expressions.js";

/** What is needed to print a byte order. A view keeps it in a field of its own, functions in a parameter. */
export type Orders = Pick<StructContext, "order" | "module">;

/** `at`, or `at + 4`; four bytes behind that, `at + 8`. */
export function place(base: Part, offset: number): Part {
  if (offset === 0) return base;
  if (typeof base !== "string" && !("from" in base)) {
    const [origin, behind] = base;
    const known = typeof behind === "string" ? /^ \+ (\d+)$/.exec(behind)?.[1] : undefined;
    if (origin !== undefined && known !== undefined && base.length === 2)
      return [origin, ` + ${Number(known) + offset}`];
  }
  return [base, ` + ${offset}`];
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

/**
 * The same written out, for code that runs for every value: engines put a number above 2^31 on the heap to return it
 * from a call that they have not inlined, and whether they have is a matter of luck. No operand of anything but a
 * comparison, and no call only where the byte order is known.
 */
export function writtenOut(int: IntType, view: string, at: Part, context: Orders): Part {
  const order = int.order;
  if (!isWideNumber(int) || (order !== "little" && order !== "big"))
    return rawInteger(int, view, at, context);
  const { high, low } = halves(at, order);
  const sign = int.signed ? "Int" : "Uint";
  const flag = context.order(order);
  return code`${view}.get${sign}32(${high}, ${flag}) * ${TWO_32} + ${view}.getUint32(${low}, ${flag})`;
}

const TWO_32 = "0x1_0000_0000";

function halves(at: Part, order: "little" | "big"): { readonly high: Part; readonly low: Part } {
  const second = place(at, 4);
  return order === "little" ? { high: second, low: at } : { high: at, low: second };
}

/** Statements that write a value which is known to fit. */
export function writeInteger(int: IntType, view: Part, at: Part, value: Part, context: Orders): Part {
  const { order: stated } = int;
  const order = context.order(stated);
  if (isWideNumber(int)) {
    // Written out for the reason that `writtenOut` gives. DataView takes a number modulo 2^32, also when it is negative.
    if (
      (stated === "little" || stated === "big") &&
      typeof value === "string" &&
      /^[a-z$]/i.test(value) &&
      isVariable(value)
    ) {
      const { high, low } = halves(at, stated);
      const upper = `${value} / ${TWO_32}`;
      const lines = [
        code`${view}.setUint32(${low}, ${value}, ${order});`,
        code`${view}.setUint32(${high}, ${int.signed ? `Math.floor(${upper})` : upper}, ${order});`,
      ];
      return join(stated === "little" ? lines : lines.reverse(), "\n");
    }
    return code`${context.module.runtime(int.signed ? "writeS64" : "writeU64")}(${view}, ${at}, ${value}, ${order});`;
  }
  const tail = int.bits === 8 ? "" : `, ${order}`;
  return code`${view}.${method("set", int)}(${at}, ${value}${tail});`;
}

/** A condition that is true when the wide number at a place is not exact: all that scanning needs to know of most. */
export function isInexactAt(int: IntType, view: string, at: Part, context: Orders): Part {
  if (int.signed || (int.order !== "little" && int.order !== "big"))
    return isInexact(int, writtenOut(int, view, at, context));
  const { high } = halves(at, int.order);
  return code`${view}.getUint32(${high}, ${context.order(int.order)}) > ${context.module.runtime("MAX_SAFE_HIGH")}`;
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
