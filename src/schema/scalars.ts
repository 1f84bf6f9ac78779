/** The scalar types of the language: what `le16`, `s64` and the like stand for. */
import type { Interval, IntType, Order } from "./ir.js";

export interface Scalar {
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
  /** Fixed by the prefix, or that of the struct. One byte has no order; it counts as little. */
  readonly order: "little" | "big" | "struct";
}

export function scalarOf(name: string): Scalar | undefined {
  const match = /^(?:(u|s)(8|16|32|64)|(s?)(le|be)(16|32|64))$/.exec(name);
  if (!match) return undefined;
  const [, plainSign, plainBits, prefixSign, prefix, prefixBits] = match;
  const bits = Number(plainBits ?? prefixBits) as Scalar["bits"];
  if (prefix !== undefined)
    return { bits, signed: prefixSign === "s", order: prefix === "le" ? "little" : "big" };
  return { bits, signed: plainSign === "s", order: bits === 8 ? "little" : "struct" };
}

export const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** The values that an integer can have where it is held. */
export function rangeOf(int: IntType): Interval {
  const range = rawRange(int.bits, int.signed);
  if (int.rep === "bigint" || int.bits < 64) return range;
  return { min: int.signed ? -MAX_SAFE : 0n, max: MAX_SAFE };
}

/** The values that fit into so many bits. */
export function rawRange(bits: number, signed: boolean): Interval {
  if (signed) return { min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n };
  return { min: 0n, max: (1n << BigInt(bits)) - 1n };
}

export function intType(scalar: Scalar, structOrder: Order): IntType {
  return {
    bits: scalar.bits,
    signed: scalar.signed,
    order: scalar.order === "struct" ? structOrder : scalar.order,
    rep: scalar.bits === 64 ? "bigint" : "number",
  };
}

export function contains(range: Interval, value: bigint): boolean {
  return value >= range.min && value <= range.max;
}
