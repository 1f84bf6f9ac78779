/**
 * `scan…` checks a value in place, allocates nothing while all is well, and says what is wrong when it is not;
 * `check…` does so from bytes. The order of the checks is the order in which every other feature reports errors.
 */
import type { RunNode, Struct } from "../../../schema/ir.js";
import { runsOf } from "../../members.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import { onlyRunOf } from "../constant-size.js";
import type { StructContext } from "../context.js";
import { printFunction, withoutUnused } from "../function.js";
import { printBounds } from "./run.js";
import { StructScanner } from "./struct.js";

export function printScan(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  for (const run of runsOf(struct.nodes)) printLeaves(out, run, context);
  out.blank();
  const params = context.parameters();
  const passed = context.passedOn();
  const reader = { name: "reader", type: module.runtimeType("Reader") };
  const preludes = [{ name: "view", line: "const { view } = reader;" }];
  const run = struct.fixed === undefined ? undefined : onlyRunOf(struct);

  if (struct.fixed !== undefined && struct.checked) {
    const doc = [
      `Checks the ${struct.fixed} bytes at \`at\`, which the caller has made sure of. Otherwise like scan.`,
    ];
    const at = { name: "at", type: "number" };
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "scanAt"),
      params: [reader, at, ...params],
      result: "boolean",
    };
    if (run === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = reader.at;");
        out.line("reader.at = at;");
        out.line(`const sound = ${names.of(struct, "scan")}(reader`, passed, ");");
        out.line("reader.at = back;");
        out.line("return sound;");
      });
    } else {
      const body = (): void => new StructScanner(out, context).flat();
      printFunction(out, signature, () => out.insert(withoutUnused(out.capture(body))), preludes);
    }
    out.blank();
  }

  const doc = [
    "Checks what begins at the cursor and moves behind it. False: `reader.fault` says what is wrong.",
  ];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "scan"),
    params: [reader, ...params],
    result: "boolean",
  };
  if (run !== undefined) {
    printFunction(out, signature, () => {
      printBounds(out, run, "at", context);
      out.line(
        struct.checked ? `return ${names.of(struct, "scanAt")}(reader, at` : "return true",
        struct.checked ? [passed, ");"] : ";",
      );
    });
  } else {
    const body = (): void => new StructScanner(out, context).whole();
    printFunction(out, signature, () => out.insert(withoutUnused(out.capture(body))), preludes);
  }
  out.blank();
  printCheck(out, struct, context);
}

function printCheck(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const source = { name: "source", type: module.runtimeType("Source") };
  const doc = [`What is wrong with the bytes as \`struct ${struct.name}\`; undefined when nothing is.`];
  const result: Part = [module.runtimeType("WireError"), " | undefined"];
  printFunction(
    out,
    { doc, exported: true, name: names.of(struct, "check"), params: [source, ...params], result },
    () => {
      out.line("const reader = ", module.runtime("readerOf"), "(source);");
      const scan = [`${names.of(struct, "scan")}(reader`, passed, ")"];
      const ended = [module.runtime("ended"), `(reader, source, ${SCHEMA_FILE}, ${struct.line})`];
      out.line("return ", module.runtime("verdict"), "(", scan, " && ", ended, ", reader);");
    },
  );
}

function printLeaves(out: Printer, run: RunNode, context: StructContext): void {
  const items = run.leaves.map(({ path, offset, size, file, line }) => {
    const elsewhere = file === context.module.module.file ? "" : `, ${JSON.stringify(file)}`;
    return `[${JSON.stringify(path)}, ${offset}, ${size}, ${line}${elsewhere}]`;
  });
  out.list(
    code`const ${context.leaves(run)}: readonly ${context.module.runtimeType("Leaf")}[] = [`,
    items,
    "];",
  );
}
