/** What the plugin does in every bundler: keeps the generated files up to date, and says what is wrong with the schemas. */
import { join, resolve } from "node:path";
import { type OutputFile, typescriptTarget } from "../codegen/index.js";
import { writeFiles } from "../project/files.js";
import { type Generated, Project } from "../project/project.js";
import { type Diagnostic, formatDiagnostic, positionAt } from "../schema/index.js";

export interface PluginOptions {
  /** The folder of the schemas (`*.wire`). Default: `schemas`. */
  readonly schemas?: string | undefined;
  /** The folder to write to, for this only, e.g. `src/generated`. Modules import from it like from any other. */
  readonly out: string;
  /** Where generated code imports its runtime from, if not from `virtwire/runtime`. */
  readonly runtime?: string | undefined;
}

/** A mistake in a schema, in terms of the file system. */
export interface Mistake {
  /** Relative to the working directory. */
  readonly file: string;
  /** One-based, as `column` is. */
  readonly line: number;
  readonly column: number;
  /** One sentence. */
  readonly message: string;
  /** `file:line:column: error: message`, with the line of the schema. */
  readonly text: string;
}

export class Generation {
  /** Both absolute. */
  readonly schemas: string;
  readonly out: string;
  private readonly dir: string;
  private readonly project: Project;
  private written: ReadonlyMap<string, OutputFile> = new Map();

  constructor({ schemas = "schemas", out, runtime }: PluginOptions) {
    this.dir = schemas;
    this.schemas = resolve(schemas);
    this.out = resolve(out);
    this.project = new Project({ schemas, targets: [typescriptTarget], runtime });
  }

  /** Gives the files to watch. Nothing is written while there is a mistake. */
  update(): { readonly watched: readonly string[]; readonly mistakes: readonly Mistake[] } {
    const generated = this.project.generate();
    const { files, schemas, diagnostics } = generated;
    if (schemas.length === 0) throw new Error(`no schema (*.wire) in ${this.dir}`);
    if (files !== undefined) {
      writeFiles(this.out, files, this.written);
      this.written = files;
    }
    return {
      watched: schemas.map(({ file }) => join(this.schemas, file)),
      mistakes: diagnostics.map((diagnostic) => this.mistake(diagnostic, generated)),
    };
  }

  private mistake(diagnostic: Diagnostic, { schemas, textOf }: Generated): Mistake {
    const texts = new Map(schemas.map(({ file, text }) => [join(this.dir, file), text]));
    const placed = <T extends { readonly file: string }>(at: T): T => {
      const file = join(this.dir, at.file);
      return texts.has(file) ? { ...at, file } : at;
    };
    const { related } = diagnostic;
    const { file, span, message, code } = placed(diagnostic);
    const text = formatDiagnostic(
      { code, message, file, span, related: related && placed(related) },
      (name) => texts.get(name) ?? textOf(name),
    );
    return {
      file,
      ...positionAt(textOf(diagnostic.file), span.start),
      message: `${message} [${code}]`,
      text,
    };
  }
}

/** All of them in one error, with the place of the first where Rollup and Vite look for it. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
  readonly id: string | undefined;
  readonly loc: { readonly file: string; readonly line: number; readonly column: number } | undefined;

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(({ text }) => text).join("\n"));
    const [first] = mistakes;
    if (first === undefined) return;
    this.id = resolve(first.file);
    this.loc = { file: this.id, line: first.line, column: first.column - 1 };
  }
}
