/**
 * `class …Parser`: takes a stream in chunks of any size, and hands each unit (a run of fields, an element of an array,
 * another member) to a handler as soon as it is complete. The members become the states of a small machine; what a unit
 * holds is checked by the scanners and made by the readers.
 */
import type { Struct } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { StructContext } from "../context.js";
import { docLines } from "../docs.js";
import { PushHandler } from "./handler.js";
import { PushStates } from "./states.js";

export function printPush(out: Printer, struct: Struct, context: StructContext): void {
  if (!struct.stream) return;
  const handler = new PushHandler(struct, context);
  const states = new PushStates(out, context, handler);
  handler.print(out);
  out.blank();
  const { module } = context;
  out.doc([
    `Parses a \`${struct.name}\` that comes in pieces.`,
    ...docLines(struct.doc),
    "Byte arrays in what the handler is given are slices of the chunk or of memory that is not used again.",
  ]);
  const handlerName = module.names.of(struct, "handler");
  out.block(
    code`export class ${module.names.of(struct, "parser")} extends ${module.runtime("PushParser")}`,
    () => {
      const params = context.parameters();
      // Only what has been printed tells which parameters are needed later.
      const { fields, methods } = states.members();
      const kept = params.filter(({ name }) => {
        const use = new RegExp(`this\\.#${name.replaceAll("$", "\\$")}(?![\\w$])`);
        return methods.some((line) => use.test(line));
      });
      for (const { name, type } of kept) out.line(code`readonly #${name}: ${type};`);
      out.line(`readonly #handler: ${handlerName};`);
      out.insert(fields);
      out.blank();
      const given: Part[] = params.map(
        (param) => code`${kept.includes(param) ? "" : "_"}${param.name}: ${param.type}`,
      );
      const options = code`options?: ${module.runtimeType("ParserOptions")}`;
      out.list("constructor(", [...given, `handler: ${handlerName}`, options], ") {");
      out.indented(() => {
        out.line(`super(options, ${SCHEMA_FILE}, ${struct.line});`);
        for (const { name } of kept) out.line(`this.#${name} = ${name};`);
        out.line("this.#handler = handler;");
      });
      out.line("}");
      out.insert(methods);
    },
  );
  states.printFunctions();
}
