/** The compiler from end to end: texts in, IR or diagnostics out. */
import { checkConst, checkEnum, checkFlags, checkStruct } from "./declarations.js";
import type { Diagnostic } from "./diagnostics.js";
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
 * when its text or a module that it imports has changed: otherwise the program holds the same object as before.
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
      const module = this.reusable(syntax, checked) ?? checkModule(syntax, checked);
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

  /** What was made of the same syntax, if everything that it imports is the same too. */
  private reusable(
    syntax: ModuleSyntax,
    checked: ReadonlyMap<string, CheckedModule>,
  ): CheckedModule | undefined {
    const before = this.checked.get(syntax.name.text);
    if (before?.syntax !== syntax) return undefined;
    const same = syntax.imports.every((one, i) => before.imports[i] === checked.get(one.module.text)?.module);
    return same ? before : undefined;
  }
}

interface ParsedFile {
  readonly text: string;
  readonly result: Parsed;
}

interface CheckedModule {
  readonly syntax: ModuleSyntax;
  readonly module: Module;
  /** One for each import of the syntax; undefined for a module that could not be had. */
  readonly imports: readonly (Module | undefined)[];
  readonly diagnostics: readonly Diagnostic[];
}

function checkModule(syntax: ModuleSyntax, checked: ReadonlyMap<string, CheckedModule>): CheckedModule {
  const diagnostics: Diagnostic[] = [];
  const imports: Module["imports"][number][] = [];
  const decls: Decl[] = [];
  const module: Module = {
    name: syntax.name.text,
    file: syntax.file,
    doc: docOf(syntax.doc),
    imports,
    decls,
  };
  const scope = new Scope(syntax, module, diagnostics);
  const targets = syntax.imports.map((one) => checked.get(one.module.text));
  syntax.imports.forEach((one, i) => {
    const target = targets[i];
    if (target) imports.push({ module: target.module, names: importNames(scope, target, one) });
    else scope.spoil(one.names.map((name) => name.text));
  });
  for (const decl of syntax.decls) {
    const made = checkDecl(scope, decl);
    decls.push(...made);
    // Only what was not declared is asked about: a name that stands is never spoilt.
    scope.spoil(namesOf(decl));
  }
  return { syntax, module, imports: targets.map((target) => target?.module), diagnostics };
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
