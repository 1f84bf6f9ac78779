/**
 * Schemas that must be refused. A fixture begins with what the compiler has to say about it:
 *
 *     // error LINE:COLUMN CODE: MESSAGE
 *
 * in the order of the file, and with nothing else. A folder is one fixture of several files, compiled together.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SchemaFile } from "../../src/schema/index.js";

interface Expected {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly code: string;
  readonly message: string;
}

export interface Fixture {
  readonly name: string;
  readonly files: readonly SchemaFile[];
  readonly expected: readonly Expected[];
}

const root = fileURLToPath(new URL("errors/", import.meta.url));

export function fixtures(): Fixture[] {
  const entries = readdirSync(root, { withFileTypes: true });
  return entries
    .map((entry) => {
      const files = entry.isDirectory()
        ? readdirSync(`${root}${entry.name}`).map((name) => read(`${entry.name}/${name}`))
        : [read(entry.name)];
      return { name: entry.name, files, expected: files.flatMap(expectedOf) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function read(file: string): SchemaFile {
  return { file, text: readFileSync(`${root}${file}`, "utf8") };
}

function expectedOf({ file, text }: SchemaFile): Expected[] {
  const expected: Expected[] = [];
  for (const line of text.split("\n")) {
    const match = /^\/\/ error (\d+):(\d+) ([a-z]+(?:-[a-z]+)*): (.+)$/.exec(line);
    if (!match) break;
    const [, row, column, code = "", message = ""] = match;
    expected.push({ file, line: Number(row), column: Number(column), code, message });
  }
  return expected;
}
