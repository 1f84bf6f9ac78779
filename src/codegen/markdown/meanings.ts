/** Constants, enums and flag sets. */
import type { Const, Enum, Flags } from "../../schema/ir.js";
import { numberText } from "./expression.js";
import { linkTo } from "./links.js";
import { code, meaningOf, tableWithoutEmpty } from "./text.js";

export function constantRows(constants: readonly Const[]): string[] {
  return tableWithoutEmpty(
    ["constant", "value", "meaning"],
    constants.map(({ name, value, doc }) => [code(name), code(numberText(value)), meaningOf(doc)]),
  );
}

export function enumLines(decl: Enum): string[] {
  const about = decl.closed ? "Other values are refused." : "Other values are kept as they are.";
  const hex = decl.members.some(({ value, to }) => value !== to || value > 0x3ffn);
  const text = (value: bigint): string => code(hex ? hexText(value, decl.int.bits) : String(value));
  const rows = decl.members.map(({ name, value, to, doc }) => [
    value === to ? text(value) : `${text(value)} … ${text(to)}`,
    code(name),
    meaningOf(doc),
  ]);
  return [`${code(decl.scalar)}. ${about}`, "", ...tableWithoutEmpty(["value", "name", "meaning"], rows)];
}

export function flagLines(decl: Flags): string[] {
  const base = decl.extends;
  const more = base === undefined ? "" : ` All of ${linkTo(base, decl.module)}, and:`;
  const own = decl.members.filter(({ name }) => base?.members.every((other) => other.name !== name) ?? true);
  const rows = own.map(({ name, mask, doc }) => [
    bitsText(mask),
    code(`0x${mask.toString(16)}`),
    code(name),
    meaningOf(doc),
  ]);
  const about = `${code(decl.scalar)}. Bits without a name are kept as they are.${more}`;
  return [
    about,
    ...(rows.length === 0 ? [] : ["", ...tableWithoutEmpty(["bit", "mask", "name", "meaning"], rows)]),
  ];
}

/** `5`, `4 … 7`; nothing for bits that do not lie together. */
function bitsText(mask: bigint): string {
  if (mask === 0n) return "";
  const digits = mask.toString(2);
  const low = digits.length - 1 - digits.lastIndexOf("1");
  if (!/^1+0*$/.test(digits)) return "";
  return low === digits.length - 1 ? String(low) : `${low} … ${digits.length - 1}`;
}

function hexText(value: bigint, bits: number): string {
  return value < 0n ? String(value) : `0x${value.toString(16).padStart(Math.min(bits / 4, 4), "0")}`;
}
