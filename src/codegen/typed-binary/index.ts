/** The typed-binary target: a schema of typed-binary 4.3.3 for each struct that the library can express. */
import type { Struct } from "../../schema/ir.js";
import { definitionsTarget, type Library } from "../definitions.js";
import type { Target } from "../output.js";
import { obstacleTo, ordersOf } from "./limits.js";
import { printSchema } from "./struct.js";

const library: Library = {
  name: "typed-binary",
  about: [
    "The byte order is the reader's: give it the `endianness` that stands at the schema.",
    "A reader does not see where a subarray ends: give it bytes that have an ArrayBuffer of their own.",
  ],
  taken: new Set([
    ...["object", "arrayOf", "dynamicArrayOf", "u8Array"],
    ...["i8", "i16", "i32", "u8", "u16", "u32"],
  ]),
  obstacle: obstacleTo,
  unchecked: constantsOf,
  facts: orderFacts,
  print: printSchema,
  support: () => [],
};

export const typedBinaryTarget: Target = definitionsTarget(library);

function orderFacts(struct: Struct): string[] {
  const [order] = ordersOf(struct);
  if (order === undefined) return [];
  if (typeof order === "object") return ["Byte order: chosen at run time."];
  return [`Byte order: \`{ endianness: "${order}" }\`.`];
}

function constantsOf(struct: Struct): string[] {
  return struct.fields.flatMap(({ name, role }) =>
    role.kind === "constant" ? [`\`${name}\` is 0x${role.value.toString(16)}`] : [],
  );
}
