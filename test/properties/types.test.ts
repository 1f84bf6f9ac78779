/** Generated code of random schemas under the strictest settings of the compiler. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { generate } from "../codegen/load.js";
import { seed } from "./drawn.js";
import { schemaArbitrary } from "./schema-arbitrary.js";

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

describe("the code of random schemas", () => {
  it("compiles without a complaint", () => {
    const schemas = fc.sample(schemaArbitrary(), { seed, numRuns: SCHEMAS });
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
    // Random conditions may contradict each other, or the tag of a switch: TypeScript sees that, and a person would.
    const isContradiction = ({ code }: ts.Diagnostic): boolean => code === 2367 || code === 2678;
    const found = ts.getPreEmitDiagnostics(program).filter((each) => !isContradiction(each));
    const complaints = found.map(({ file, start = 0, messageText }) => {
      const line = file?.text.slice(0, start).split("\n").length ?? 0;
      const code = file?.text.split("\n")[line - 1];
      const index = Number(/drawn-(\d+)/.exec(file?.fileName ?? "")?.[1]);
      const schema = schemas[index]?.text;
      return `${ts.flattenDiagnosticMessageText(messageText, " ")}\n${code}\nseed ${seed}:\n${schema}`;
    });
    expect(complaints[0]).toBeUndefined();
  });
});
