/** Text of the schema as Markdown: prose, cells of tables, code. */
import type { Doc } from "../../schema/ir.js";

/** Prose between blank lines. Backticks mean code in doc comments as in Markdown; nothing else is markup there. */
export function prose(text: string): string {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? part : plain(part)))
    .join("`");
}

/** One line for a cell of a table. */
function cell(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
}

export function code(text: string): string {
  return `\`${text}\``;
}

export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [row(head), row(head.map(() => "---")), ...rows.map(row)];
}

/** The same without the columns in which no row has anything. */
export function tableWithoutEmpty(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const kept = head.map((_, column) => rows.some((cells) => cells[column] !== ""));
  const filled = (cells: readonly string[]): string[] => cells.filter((_, column) => kept[column]);
  return tableOf(filled(head), rows.map(filled));
}

/** The notes of a doc comment, an item each. */
export function notesOf({ notes }: Doc): string[] {
  return notes.map(({ tag, text }) => `- ${capital(tag)}: ${prose(text.replace(/\s*\n\s*/g, " "))}`);
}

/** A doc comment in a cell. */
export function meaningOf({ text, notes }: Doc): string {
  const said = notes.map((note) => {
    const about = prose(note.text);
    if (note.tag === "note") return about;
    return `${capital(note.tag)}: ${about}${/[.!?]$/.test(about) ? "" : "."}`;
  });
  return [prose(text), ...said].filter((part) => part !== "").join(" ");
}

/** Where a person reads on only if it is about something that they look for. */
export function firstSentence(text: string): string {
  const paragraph = prose((text.split("\n\n")[0] ?? "").replace(/\s*\n\s*/g, " "));
  const end = /[.](?:\s|$)/.exec(paragraph);
  return end === null ? paragraph : paragraph.slice(0, end.index + 1);
}

function plain(text: string): string {
  return text.replace(/[\\<*[\]]|(?<!\w)_|_(?!\w)/g, (found) => (found === "<" ? "&lt;" : `\\${found}`));
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(cell).join(" | ")} |`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
