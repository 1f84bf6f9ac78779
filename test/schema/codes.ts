/** The codes of diagnostics: those that the source can report, read off its syntax, and those that the reference lists. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const source = fileURLToPath(new URL("../../src/schema/", import.meta.url));
const reference = fileURLToPath(new URL("../../docs/language.md", import.meta.url));

/** The reporting functions: `scope.error(code, …)`, the parser's `find(code, …)`. */
const REPORTERS = new Set(["error", "find"]);

export function codesInSource(): string[] {
  const codes = new Set<string>();
  for (const name of readdirSync(source, { encoding: "utf8", recursive: true })) {
    if (!name.endsWith(".ts")) continue;
    const file = ts.createSourceFile(name, readFileSync(source + name, "utf8"), ts.ScriptTarget.ES2022);
    const visit = (node: ts.Node): void => {
      const code = codeOf(node);
      if (code !== undefined) codes.add(code);
      node.forEachChild(visit);
    };
    visit(file);
  }
  return [...codes].sort();
}

/** `error("code", …)`, `{ code: "code" }` and `const code = "code"`. */
function codeOf(node: ts.Node): string | undefined {
  if (ts.isCallExpression(node)) {
    const { expression: callee } = node;
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : nameOf(callee);
    return name !== undefined && REPORTERS.has(name) ? textOf(node.arguments[0]) : undefined;
  }
  if (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) {
    return nameOf(node.name) === "code" ? textOf(node.initializer) : undefined;
  }
  return undefined;
}

function nameOf(node: ts.Node): string | undefined {
  return ts.isIdentifier(node) ? node.text : undefined;
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** The rows of the table under "Diagnostics". */
export function codesInReference(): string[] {
  const text = readFileSync(reference, "utf8");
  const start = text.indexOf("\n## Diagnostics\n");
  const end = text.indexOf("\n## ", start + 1);
  const section = start < 0 ? "" : text.slice(start, end < 0 ? undefined : end);
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? "");
}
