/** What names mean while one module is checked, and where diagnostics go. */
import type { Diagnostic } from "./diagnostics.js";
import type { Const, Decl, Doc, Enum, Flags, Module } from "./ir.js";
import { scalarOf } from "./scalars.js";
import type { DocSyntax, ModuleSyntax, Name, Span } from "./syntax.js";

/** A member of an enum or of a flag set, which is a name of its own in expressions. */
interface MemberRef {
  readonly kind: "member";
  readonly name: string;
  readonly value: bigint;
  /** The inclusive end of a named range; otherwise equal to `value`. */
  readonly to: bigint;
  readonly of: Enum | Flags;
}

export type Meaning = Decl | MemberRef;

export interface Entry {
  readonly meaning: Meaning;
  /** Where it was declared or imported. */
  readonly span: Span;
}

export class Scope {
  readonly syntax: ModuleSyntax;
  readonly module: Module;
  private readonly report: Diagnostic[];
  private readonly names = new Map<string, Entry>();
  /** Names declared later in the file: using one is a forward reference and not merely an unknown name. */
  private readonly later: Map<string, Span>;
  /** Names that a diagnostic has been about already: what uses them is not to blame. */
  private readonly broken = new Set<string>();
  private readonly said = new Set<string>();
  private readonly lineStarts: readonly number[];

  constructor(syntax: ModuleSyntax, module: Module, report: Diagnostic[]) {
    this.syntax = syntax;
    this.module = module;
    this.report = report;
    this.later = new Map(syntax.decls.map((decl) => [decl.name.text, decl.name.span]));
    this.lineStarts = [0, ...[...syntax.text.matchAll(/\n/g)].map((match) => match.index + 1)];
  }

  error(code: string, span: Span, message: string, related?: Diagnostic["related"]): void {
    // What a table is a shorthand for is made several times of one text.
    const what = `${span.start} ${code} ${message}`;
    if (this.said.has(what)) return;
    this.said.add(what);
    this.report.push({ code, message, file: this.syntax.file, span, related });
  }

  here(span: Span, message: string): Diagnostic["related"] {
    return { message, file: this.syntax.file, span };
  }

  line(span: Span): number {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= span.start) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  textOf(span: Span): string {
    return this.syntax.text.slice(span.start, span.end).replace(/\s+/g, " ");
  }

  lookup(name: string): Meaning | undefined {
    return this.names.get(name)?.meaning;
  }

  /** Enters a declaration, and the members of an enum or flag set: each where it stands, if that is known. */
  declare(decl: Decl, span: Span, members: readonly Name[] = []): void {
    if (decl.kind !== "const" && isBuiltIn(decl.name)) {
      this.error("duplicate-name", span, `\`${decl.name}\` is a type of the language`);
      return;
    }
    const places = new Map<string, Span[]>();
    for (const { text, span } of members) places.set(text, [...(places.get(text) ?? []), span]);
    // The name of a table stands for its numbers: that is what a field can have as its type.
    const named = decl.kind === "commands" || decl.kind === "messages" ? decl.numbers : decl;
    this.enter(decl.name, named, span);
    if (named.kind !== "enum" && named.kind !== "flags") return;
    for (const member of named.members) {
      const [value, to] = "mask" in member ? [member.mask, member.mask] : [member.value, member.to];
      const place = places.get(member.name)?.shift() ?? span;
      this.enter(member.name, { kind: "member", name: member.name, value, to, of: named }, place);
    }
  }

  private enter(name: string, meaning: Meaning, span: Span): void {
    const known = this.names.get(name);
    // A flag set and the set that it extends share members, and both may be imported.
    if (known && !sameMember(known.meaning, meaning)) {
      this.error(
        "duplicate-name",
        span,
        `\`${name}\` is declared twice`,
        this.here(known.span, "first here"),
      );
      return;
    }
    this.names.set(name, { meaning, span });
  }

  /** These names were meant to be declared: where one is not, there is a diagnostic about it already. */
  spoil(names: readonly string[]): void {
    for (const name of names) this.broken.add(name);
  }

  /** Reports a name that means nothing here, or something declared too late. */
  unknown(name: Name, wanted: string): void {
    const known = this.names.get(name.text);
    const later = this.later.get(name.text);
    if (known) {
      const message = `\`${name.text}\` is not ${wanted}`;
      this.error("unknown-name", name.span, message, this.here(known.span, "declared here"));
    } else if (this.broken.has(name.text)) {
      return;
    } else if (later) {
      const message =
        later.start < name.span.start
          ? `\`${name.text}\` is used inside itself: there is no recursion`
          : `\`${name.text}\` is used before it is declared`;
      this.error("forward-reference", name.span, message, this.here(later, "declared here"));
    } else {
      const close = nearest(name.text, this.names.keys());
      const hint = close === undefined ? "" : `; did you mean \`${close}\`?`;
      this.error("unknown-name", name.span, `\`${name.text}\` is not ${wanted}${hint}`);
    }
  }
}

/** Names that a field or a parameter would never look up. */
function isBuiltIn(name: string): boolean {
  return scalarOf(name) !== undefined || ["char", "bool", "order"].includes(name);
}

export function docOf(syntax: DocSyntax): Doc {
  return { text: syntax.text, notes: syntax.notes };
}

export function constantValue(meaning: Meaning | undefined): { value: bigint; hint: string } | undefined {
  if (meaning?.kind === "const") return { value: (meaning satisfies Const).value, hint: meaning.name };
  if (meaning?.kind === "member") return { value: meaning.value, hint: meaning.name };
  return undefined;
}

function sameMember(a: Meaning, b: Meaning): boolean {
  if (a === b) return true;
  return a.kind === "member" && b.kind === "member" && a.value === b.value && related(a.of, b.of);
}

function related(a: Enum | Flags, b: Enum | Flags): boolean {
  if (a === b) return true;
  return a.kind === "flags" && b.kind === "flags" && rootOf(a) === rootOf(b);
}

function rootOf(flags: Flags): Flags {
  return flags.extends ? rootOf(flags.extends) : flags;
}

/** The known name at the smallest edit distance, if that is small enough to be a slip of the pen. */
function nearest(name: string, known: Iterable<string>): string | undefined {
  // The distance takes quadratic time; nobody mistypes a name of this length.
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.floor(name.length / 3) + 1);
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
