/**
 * What the compiler has to say about a schema: a stable code, a place, a sentence, and how it is shown to a person.
 */
import type { Span } from "./syntax.js";

export interface Diagnostic {
  /** Stable, kebab-case, e.g. `unknown-name`. The list is in docs/language.md. */
  readonly code: string;
  readonly message: string;
  /** Relative to the schema root. */
  readonly file: string;
  readonly span: Span;
  /** A second place that matters, e.g. where a name was declared first. */
  readonly related?: { readonly message: string; readonly file: string; readonly span: Span } | undefined;
}

/** One-based, columns counted in UTF-16 units, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export function positionAt(text: string, offset: number): Position {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", start)) {
    line++;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}

/**
 * `file:line:column: error: message [code]`, the line of the schema, and a caret under the place.
 * `textOf` gives the text of a file by the name that the diagnostic carries.
 */
export function formatDiagnostic(diagnostic: Diagnostic, textOf: (file: string) => string): string {
  const out = [
    excerpt(diagnostic.file, diagnostic.span, `error: ${diagnostic.message} [${diagnostic.code}]`, textOf),
  ];
  if (diagnostic.related) {
    const { file, span, message } = diagnostic.related;
    out.push(excerpt(file, span, `note: ${message}`, textOf));
  }
  return out.join("\n");
}

function excerpt(file: string, span: Span, message: string, textOf: (file: string) => string): string {
  const text = textOf(file);
  const { line, column } = positionAt(text, span.start);
  const lineStart = span.start - (column - 1);
  const lineEnd = text.indexOf("\n", lineStart);
  const source = text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd).replace(/\r$/, "");
  // A tab is kept in the margin so that the caret stays under its place whatever the width of a tab is.
  const margin = source.slice(0, column - 1).replace(/[^\t]/g, " ");
  const width = Math.max(1, Math.min(span.end - span.start, source.length - (column - 1)));
  return `${file}:${line}:${column}: ${message}\n  ${source}\n  ${margin}${"^".repeat(width)}`;
}
