/**
 * New bytes for a field, from the text that the user wrote. The width, the sign and the byte order are the wire's own:
 * the order is that in which the bytes that stand there give the value that was decoded from them.
 */
import type { Node } from "../node.js";
import { numberNamed } from "./names.js";

/** Why the text cannot become the field's value. */
export class ValueError extends Error {}

export interface Encoded {
  readonly bytes: Uint8Array;
  /** The bytes were the same in both orders, and the type says nothing: it may be the other one. */
  readonly isGuess: boolean;
}

/** Throws `ValueError` when the text does not fit, before any byte is looked at. */
export function encoder(
  node: Node,
  text: string,
  section: string,
  otherOrder: boolean,
): (old: Uint8Array) => Encoded {
  const { value } = node;
  if (node.role === "derived" || node.role === "constant")
    throw new ValueError(
      `${node.name} is no value of its own: it follows from others, or is always the same`,
    );
  if (value instanceof Uint8Array) {
    const bytes = bytesFrom(text, node.size);
    return () => ({ bytes, isGuess: false });
  }
  if (typeof value === "string") {
    const bytes = textFrom(text, value, node.size);
    return () => ({ bytes, isGuess: false });
  }
  if (value === undefined) throw new ValueError(`${node.name} is no single value`);
  const number = numberFrom(text, node, section);
  return (old) => {
    const { little, isGuess } = orderOf(old, node, otherOrder);
    return { bytes: packed(old, node, number, little), isGuess };
  };
}

/** Whether the field has the value that the text says. */
export function hasValue(node: Node, text: string, section: string): boolean {
  const { value } = node;
  if (value instanceof Uint8Array) return bytesFrom(text, node.size).every((byte, i) => byte === value[i]);
  if (typeof value === "string") return value === text;
  return value !== undefined && numberFrom(text, node, section) === BigInt(value);
}

/** `52:54:00:12:34:56`, `525400123456`, `52 54 00`, `0x525400123456`. */
export function bytesFrom(text: string, size: number): Uint8Array {
  const digits = text.replace(/^0x/i, "").replace(/[\s:.-]/g, "");
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new ValueError("bytes are written as pairs of hex digits");
  if (digits.length / 2 !== size)
    throw new ValueError(`${digits.length / 2} bytes given, the field has ${size}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Latin-1, as it was read. Where the text is shorter than the field, NULs fill it. */
function textFrom(text: string, old: string, size: number): Uint8Array {
  const isPadded = old.length < size;
  if (/[^\0-\xff]/.test(text)) throw new ValueError("text is one byte a character");
  if (isPadded ? text.length > size : text.length !== size)
    throw new ValueError(`${text.length} characters given, the field has ${size}`);
  const bytes = new Uint8Array(size);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Types whose numbers can be negative. QEMU calls one of unsigned numbers `int64 equal`. */
const SIGNED = /^(?:s\d|sle|sbe|timer$|int(?!64 equal))/;

/** A number, names with `|` between, or names to be set (`+NAME`) and taken away (`-NAME`) with commas between. */
function numberFrom(text: string, node: Node, section: string): bigint {
  const bits = BigInt(node.width ?? node.size * 8);
  const number = /^[+-][A-Za-z_]/.test(text)
    ? changed(text, node, section)
    : text.split("|").reduce((all, part) => all | single(part.trim(), node, section), 0n);
  const isSigned = SIGNED.test(node.type);
  const least = isSigned ? -(1n << (bits - 1n)) : 0n;
  const most = isSigned ? (1n << (bits - 1n)) - 1n : node.type === "bool" ? 1n : (1n << bits) - 1n;
  if (number < least || number > most) throw new ValueError(`${number} does not fit: ${least} to ${most} do`);
  return number;
}

function changed(text: string, node: Node, section: string): bigint {
  let number = BigInt(node.value as number | bigint);
  for (const part of text.split(",").map((one) => one.trim())) {
    const mask = single(part.slice(1), node, section);
    if (part.startsWith("+")) number |= mask;
    else if (part.startsWith("-")) number &= ~mask;
    else throw new ValueError(`${part}: + or - is missing`);
  }
  return number;
}

function single(text: string, node: Node, section: string): bigint {
  if (/^-?(?:\d+|0x[0-9a-f]+)$/i.test(text))
    return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
  const named = numberNamed(text, node, section);
  if (named === undefined)
    throw new ValueError(`${text} is neither a number nor a name that ${node.name} knows`);
  return named;
}

function orderOf(old: Uint8Array, node: Node, otherOrder: boolean): { little: boolean; isGuess: boolean } {
  const value = BigInt(node.value as number | bigint);
  const big = isValue(integer(old, false), value, node);
  const little = isValue(integer(old, true), value, node);
  if (big !== little) return { little, isGuess: false };
  const isDeclared = old.length === 1 || /^s?[bl]e\d/.test(node.type);
  return { little: /^s?le\d/.test(node.type) !== otherOrder, isGuess: !isDeclared };
}

function isValue(container: bigint, value: bigint, { bit = 0, width, size }: Node): boolean {
  if (width !== undefined) return ((container >> BigInt(bit)) & ((1n << BigInt(width)) - 1n)) === value;
  return container === BigInt.asUintN(size * 8, value);
}

function integer(bytes: Uint8Array, little: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < bytes.length; i++)
    value = (value << 8n) | BigInt(bytes[little ? bytes.length - 1 - i : i] ?? 0);
  return value;
}

/** Of a bit field, the bits around it stay as they are. */
function packed(old: Uint8Array, { bit = 0, width }: Node, number: bigint, little: boolean): Uint8Array {
  let value = number;
  if (width !== undefined) {
    const mask = ((1n << BigInt(width)) - 1n) << BigInt(bit);
    value = (integer(old, little) & ~mask) | (number << BigInt(bit));
  }
  let left = BigInt.asUintN(old.length * 8, value);
  const bytes = new Uint8Array(old.length);
  for (let i = old.length - 1; i >= 0; i--) {
    bytes[little ? old.length - 1 - i : i] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}
