/** Compiles one piece of schema for a test and fails with its diagnostics when it does not compile. */
import type { Struct } from "../../src/schema/index.js";
import { compile, formatDiagnostic } from "../../src/schema/index.js";

export function structsOf(body: string, order = "little"): Map<string, Struct> {
  const text = `module test.one ${order};\n${body}`;
  const { program, diagnostics } = compile([{ file: "test/one.wire", text }]);
  if (!program) throw new Error(diagnostics.map((one) => formatDiagnostic(one, () => text)).join("\n"));
  const decls = program.modules.flatMap((module) => module.decls);
  return new Map(decls.flatMap((decl) => (decl.kind === "struct" ? [[decl.name, decl]] : [])));
}

export function structOf(members: string, order = "little"): Struct {
  const struct = structsOf(`struct one { ${members} }`, order).get("one");
  if (!struct) throw new Error("no struct");
  return struct;
}

/** The codes of the diagnostics of a struct with these members. */
export function codesOf(members: string): string[] {
  const text = `module test.one little;\nstruct one { ${members} }`;
  return compile([{ file: "test/one.wire", text }]).diagnostics.map((one) => one.code);
}
