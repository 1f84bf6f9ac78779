/**
 * `///` comments: which token each stands before, and what it says. The parser takes them by the offset of that token;
 * what nobody took belongs to nothing.
 */
import type { IToken } from "chevrotain";
import type { Diagnostic } from "./diagnostics.js";
import { spanOf } from "./lexer.js";
import type { DocSyntax } from "./syntax.js";

type Note = DocSyntax["notes"][number];

const NOTHING: DocSyntax = { text: "", notes: [] };

export class DocComments {
  private readonly before = new Map<number, IToken[]>();
  private readonly afterCode: IToken[] = [];

  constructor(text: string, tokens: readonly IToken[], docs: readonly IToken[]) {
    let next = 0;
    for (const doc of docs) {
      while (next < tokens.length && (tokens[next]?.startOffset ?? 0) < doc.startOffset) next++;
      const previous = tokens[next - 1];
      // It would silently document the next line instead of the one that it stands on.
      if (previous !== undefined && !text.slice(spanOf(previous).end, doc.startOffset).includes("\n")) {
        this.afterCode.push(doc);
        continue;
      }
      const offset = tokens[next]?.startOffset ?? text.length;
      const group = this.before.get(offset);
      if (group) group.push(doc);
      else this.before.set(offset, [doc]);
    }
  }

  /** What is said before the token at this offset. Each comment can be taken once. */
  take(offset: number): DocSyntax {
    const comments = this.before.get(offset);
    if (comments === undefined) return NOTHING;
    this.before.delete(offset);
    return read(comments.map((comment) => comment.image));
  }

  /** `if (x) le16 field;`: what is said before the condition belongs to the field. */
  carry(from: number, to: number): void {
    const comments = this.before.get(from);
    if (comments === undefined) return;
    this.before.delete(from);
    this.before.set(to, [...comments, ...(this.before.get(to) ?? [])]);
  }

  /** Comments that describe nothing. */
  stray(file: string): Diagnostic[] {
    const code = "stray-doc";
    const after = this.afterCode.map((comment) => ({
      code,
      message: "a `///` comment stands on the lines before what it describes, not after code",
      file,
      span: spanOf(comment),
    }));
    const before = [...this.before.values()].flatMap((comments) => {
      const [first] = comments;
      const message =
        "this `///` comment describes nothing: use `//`, or move it to a declaration or a field";
      return first === undefined ? [] : [{ code, message, file, span: spanOf(first) }];
    });
    return [...after, ...before];
  }
}

function read(images: readonly string[]): DocSyntax {
  const prose: string[] = [];
  const notes: Note[] = [];
  let open: { tag: string; text: string } | undefined;
  for (const image of images) {
    const line = image.slice("///".length).replace(/^ /, "").trimEnd();
    const note = /^@([A-Za-z][\w-]*)(?:\s+(.*))?$/.exec(line);
    if (note) {
      open = { tag: note[1] ?? "", text: note[2] ?? "" };
      notes.push(open);
    } else if (open && /^ {2,}\S/.test(line)) {
      open.text = `${open.text} ${line.trim()}`.trim();
    } else {
      open = undefined;
      prose.push(line);
    }
  }
  return { text: prose.join("\n").replace(/^\n+|\n+$/g, ""), notes };
}
