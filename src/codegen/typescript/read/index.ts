/** `read…` makes a value at the cursor of a reader; `decode…` makes one from bytes and says what is wrong with them. */
import type { Struct } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import type { Printer } from "../../printer.js";
import { onlyRunOf } from "../constant-size.js";
import type { StructContext } from "../context.js";
import { sizeText } from "../docs.js";
import { printFunction } from "../function.js";
import { StructReader } from "./struct.js";

export function printRead(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const reader = { name: "reader", type: module.runtimeType("Reader") };
  const params = context.parameters();
  const passed = context.passedOn();
  const result = names.type(struct);
  const preludes = [{ name: "view", line: "const { view } = reader;" }];

  if (struct.fixed !== undefined) {
    const at = { name: "at", type: "number" };
    const doc = [`Reads the ${sizeText(struct.size)} at \`at\`, which the caller has made sure of.`];
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "readAt"),
      params: [reader, at, ...params],
      result,
    };
    const run = onlyRunOf(struct);
    if (run === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = reader.at;");
        out.line("reader.at = at;");
        out.line(`const value = ${names.of(struct, "read")}(reader`, passed, ");");
        out.line("reader.at = back;");
        out.line("return value;");
      });
    } else {
      printFunction(out, signature, () => new StructReader(out, context).flat(), preludes);
    }
    out.blank();
  }

  const doc = ["Reads at the cursor. For structs inside others: its errors have no path. Otherwise, decode."];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "read"),
    params: [reader, ...params],
    result,
  };
  if (struct.fixed !== undefined && onlyRunOf(struct) !== undefined) {
    printFunction(out, signature, () => {
      out.line(`return ${names.of(struct, "readAt")}(reader, reader.take(${struct.fixed})`, passed, ");");
    });
  } else {
    printFunction(out, signature, () => new StructReader(out, context).whole(), preludes);
  }
  out.blank();
  printDecode(out, struct, context);
}

function printDecode(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const source = { name: "source", type: module.runtimeType("Source") };
  const doc = [
    `Decodes \`struct ${struct.name}\`: the whole of the bytes, or what begins at the cursor of a reader.`,
    `@throws WireError when the bytes are no such value.`,
  ];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "decode"),
    params: [source, ...params],
    result: names.type(struct),
  };
  printFunction(out, signature, () => {
    out.line("const reader = ", module.runtime("readerOf"), "(source);");
    out.line("const { at, end, depth } = reader;");
    out.line("try {");
    out.indented(() => {
      out.line(`const value = ${names.of(struct, "read")}(reader`, passed, ");");
      out.line("if (reader !== source) reader.finish();");
      out.line("return value;");
    });
    out.line("} catch (error) {");
    out.indented(() => {
      const scan = [`${names.of(struct, "scan")}(reader.rewind(at, end, depth)`, passed, ")"];
      const ended = [module.runtime("ended"), `(reader, source, ${SCHEMA_FILE}, ${struct.line})`];
      out.line("throw ", module.runtime("explain"), "(error, ", scan, " && ", ended, ", reader);");
    });
    out.line("}");
  });
}
