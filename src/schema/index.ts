/** The schema language: `.wire` text in, checked and laid-out IR or diagnostics out. */
export { type Compilation, Compiler, compile, type Library, type SchemaFile } from "./compile.js";
export { type Diagnostic, formatDiagnostic, type Position, positionAt } from "./diagnostics.js";
export type * from "./ir.js";
export { parse } from "./parse.js";
export type { ModuleSyntax, Span } from "./syntax.js";
