/** Generated code of random schemas, and of the corners, under the strictest settings of the compiler. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { generate } from "../codegen/load.js";
import { corners, textOf } from "./corners.js";
import { consistentSchemas, seed } from "./drawn.js";

const ROOT = new URL("../../", import.meta.url).pathname;
const SCHEMAS = 8;

function settings(): ts.CompilerOptions {
  const read = (name: string): Record<string, unknown> => {
    const { config } = ts.readConfigFile(name, (path) => readFileSync(path, "utf8"));
    return config.compilerOptions;
  };
  const shared = { ...read(`${ROOT}tsconfig.base.json`), ...read(`${ROOT}tsconfig.generated.json`) };
  const { options, errors } = ts.convertCompilerOptionsFromJson(shared, ROOT);
  expect(errors).toEqual([]);
  return options;
}

describe("the code of random schemas and of corners", () => {
  it("compiles without a complaint", () => {
    const schemas = [
      ...fc.sample(consistentSchemas(), { seed, numRuns: SCHEMAS }),
      ...corners.map((each) => ({ text: textOf(each) })),
    ];
    const files = new Map<string, string>();
    schemas.forEach(({ text }, i) => {
      const [code] = generate([{ file: `drawn-${i}.wire`, text }], "../src/runtime/index.js").values();
      files.set(`${ROOT}generated/drawn-${i}.ts`, code ?? "");
    });
    const options = settings();
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile } = host;
    host.fileExists = (name) => files.has(name) || fileExists(name);
    host.readFile = (name) => files.get(name) ?? readFile(name);
    const program = ts.createProgram([...files.keys()], options, host);
    const complaints = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
      const line = file?.text.slice(0, start).split("\n").length ?? 0;
      const code = file?.text.split("\n")[line - 1];
      const index = Number(/drawn-(\d+)/.exec(file?.fileName ?? "")?.[1]);
      const schema = schemas[index]?.text;
      return `${ts.flattenDiagnosticMessageText(messageText, " ")}\n${code}\nseed ${seed}:\n${schema}`;
    });
    expect(complaints[0]).toBeUndefined();
    // TypeScript takes its time for all of it, the more so on a machine that does other things.
  }, 300_000);
});
