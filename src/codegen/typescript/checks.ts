/** Whether there is anything to check in bytes that are there. */
import type { Field, FieldType } from "../../schema/ir.js";
import { isWideNumber } from "./integers.js";
import { closedEnumOf } from "./types.js";

/** In a value of constant size. */
export function needsCheck(type: FieldType): boolean {
  switch (type.kind) {
    case "int":
      return isWideNumber(type.int) || closedEnumOf(type) !== undefined;
    case "struct":
      return type.struct.checked;
    case "array":
      return needsCheck(type.element);
    default:
      return false;
  }
}

/** In a bit field: in its bits, or because of what it is for. */
export function needsCheckOfBits({ role, type }: Field): boolean {
  return isCheckedRole(role.kind) || closedEnumOf(type) !== undefined;
}

export function isCheckedRole(role: Field["role"]["kind"]): boolean {
  return role === "constant" || role === "reserved";
}
