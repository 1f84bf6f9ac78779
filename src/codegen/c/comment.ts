/** Doc comments of the schema as C comments. */
import type { Doc } from "../../schema/ir.js";

/** `lead` is what the generator has to say; it comes first. Nothing at all gives no lines. */
export function comment(doc: Doc, ...lead: string[]): string[] {
  const prose = doc.text === "" ? [] : doc.text.split("\n");
  const notes = doc.notes.map((note) => `@${note.tag} ${note.text}`.trimEnd());
  const lines = [...lead, ...prose, ...notes].map(harmless);
  if (lines.length === 0) return [];
  if (lines.length === 1) return [`/* ${lines[0]} */`];
  return ["/*", ...lines.map((line) => ` * ${line}`.trimEnd()), " */"];
}

/** The source's prose must not end the comment, and `/*` inside one is a warning. */
function harmless(line: string): string {
  return line.replaceAll("*/", "* /").replaceAll("/*", "/ *");
}
