/**
 * Prints a TypeScript file from parts: text, and names that other files export. Printing a name imports it, so an
 * import can neither be forgotten nor be left over.
 */
import type { Scope } from "./names.js";

/** A name that another file exports. */
export interface Import {
  readonly name: string;
  /** The module specifier, as written in the import. */
  readonly from: string;
  /** Used as a type here. An import all of whose uses are types vanishes from the JavaScript. */
  readonly type: boolean;
  /** No other thing of this file can have the name: it is kept free. */
  readonly reserved: boolean;
}

export type Part = string | Import | readonly Part[];

/** A template of parts: ``code`${read}(reader, ${at})` ``. Numbers are printed in decimal. */
export function code(texts: TemplateStringsArray, ...parts: readonly (Part | number)[]): Part {
  const out: Part[] = [];
  texts.forEach((text, index) => {
    if (text !== "") out.push(text);
    const part = parts[index];
    if (part !== undefined) out.push(typeof part === "number" ? String(part) : part);
  });
  return out;
}

/** The parts with a separator between them. */
export function join(parts: readonly Part[], separator: string): Part {
  return parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]));
}

interface Imported {
  readonly local: string;
  /** So far used as a type only. */
  type: boolean;
}

const MAX_WIDTH = 110;

export class Printer {
  private readonly lines: string[] = [];
  private readonly imports = new Map<string, Map<string, Imported>>();
  private readonly scope: Scope;
  private depth = 0;

  /** `scope`: the names of the file, so that an import of a name that it declares itself gets another one. */
  constructor(scope: Scope) {
    this.scope = scope;
  }

  /** One line, or several when the parts hold line breaks. */
  line(...parts: readonly Part[]): void {
    const text = this.text(parts);
    // Nearly every line is one.
    if (text.includes("\n")) for (const each of text.split("\n")) this.push(each);
    else this.push(text);
  }

  private push(text: string): void {
    this.lines.push(text === "" ? "" : "  ".repeat(this.depth) + text);
  }

