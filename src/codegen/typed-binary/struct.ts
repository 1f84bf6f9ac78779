/** One struct as an `object` of typed-binary. */
import type { FieldType, RunNode, Struct } from "../../schema/ir.js";
import type { DefinitionContext } from "../definitions.js";
import { code, type Part, type Printer } from "../printer.js";
import { prefixOf } from "./limits.js";

export function printSchema(out: Printer, struct: Struct, context: DefinitionContext): void {
  out.line(`export const ${context.name(struct)} = `, context.imported("object"), "({");
  out.indented(() => {
    struct.nodes.forEach((node, index) => {
      if (node.kind === "run") printRun(out, node, prefixOf(node, struct.nodes[index + 1]), context);
      if (node.kind !== "field") return;
      const { field } = node;
      const schema =
        field.type.kind === "array"
          ? code`${context.imported("dynamicArrayOf")}(${schemaOf(field.type.element, context)})`
          : schemaOf(field.type, context);
      out.line(`${context.property(field, field.struct)}: `, schema, ",");
    });
  });
  out.line("});");
}

function printRun(
  out: Printer,
  run: RunNode,
  prefix: ReturnType<typeof prefixOf>,
  context: DefinitionContext,
): void {
  for (const slot of run.slots) {
    if (slot.kind === "bits" || slot.field === prefix) continue;
    out.line(`${context.property(slot.field, slot.field.struct)}: `, schemaOf(slot.field.type, context), ",");
  }
}

function schemaOf(type: FieldType, context: DefinitionContext): Part {
  switch (type.kind) {
    case "int":
    case "bits":
      return context.imported(`${type.int.signed ? "i" : "u"}${type.int.bits}`);
    case "bytes":
      return code`${context.imported("u8Array")}(${constant(type)})`;
    case "array":
      return code`${context.imported("arrayOf")}(${schemaOf(type.element, context)}, ${constant(type)})`;
    case "struct":
      return context.definition(type.struct);
    case "text":
      throw new Error("typed-binary has no words for padded text");
  }
}

function constant({ count }: Extract<FieldType, { kind: "bytes" | "array" }>): number {
  if (count.kind !== "const") throw new Error("typed-binary has no words for this length");
  return count.value;
}
