/** The schemas of this repository, compiled once for the tests that need them. */
import { readdirSync, readFileSync } from "node:fs";
import { compile, formatDiagnostic, type Program, type SchemaFile } from "../src/schema/index.js";

const ROOT = new URL("../schemas/", import.meta.url);

export function schemaFiles(): SchemaFile[] {
  return readdirSync(ROOT, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".wire"))
    .sort()
    .map((file) => ({ file, text: readFileSync(new URL(file, ROOT), "utf8") }));
}

export function schemaProgram(): Program {
  const files = schemaFiles();
  const { program, diagnostics } = compile(files);
  const textOf = (file: string) => files.find((one) => one.file === file)?.text ?? "";
  if (!program) throw new Error(diagnostics.map((one) => formatDiagnostic(one, textOf)).join("\n"));
  return program;
}
