/** What takes the same number of bytes whatever its value is. */
import type { FieldType, RunNode, Size, Struct } from "../../schema/ir.js";

/** The run that is all of the struct besides constraints, if there is just one. */
export function onlyRunOf(struct: Struct): RunNode | undefined {
  const [first, ...others] = struct.nodes;
  return first?.kind === "run" && others.every((node) => node.kind === "where") ? first : undefined;
}

/** How many elements an array in a run has. */
export function constantCount(type: FieldType & { kind: "bytes" | "text" | "array" }): number {
  if (type.count.kind !== "const") throw new Error("the size is not constant");
  return type.count.value;
}

export function isConstantSize({ min, max }: Size): boolean {
  return min === max;
}
