/** What a target of the generator is: it turns a checked program into files, and knows nothing of schemas' text. */
import type { Module, Program } from "../schema/ir.js";

export interface Target {
  /** What `--target` takes. */
  readonly name: string;
  /** The files of a module depend on nothing but the module and what it imports: they can be made one by one. */
  readonly local?: true;
  /**
   * What it makes of the shipped schemas is in the package, to be imported. Other targets make it again, beside what they
   * make of the project's own.
   */
  readonly shipped?: true;
  /** The same program and options always give the same files, byte for byte and in the same order. */
  generate(program: Program, options: GenerateOptions): OutputFile[];
}

export interface GenerateOptions {
  /** What generated code imports its runtime from, as it is written in the import. Default: `virtwire/runtime`. */
  readonly runtimeImport?: string | undefined;
  /**
   * The runtime as a path relative to the output root, e.g. `../src/runtime/index.js`, for a repository that holds
   * its own runtime. Each file imports it by the path from where it stands. Goes before `runtimeImport`.
   */
  readonly runtimePath?: string | undefined;
  /** Names of the modules to write. Others are only referred to. Default: all. */
  readonly modules?: ReadonlySet<string> | undefined;
  /** What the codecs of a module are imported from, for modules that stand in a package. Default: the path. */
  readonly packageOf?: ((module: Module) => string | undefined) | undefined;
}

export interface OutputFile {
  /** Relative to the output root, with `/`. */
  readonly path: string;
  readonly text: string;
}