  /** An empty line, unless there is one already or a block has just begun. */
  blank(): void {
    const last = this.lines[this.lines.length - 1];
    if (last !== undefined && last !== "" && !/[{[(]$/.test(last)) this.lines.push("");
  }

  /** `head {`, what `body` prints, `}` and `tail`. */
  block(head: Part, body: () => void, tail: Part = ""): void {
    this.line(head, head === "" ? "{" : " {");
    this.indented(body);
    this.line("}", tail);
  }

  /** `if (test) {…}`, on one line when `body` is one short statement. */
  when(test: Part, ...statement: readonly Part[]): void {
    const head = this.text(["if (", test, ")"]);
    const body = this.text(statement);
    if (this.fits(`${head} ${body}`)) this.line(head, " ", body);
    else this.block(head, () => this.line(body));
  }

  /** `head a, b, c tail` on one line, or one item a line when that is too long. */
  list(head: Part, items: readonly Part[], tail: Part, padding = ""): void {
    const line = this.text([head, padding, join(items, ", "), padding, tail]);
    if (this.fits(line)) {
      this.line(line);
      return;
    }
    this.line(head);
    this.indented(() => {
      for (const item of items) this.line(item, ",");
    });
    this.line(tail);
  }

  /** A call whose last arguments are an array literal and then `rest`: what is too long for its line, one item a line. */
  listAndRest(head: Part, items: readonly Part[], rest: readonly Part[], tail: Part): void {
    const ending: Part = ["], ", join(rest, ", "), tail];
    if (this.fits(this.text(ending))) {
      this.list([head, "["], items, ending);
      return;
    }
    this.line(head, "[");
    this.indented(() => {
      for (const item of items) this.line(item, ",");
    });
    this.line("],");
    this.indented(() => {
      for (const item of rest) this.line(item, ",");
    });
    this.line(tail);
  }

  /** The operands of one operator, on one line or one a line: `head a || b tail`. */
  chain(head: Part, operands: readonly Part[], operator: string, tail: Part): void {
    const line = this.text([head, join(operands, ` ${operator} `), tail]);
    if (this.fits(line)) {
      this.line(line);
      return;
    }
    this.line(head);
    this.indented(() => {
      operands.forEach((operand, index) => this.line(index === 0 ? "" : `${operator} `, operand));
    });
    this.line(tail);
  }

  indented(body: () => void): void {
    this.depth++;
    body();
    this.depth--;
  }

  /** A JSDoc comment. Nothing when there is nothing to say. */
  doc(paragraphs: readonly string[]): void {
    const lines = paragraphs
      .filter((paragraph) => paragraph !== "")
      .flatMap((paragraph) => paragraph.replaceAll("*/", "*\\/").split("\n"));
    const [only] = lines;
    if (only === undefined) return;
    if (lines.length === 1 && this.fits(`/** ${only} */`)) {
      this.line(`/** ${only} */`);
      return;
    }
    this.line("/**");
    for (const text of lines) this.line(text === "" ? " *" : ` * ${text}`);
    this.line(" */");
  }

  /** What `body` prints, held back until `insert`: a head may depend on what stands below it. */
  capture(body: () => void): readonly string[] {
    const start = this.lines.length;
    body();
    return this.lines.splice(start);
  }

  insert(captured: readonly string[]): void {
    this.lines.push(...captured);
  }

  private fits(line: string): boolean {
    return !line.includes("\n") && line.length + 2 * this.depth <= MAX_WIDTH;
  }

  /** The text of the parts, with their imports recorded. Only for what is printed: an import stays. */
  text(part: Part): string {
    if (typeof part === "string") return part;
    if ("from" in part) return this.imported(part);
    let text = "";
    for (const each of part) text += this.text(each);
    return text;
  }

  private imported({ name, from, type, reserved }: Import): string {
    let names = this.imports.get(from);
    if (names === undefined) {
      names = new Map();
      this.imports.set(from, names);
    }
    const known = names.get(name);
    if (known !== undefined) {
      known.type &&= type;
      return known.local;
    }
    const local = reserved ? name : this.scope.claim(name);
    names.set(name, { local, type });
    return local;
  }

  /** The file: `header`, the imports, what was printed. */
  finish(header: readonly string[]): string {
    const imports = [...this.imports]
      .sort(([a], [b]) => compareSpecifiers(a, b))
      .map(([from, names]) => importLine(from, names));
    let [start, end] = [0, this.lines.length];
    while (start < end && this.lines[start] === "") start++;
    while (end > start && this.lines[end - 1] === "") end--;
    const body = this.lines.slice(start, end).join("\n");
    const sections = [[...header, ...imports].join("\n"), body];
    return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
  }
}

function importLine(from: string, names: ReadonlyMap<string, Imported>): string {
  const sorted = [...names].sort(([a], [b]) => (a < b ? -1 : 1));
  const typesOnly = sorted.every(([, { type }]) => type);
  const specifiers = sorted.map(([name, { local, type }]) => {
    const renamed = local === name ? name : `${name} as ${local}`;
    return type && !typesOnly ? `type ${renamed}` : renamed;
  });
  const head = typesOnly ? "import type {" : "import {";
  const line = `${head} ${specifiers.join(", ")} } from ${JSON.stringify(from)};`;
  if (line.length <= MAX_WIDTH) return line;
  return [head, ...specifiers.map((specifier) => `  ${specifier},`), `} from ${JSON.stringify(from)};`].join(
    "\n",
  );
}

/** Packages first, then what is further away. */
function compareSpecifiers(a: string, b: string): number {
  const distance = (specifier: string): number =>
    specifier.startsWith(".") ? -specifier.split("../").length : -1000;
  return distance(a) - distance(b) || (a < b ? -1 : a > b ? 1 : 0);
}
