/** Runs a target over and over while somebody edits the schemas, and prints only the modules that are new. */
import type { Module, Program } from "../schema/ir.js";
import type { GenerateOptions, OutputFile, Target } from "./output.js";

export class Generator {
  private readonly target: Target;
  private made: ReadonlyMap<Module, readonly OutputFile[]> = new Map();

  constructor(target: Target) {
    this.target = target;
  }

  /** Like the target's own, with the same `options` every time: the file of an unchanged module is the same object. */
  generate(program: Program, options: GenerateOptions): readonly OutputFile[] {
    if (!this.target.local) return this.target.generate(program, options);
    const made = new Map<Module, readonly OutputFile[]>();
    for (const module of program.modules) {
      if (options.modules?.has(module.name) === false) continue;
      const only = { ...options, modules: new Set([module.name]) };
      made.set(module, this.made.get(module) ?? this.target.generate(program, only));
    }
    this.made = made;
    return [...made.values()].flat();
  }
}
