/** The compiler from end to end: texts in, IR or diagnostics out. */
import { checkConst, checkEnum, checkFlags, checkStruct } from "./declarations.js";
import type { Diagnostic } from "./diagnostics.js";
import type { Decl, Module, Program } from "./ir.js";
import { orderModules } from "./modules.js";
import { parse } from "./parse.js";
import { docOf, Scope } from "./scope.js";
import type { DeclSyntax, ImportSyntax, ModuleSyntax } from "./syntax.js";
import { checkTable } from "./tables.js";

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
  for (const { file, text } of files) {
    const { module, diagnostics } = parse(file, text);
    report.push(...diagnostics);
    if (module) parsed.push(module);
  }
  const modules = new Map<string, Module>();
  for (const syntax of orderModules(parsed, report))
    modules.set(syntax.name.text, checkModule(syntax, modules, report));
  const diagnostics = sorted(report);
  return { program: diagnostics.length === 0 ? { modules: [...modules.values()] } : undefined, diagnostics };
}

function checkModule(
  syntax: ModuleSyntax,
  modules: ReadonlyMap<string, Module>,
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
    const target = modules.get(one.module.text);
    if (target) imports.push({ module: target, names: importNames(scope, target, one) });
  }
  for (const decl of syntax.decls) {
    const made = checkDecl(scope, decl);
    decls.push(...made);
  }
  return module;
}

function importNames(scope: Scope, target: Module, syntax: ImportSyntax): string[] {
  return syntax.names.flatMap((name) => {
    const decl = target.decls.find((candidate) => candidate.name === name.text);
    if (!decl) {
      scope.error("unknown-name", name.span, `module \`${target.name}\` declares no \`${name.text}\``);
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
      scope.declare(made[made.length - 1] as Decl, syntax.name.span);
      return made;
    }
  }
}

function declared(scope: Scope, syntax: DeclSyntax, decl: Decl | undefined): readonly Decl[] {
  if (!decl) return [];
  scope.declare(decl, syntax.name.span);
  return [decl];
}

function sorted(report: readonly Diagnostic[]): Diagnostic[] {
  return [...report].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.span.start - b.span.start,
  );
}
