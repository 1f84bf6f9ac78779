/** `write…` puts a value at the cursor of a writer; `encode…` gives the bytes of a value, and refuses what does not fit. */
import type { Struct } from "../../../schema/ir.js";
import type { Part, Printer } from "../../printer.js";
import { onlyRunOf } from "../constant-size.js";
import type { StructContext } from "../context.js";
import { sizeText } from "../docs.js";
import { printFunction } from "../function.js";
import { StructWriter } from "./struct.js";

export function printWrite(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const writer = { name: "writer", type: module.runtimeType("Writer") };
  const value = { name: "value", type: names.type(struct) };
  const flat = struct.fixed === undefined ? undefined : onlyRunOf(struct);

  if (struct.fixed !== undefined) {
    const doc = [`Writes the ${sizeText(struct.size)} at \`at\`, for which the caller has made room.`];
    const at = { name: "at", type: "number" };
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "writeAt"),
      params: [writer, at, value, ...params],
      result: "void",
    };
    if (flat === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = writer.at;");
        out.line("writer.at = at;");
        out.line(`${names.of(struct, "write")}(writer, value`, passed, ");");
        out.line("writer.at = back;");
      });
    } else {
      const preludes = [{ name: "view", line: "const { view } = writer;" }];
      printFunction(out, signature, () => new StructWriter(out, context).flat(), preludes);
    }
    out.blank();
  }

  const doc = ["Writes at the cursor. Offsets in its errors count from the start of the writer's memory."];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "write"),
    params: [writer, value, ...params],
    result: "void",
  };
  if (flat !== undefined) {
    printFunction(out, signature, () => {
      out.line(`${names.of(struct, "writeAt")}(writer, writer.take(${struct.fixed}), value`, passed, ");");
    });
  } else {
    printFunction(out, signature, () => new StructWriter(out, context).whole());
  }
  out.blank();

  const encode = {
    doc: [
      `Encodes \`struct ${struct.name}\`.`,
      "@throws WireError when a part of the value does not fit its field, or breaks a rule of the schema.",
    ],
    exported: true,
    name: names.of(struct, "encode"),
    params: [value, ...params],
    result: "Uint8Array",
  };
  printFunction(out, encode, () => {
    const size: Part =
      struct.fixed === undefined
        ? [`${names.of(struct, "sizeof")}(value`, passed, ")"]
        : names.of(struct, "size");
    out.line("const writer = new ", module.runtime("Writer"), "(", size, ");");
    out.line(`${names.of(struct, "write")}(writer, value`, passed, ");");
    out.line("return writer.written();");
  });
}
