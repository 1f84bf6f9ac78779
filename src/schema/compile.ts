/** The compiler from end to end: texts in, IR or diagnostics out. */
import { checkConst, checkEnum, checkFlags, checkStruct } from "./declarations.js";
import type { Diagnostic } from "./diagnostics.js";
import type { Draft } from "./draft.js";
import type { Decl, Module, Program } from "./ir.js";
import { orderModules } from "./modules.js";
import { type Parsed, parse } from "./parse.js";
import { docOf, Scope } from "./scope.js";
import type { DeclSyntax, ImportSyntax, ModuleSyntax } from "./syntax.js";
import { checkTable, tableNames } from "./tables.js";

export interface SchemaFile {
  /** Relative to the schema root, with `/`. */
  readonly file: string;
  readonly text: string;
}

export interface Compilation {
  /** Undefined when there is any diagnostic. */
  readonly program: Program | undefined;
  /** In the order of files, then of places. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Compiles schema files together. Every diagnostic is an error; as many as can be found are reported at once. */
export function compile(files: readonly SchemaFile[], library?: Library): Compilation {
  return new Compiler().compile(files, library);
}

/** Finds a module by its name where no file declares it. What it finds is compiled like the files. */
export type Library = (module: string) => SchemaFile | undefined;

/**
 * Compiles schemas over and over while somebody edits them. A text is parsed once, and a module is checked again only
 * when its text or a declaration that it imports has changed.
 *
 * A program is good until the next one is asked for: modules are the same objects from program to program, with what
 * they declare replaced from the first change on. What stands before an edit is the same object as it was, because a
 * declaration can refer to earlier ones only; so an edit reaches just those modules that import something behind it.
 */
export class Compiler {
  private parsed: ReadonlyMap<string, ParsedFile> = new Map();
  private checked: ReadonlyMap<string, CheckedModule> = new Map();

  compile(files: readonly SchemaFile[], library?: Library): Compilation {
    const parsed = this.parseAll(files, library);
    const results = [...parsed.values()].map(({ result }) => result);
    const report = results.flatMap(({ diagnostics }) => diagnostics);
    const read = results.flatMap(({ module }) => module ?? []);
    const unread = new Set(results.flatMap(({ module, name }) => (module ? [] : (name ?? []))));
    const checked = new Map<string, CheckedModule>();
    for (const syntax of orderModules(read, unread, report)) {
      const name = syntax.name.text;
      const module = this.check(syntax, checked);
      checked.set(name, module);
      report.push(...module.diagnostics);
    }
    this.parsed = parsed;
    this.checked = checked;
    const diagnostics = sorted(report);
    const modules = [...checked.values()].map(({ module }) => module);
    return { program: diagnostics.length === 0 ? { modules } : undefined, diagnostics };
  }

  private parseAll(files: readonly SchemaFile[], library: Library | undefined): Map<string, ParsedFile> {
    const parsed = new Map<string, ParsedFile>();
    const add = ({ file, text }: SchemaFile): Parsed => {
      const before = this.parsed.get(file);
      const result = before?.text === text ? before.result : parse(file, text);
      parsed.set(file, { text, result });
      return result;
    };
    const results = files.map(add);
    if (!library) return parsed;
    const known = new Set(results.flatMap(({ name }) => name ?? []));
    // What the library gives may import more of it: the list grows while it is gone through.
    for (const { module } of results) {
      for (const { module: wanted } of module?.imports ?? []) {
        if (known.has(wanted.text)) continue;
        known.add(wanted.text);
        const found = library(wanted.text);
        if (found) results.push(add(found));
      }
    }
    return parsed;
  }

