/** What enums and flag sets call a value. */
import type { Enum, FieldType, Flags } from "../schema/ir.js";

/** The names of ranges are left out: a range says where values may come to be, and not what one of them means. */
export function meaningOf(meaning: Enum | Flags | undefined, value: bigint): readonly string[] {
  if (meaning === undefined) return [];
  if (meaning.kind === "enum")
    return meaning.members
      .filter((each) => each.value === each.to && each.value === value)
      .map(({ name }) => name);
  return meaning.members.filter(({ mask }) => (value & mask) === mask).map(({ name }) => name);
}

/** What gives names to the values of a type. */
export function meaningIn(type: FieldType): Enum | Flags | undefined {
  return type.kind === "int" || type.kind === "bits" ? type.meaning : undefined;
}
