/** Generates TypeScript from schema text, turns it into JavaScript and imports it, all in this process. */
import { posix } from "node:path";
import { transform } from "esbuild";
import { typescriptTarget } from "../../src/codegen/typescript/index.js";
import * as runtime from "../../src/runtime/index.js";
import { compile, formatDiagnostic, type SchemaFile } from "../../src/schema/index.js";

/** What a generated module exports. Tests call it by names that only they know. */
// biome-ignore lint/suspicious/noExplicitAny: the type is made at run time.
export type Loaded = Record<string, any>;

const RUNTIME = "the-runtime";

/** The generated text of every file of a program. Throws the diagnostics when the schema is refused. */
export function generate(files: readonly SchemaFile[], runtimeImport: string): Map<string, string> {
  const { program, diagnostics } = compile(files);
  if (program === undefined) {
    const textOf = (file: string): string => files.find((each) => each.file === file)?.text ?? "";
    throw new Error(diagnostics.map((each) => formatDiagnostic(each, textOf)).join("\n"));
  }
  return new Map(typescriptTarget.generate(program, { runtimeImport }).map(({ path, text }) => [path, text]));
}

/** The module made from one schema that imports no other. */
export async function loadSchema(text: string, file = "test.wire"): Promise<Loaded> {
  const modules = await loadSchemas([{ file, text }]);
  const loaded = modules.get(file);
  if (loaded === undefined) throw new Error(`nothing was generated for ${file}`);
  return loaded;
}

/** The modules made from schemas, by schema file. They share the runtime of the tests, so that errors are of one class. */
export async function loadSchemas(files: readonly SchemaFile[]): Promise<Map<string, Loaded>> {
  const loaded = new Map<string, Loaded>();
  // In the order of their dependencies, so that what a file imports is there already.
  for (const [path, text] of generate(files, RUNTIME)) {
    const { code } = await transform(text, { loader: "ts", target: "es2022", format: "cjs" });
    const required = (specifier: string): Loaded => {
      if (specifier === RUNTIME) return runtime;
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".wire");
      const module = loaded.get(target);
      if (module === undefined) throw new Error(`${path} imports ${specifier}, which is not there`);
      return module;
    };
    const module: { exports: Loaded } = { exports: {} };
    new Function("module", "require", code)(module, required);
    loaded.set(path.replace(/\.ts$/, ".wire"), module.exports);
  }
  return loaded;
}
