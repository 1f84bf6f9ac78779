/** A folder of schemas and what targets make of it, kept up to date at the price of what has changed. */
import { Generator, type OutputFile, type Target } from "../codegen/index.js";
import { Compiler, type Diagnostic, type Library, type SchemaFile } from "../schema/index.js";
import { readSchemas } from "./files.js";
import { shippedCodecs, shippedSchemas } from "./library.js";

export interface ProjectOptions {
  /** The folder of the schemas (`*.wire`). */
  readonly schemas: string;
  readonly targets: readonly Target[];
  /** Where generated code imports its runtime from: a package, or a path relative to the output folder. */
  readonly runtime?: string | undefined;
}

export interface Generated {
  /** By path; undefined when there is any diagnostic. A file that has not changed is the same object as before. */
  readonly files: ReadonlyMap<string, OutputFile> | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** The schemas of the folder. */
  readonly schemas: readonly SchemaFile[];
  /** The text of a file that a diagnostic names. */
  readonly textOf: (file: string) => string;
}

export class Project {
  private readonly dir: string;
  private readonly runtime: string | undefined;
  private readonly compiler = new Compiler();
  private readonly generators: readonly Generator[];
  private readonly library: Library;

  constructor({ schemas, targets, runtime }: ProjectOptions) {
    this.dir = schemas;
    this.runtime = runtime;
    this.generators = targets.map((target) => new Generator(target));
    this.library = shippedSchemas(schemas);
  }

  /** Reads the schemas as they are now. */
  generate(): Generated {
    const schemas = readSchemas(this.dir);
    const texts = new Map(schemas.map(({ file, text }) => [file, text]));
    const library: Library = (module) => {
      const found = this.library(module);
      if (found) texts.set(found.file, found.text);
      return found;
    };
    const { program, diagnostics } = this.compiler.compile(schemas, library);
    const textOf = (file: string): string => texts.get(file) ?? "";
    if (!program) return { files: undefined, diagnostics, schemas, textOf };
    const own = program.modules.filter((module) => shippedCodecs(module) === undefined);
    const options = {
      ...(this.runtime?.startsWith(".") ? { runtimePath: this.runtime } : { runtimeImport: this.runtime }),
      packageOf: shippedCodecs,
    };
    const files = new Map<string, OutputFile>();
    for (const generator of this.generators) {
      const made = generator.target.shipped ? own : program.modules;
      const modules = new Set(made.map(({ name }) => name));
      for (const file of generator.generate(program, { ...options, modules })) {
        if (files.has(file.path)) throw new ClashError(file.path);
        files.set(file.path, file);
      }
    }
    return { files, diagnostics, schemas, textOf };
  }
}

/** Two targets want to write one file. */
export class ClashError extends Error {
  constructor(path: string) {
    super(`two targets write ${path}: give each its own folder`);
  }
}
