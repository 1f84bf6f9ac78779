/** The compiler from end to end: texts in, IR or diagnostics out. */
import { checkConst, checkEnum, checkFlags, checkStruct } from "./declarations.js";
import type { Diagnostic } from "./diagnostics.js";
import type { Decl, Module, Program } from "./ir.js";
import { orderModules } from "./modules.js";
import { parse } from "./parse.js";
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
export function compile(files: readonly SchemaFile[]): Compilation {
  const report: Diagnostic[] = [];
  const parsed: ModuleSyntax[] = [];
  const unread = new Set<string>();
  for (const { file, text } of files) {
    const { module, name, diagnostics } = parse(file, text);
    report.push(...diagnostics);
    if (module) parsed.push(module);
    else if (name !== undefined) unread.add(name);
  }
  const checked = new Map<string, CheckedModule>();
  for (const syntax of orderModules(parsed, unread, report))
    checked.set(syntax.name.text, { syntax, module: checkModule(syntax, checked, report) });
  const diagnostics = sorted(report);
  const modules = [...checked.values()].map(({ module }) => module);
  return { program: diagnostics.length === 0 ? { modules } : undefined, diagnostics };
}

interface CheckedModule {
  readonly syntax: ModuleSyntax;
  readonly module: Module;
}

function checkModule(
  syntax: ModuleSyntax,
  checked: ReadonlyMap<string, CheckedModule>,
  report: Diagnostic[],
): Module {
  const imports: Module["imports"][number][] = [];
  const decls: Decl[] = [];
  const module: Module = {
    name: syntax.name.text,
    file: syntax.file,
    doc: docOf(syntax.doc),
    imports,
    decls,
  };
  const scope = new Scope(syntax, module, report);
  for (const one of syntax.imports) {
    const target = checked.get(one.module.text);
    if (target) imports.push({ module: target.module, names: importNames(scope, target, one) });
    else scope.spoil(one.names.map((name) => name.text));
  }
  for (const decl of syntax.decls) {
    const made = checkDecl(scope, decl);
    decls.push(...made);
    // Only what was not declared is asked about: a name that stands is never spoilt.
    scope.spoil(namesOf(decl));
  }
  return module;
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
      const made = checkTable(scope, syntax);
      if (!made) return [];
      scope.declare(
        made[made.length - 1] as Decl,
        syntax.name.span,
        syntax.rows.map((row) => row.name),
      );
      return made;
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
