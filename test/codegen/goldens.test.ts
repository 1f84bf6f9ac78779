/**
 * The generated code of a few small schemas, committed: a change of the generator shows what it does to the code that
 * people read. `npm run bless` writes them anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { generate } from "./load.js";

const folder = fileURLToPath(new URL("goldens/", import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".wire"))
  .map((file) => file.slice(0, -".wire".length));
const RUNTIME = "../../../src/runtime/index.js";

function generated(name: string): string {
  const file = `${name}.wire`;
  const files = generate([{ file, text: readFileSync(folder + file, "utf8") }], RUNTIME);
  return files.get(`${name}.ts`) ?? "";
}

describe("the generated code of", () => {
  it.each(names)("%s", (name) => {
    const text = generated(name);
    if (process.env["VIRTWIRE_BLESS"]) writeFileSync(`${folder}${name}.ts`, text);
    expect(text).toBe(readFileSync(`${folder}${name}.ts`, "utf8"));
  });

  it.each(names)("%s is the same every time", (name) => {
    expect(generated(name)).toBe(generated(name));
  });
});

describe("the goldens", () => {
  it("compile under the strictest flags, and state the types of what they export", () => {
    const config = fileURLToPath(new URL("../../tsconfig.generated.json", import.meta.url));
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(config, ts.sys.readFile).config,
      ts.sys,
      fileURLToPath(new URL("../..", import.meta.url)),
    );
    const program = ts.createProgram({ rootNames: names.map((name) => `${folder}${name}.ts`), options });
    const diagnostics = ts.getPreEmitDiagnostics(program).concat(program.getDeclarationDiagnostics());
    const host: ts.FormatDiagnosticsHost = {
      getCanonicalFileName: (file) => file,
      getCurrentDirectory: () => folder,
      getNewLine: () => "\n",
    };
    expect(ts.formatDiagnostics(diagnostics, host)).toBe("");
  });
});
