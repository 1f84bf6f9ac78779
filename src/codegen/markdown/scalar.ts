/** Integers in the words of the schema language: `le16`, `u8`, `sbe64`. */
import type { IntType } from "../../schema/ir.js";

export function scalarText({ bits, signed, order }: IntType): string {
  if (bits === 8 || typeof order === "object") return `${signed ? "s" : "u"}${bits}`;
  return `${signed ? "s" : ""}${order === "little" ? "le" : "be"}${bits}`;
}