  private check(syntax: ModuleSyntax, checked: ReadonlyMap<string, CheckedModule>): CheckedModule {
    const before = this.checked.get(syntax.name.text);
    // The path of the file is in everything that is made of it, here and elsewhere.
    if (before?.syntax.file !== syntax.file) return checkModule(syntax, checked);
    const sameImports = sameElements(before.imports, importedBy(syntax, checked));
    if (before.syntax === syntax && sameImports) return before;
    const { module, diagnostics } = before;
    const kept = sameImports && diagnostics.length === 0 ? sameDecls(before.syntax, syntax) : 0;
    const made = checkModule(syntax, checked, module, before.made.slice(0, kept));
    // Diagnostics name places, and what is reused has none.
    return made.diagnostics.length > 0 && kept > 0 ? checkModule(syntax, checked, module) : made;
  }
}

/** How many declarations two texts of a module have in common, from the first on. */
function sameDecls(before: ModuleSyntax, after: ModuleSyntax): number {
  const { text } = before;
  let same = 0;
  while (same < text.length && text.charCodeAt(same) === after.text.charCodeAt(same)) same++;
  // All of a declaration stands before the name of the next.
  const changed = before.decls.findIndex(
    (_, i) => (before.decls[i + 1]?.name.span.start ?? text.length) > same,
  );
  return Math.min(changed < 0 ? before.decls.length : changed, after.decls.length);
}

interface ParsedFile {
  readonly text: string;
  readonly result: Parsed;
}

interface CheckedModule {
  readonly syntax: ModuleSyntax;
  readonly module: Draft<Module>;
  /** What was made of each declaration of the syntax. */
  readonly made: readonly (readonly Decl[])[];
  readonly imports: readonly (Module | Decl | undefined)[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Modules, and the declarations that are taken from them; undefined for what could not be had. */
function importedBy(
  syntax: ModuleSyntax,
  checked: ReadonlyMap<string, CheckedModule>,
): (Module | Decl | undefined)[] {
  return syntax.imports.flatMap((one) => {
    const module = checked.get(one.module.text)?.module;
    return [module, ...one.names.map(({ text }) => module?.decls.find(({ name }) => name === text))];
  });
}

function sameElements(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}

/** `known`: the module as it was, to be given new contents; `kept`: what has been made of its first declarations. */
function checkModule(
  syntax: ModuleSyntax,
  checked: ReadonlyMap<string, CheckedModule>,
  known?: Draft<Module>,
  kept: readonly (readonly Decl[])[] = [],
): CheckedModule {
  const diagnostics: Diagnostic[] = [];
  const imports: Module["imports"][number][] = [];
  const decls: Decl[] = [];
  const contents: Module = {
    name: syntax.name.text,
    file: syntax.file,
    doc: docOf(syntax.doc),
    imports,
    decls,
  };
  const module: Draft<Module> = known === undefined ? contents : Object.assign(known, contents);
  const scope = new Scope(syntax, module, diagnostics);
  const targets = syntax.imports.map((one) => checked.get(one.module.text));
  syntax.imports.forEach((one, i) => {
    const target = targets[i];
    if (target) imports.push({ module: target.module, names: importNames(scope, target, one) });
    else scope.spoil(one.names.map((name) => name.text));
  });
  const made = syntax.decls.map((decl, i) => {
    const before = kept[i];
    const all = before ?? checkDecl(scope, decl);
    for (const one of before ?? []) scope.declare(one, decl.name.span);
    decls.push(...all);
    // Only what was not declared is asked about: a name that stands is never spoilt.
    scope.spoil(namesOf(decl));
    return all;
  });
  return { syntax, module, made, imports: importedBy(syntax, checked), diagnostics };
}

function importNames(scope: Scope, target: CheckedModule, syntax: ImportSyntax): string[] {
  const { module } = target;
  return syntax.names.flatMap((name) => {
    const decl = module.decls.find((candidate) => candidate.name === name.text);
    if (!decl) {
      scope.spoil([name.text]);
      // What its own module could not declare has been reported there.
      if (target.syntax.decls.some((one) => one.name.text === name.text)) return [];
      scope.error("unknown-name", name.span, `module \`${module.name}\` declares no \`${name.text}\``);
      return [];
    }
    scope.declare(decl, name.span);
    return [name.text];
  });
}

/** Declares and gives what a declaration makes: for a table, more than one thing. */
function checkDecl(scope: Scope, syntax: DeclSyntax): readonly Decl[] {
  switch (syntax.kind) {
    case "const":
      return declared(scope, syntax, checkConst(scope, syntax));
    case "enum":
      return declared(scope, syntax, checkEnum(scope, syntax));
    case "flags":
      return declared(scope, syntax, checkFlags(scope, syntax));
    case "struct":
      return declared(scope, syntax, checkStruct(scope, syntax));
    case "commands":
    case "messages": {
      return checkTable(scope, syntax) ?? [];
    }
  }
}

/** What a declaration declares when nothing is wrong with it. */
function namesOf(syntax: DeclSyntax): string[] {
  const name = syntax.name.text;
  switch (syntax.kind) {
    case "const":
    case "struct":
      return [name];
    case "enum":
    case "flags":
      return [name, ...syntax.members.map((member) => member.name.text)];
    case "commands":
    case "messages":
      return [name, ...tableNames(syntax)];
  }
}

function declared(scope: Scope, syntax: DeclSyntax, decl: Decl | undefined): readonly Decl[] {
  if (!decl) return [];
  const members = syntax.kind === "enum" || syntax.kind === "flags" ? syntax.members : [];
  scope.declare(
    decl,
    syntax.name.span,
    members.map((member) => member.name),
  );
  return [decl];
}

function sorted(report: readonly Diagnostic[]): Diagnostic[] {
  return [...report].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.span.start - b.span.start,
  );
}
