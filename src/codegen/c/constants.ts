/** Constants, enums and flag sets as macros: C's own enum constants cannot hold 64 bits. */
import type { Const, Doc, Enum, Flags } from "../../schema/ir.js";
import { comment } from "./comment.js";
import type { Names } from "./names.js";

export function printConst(decl: Const, names: Names): string[] {
  return [...comment(decl.doc), define(names.macro(decl.name, decl.module), decimal(decl.value))];
}

export function printEnum(decl: Enum, names: Names): string[] {
  const lines = comment(decl.doc, `Values of ${decl.name}.${decl.closed ? " There are no others." : ""}`);
  for (const member of decl.members) {
    const name = names.macro(member.name, decl.module);
    lines.push(...memberComment(member.doc));
    if (member.to === member.value) lines.push(define(name, decimal(member.value)));
    else
      lines.push(define(`${name}_FIRST`, decimal(member.value)), define(`${name}_LAST`, decimal(member.to)));
  }
  return lines;
}

export function printFlags(decl: Flags, names: Names): string[] {
  const from = decl.extends;
  const more = from === undefined ? "" : ` Those of ${from.name} belong to it as well.`;
  const lines = comment(decl.doc, `Masks of ${decl.name}.${more}`);
  for (const flag of decl.members) {
    // A merged member is already a macro of the set that it comes from.
    if (from?.members.some((other) => other.name === flag.name) === true) continue;
    lines.push(...memberComment(flag.doc), define(names.macro(flag.name, decl.module), hex(flag.mask)));
  }
  return lines;
}

/** Shift and mask of bits in their container. The mask is in place: `(container & MASK) >> SHIFT`. */
export function bitMacros(name: string, shift: number, width: number): string[] {
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
  return [define(`${name}_SHIFT`, String(shift)), define(`${name}_MASK`, hex(mask))];
}

function memberComment(doc: Doc): string[] {
  return doc.text === "" ? [] : comment({ text: doc.text, notes: [] });
}

function define(name: string, value: string): string {
  return `#define ${name} ${value}`;
}

/** `U` keeps shifts and comparisons unsigned, as the fields are; negative numbers need brackets to survive `- NAME`. */
function decimal(value: bigint): string {
  return value < 0n ? `(${value}${suffix(-value).replace("U", "")})` : `${value}${suffix(value)}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}${suffix(value)}`;
}

function suffix(value: bigint): string {
  return value > 0xffff_ffffn ? "ULL" : "U";
}
