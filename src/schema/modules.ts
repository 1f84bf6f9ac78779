/** Puts modules into the order of their imports. */
import type { Diagnostic } from "./diagnostics.js";
import type { ImportSyntax, ModuleSyntax } from "./syntax.js";

/**
 * Modules that come out are complete: everything that they import comes before them. `unread` are the names of modules
 * that exist but could not be read, which has been reported.
 */
export function orderModules(
  modules: readonly ModuleSyntax[],
  unread: ReadonlySet<string>,
  report: Diagnostic[],
): ModuleSyntax[] {
  const byName = new Map<string, ModuleSyntax>();
  for (const module of modules) {
    const before = byName.get(module.name.text);
    if (before) {
      report.push({
        code: "duplicate-module",
        message: `module \`${module.name.text}\` is declared twice`,
        file: module.file,
        span: module.name.span,
        related: { message: "first here", file: before.file, span: before.name.span },
      });
      continue;
    }
    byName.set(module.name.text, module);
  }
  const ordered: ModuleSyntax[] = [];
  const state = new Map<ModuleSyntax, "open" | "done">();
  const visit = (module: ModuleSyntax): void => {
    state.set(module, "open");
    for (const one of module.imports) {
      const target = byName.get(one.module.text);
      if (!target && unread.has(one.module.text)) continue;
      if (!target) {
        report.push(error("unknown-module", module, one, `there is no module \`${one.module.text}\``));
      } else if (state.get(target) === "open") {
        report.push(
          error("import-cycle", module, one, `\`${one.module.text}\` imports this module, directly or not`),
        );
      } else if (!state.has(target)) {
        visit(target);
      }
    }
    state.set(module, "done");
    ordered.push(module);
  };
  // Sorted, so that the order does not depend on how the files were found.
  for (const name of [...byName.keys()].sort()) {
    const module = byName.get(name);
    if (module && !state.has(module)) visit(module);
  }
  return ordered;
}

function error(code: string, module: ModuleSyntax, one: ImportSyntax, message: string): Diagnostic {
  return { code, message, file: module.file, span: one.module.span };
}
