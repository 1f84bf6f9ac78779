/** Runs a target over and over while somebody edits the schemas, and prints only the modules that can have changed. */
import type { Decl, Module, Program } from "../schema/ir.js";
import type { GenerateOptions, OutputFile, Target } from "./output.js";

interface Printed {
  readonly files: readonly OutputFile[];
  readonly doc: Module["doc"];
  /** What the module and all that it imports, near or far, declared when it was printed. */
  readonly decls: ReadonlyMap<Module, readonly Decl[]>;
}

export class Generator {
  readonly target: Target;
  private printed: ReadonlyMap<Module, Printed> = new Map();

  constructor(target: Target) {
    this.target = target;
  }

  /** Like the target's own, with the same `options` every time: the file of an unchanged module is the same object. */
  generate(program: Program, options: GenerateOptions): readonly OutputFile[] {
    if (!this.target.local) return this.target.generate(program, options);
    const printed = new Map<Module, Printed>();
    for (const module of program.modules) {
      if (options.modules?.has(module.name) === false) continue;
      const before = this.printed.get(module);
      printed.set(
        module,
        before && isCurrent(module, before) ? before : this.print(program, module, options),
      );
    }
    this.printed = printed;
    return [...printed.values()].flatMap(({ files }) => files);
  }

  private print(program: Program, module: Module, options: GenerateOptions): Printed {
    const files = this.target.generate(program, { ...options, modules: new Set([module.name]) });
    return { files, doc: module.doc, decls: new Map(reached(module).map((one) => [one, one.decls])) };
  }
}

/**
 * Whether printing would give the same again. What is printed of a module depends on its declarations, which hold the
 * ones that they use, and on the names of all others around: a new one may be in the way of a name that was given out.
 */
function isCurrent(module: Module, { files, doc, decls }: Printed): boolean {
  if (JSON.stringify(doc) !== JSON.stringify(module.doc)) return false;
  const around = reached(module);
  if (around.length !== decls.size) return false;
  const names = new Set<string>();
  for (const one of around) {
    const before = decls.get(one);
    if (before === one.decls) continue;
    if (before === undefined) return false;
    if (one === module && !sameElements(before, one.decls)) return false;
    for (const name of differing(before, one.decls)) names.add(plain(name));
  }
  if (names.size === 0) return true;
  const text = plain(files.map((file) => file.text).join(""));
  return ![...names].some((name) => text.includes(name));
}

/** The module and all that it imports. */
function reached(module: Module): Module[] {
  const all = new Set([module]);
  for (const one of all) for (const { module: imported } of one.imports) all.add(imported);
  return [...all];
}

/** The names of declarations that are only among one of the two. */
function differing(some: readonly Decl[], others: readonly Decl[]): string[] {
  const [before, after] = [some, others].map((decls) => new Set(decls.map(({ name }) => name)));
  return [...some, ...others].flatMap(({ name }) => (before?.has(name) && after?.has(name) ? [] : name));
}

/** Whatever a name has been made into (`virtio_pci`, `VirtioPci`, `VIRTIO_PCI`), this is in it. */
function plain(text: string): string {
  return text.replaceAll("_", "").toLowerCase();
}

function sameElements(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}
