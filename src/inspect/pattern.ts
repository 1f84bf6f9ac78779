/**
 * What a user writes to say which values are meant: a path, a path with stars in it, or a range of bytes. Reading it is
 * forgiving (`sections[ram]`, `sections['ram']` and `.sections.ram` are all understood), printing it is not.
 */
import { quote, type Step } from "./path.js";
import { printable } from "./report.js";

export type PatternStep =
  | {
      readonly kind: "name";
      /** The text between the stars: a single piece is a whole name. */
      readonly pieces: readonly string[];
      readonly keyed: boolean;
      /** Any of that name when undefined. */
      readonly number: number | undefined;
    }
  | { readonly kind: "index"; readonly index: number }
  /** `.*` or `[*]`: one step, whatever it is. */
  | { readonly kind: "any"; readonly keyed: boolean }
  /** `**`: any number of steps, or none. */
  | { readonly kind: "deep" };

export type Pattern = readonly PatternStep[];

/** Bytes of the capture, from `from` up to but without `to`. */
export interface ByteRange {
  readonly from: number;
  /** Undefined for `@OFFSET`: whatever stands there. */
  readonly to: number | undefined;
}

/** What is wrong with a path, and where. */
export class PathError extends Error {
  readonly at: number;

  constructor(text: string, at: number, what: string) {
    super(`${printable(text.length > 100 ? `${text.slice(0, 99)}…` : text)}: character ${at + 1}: ${what}`);
    this.at = at;
  }
}

/** A section's name has 255 characters at most, four of a path each; no capture nests as deep as that. */
const MAX_LENGTH = 1 << 16;
const MAX_STEPS = 1024;

export function isRange(text: string): boolean {
  return text.startsWith("@");
}

/** `@0x100`, `@0x100+64`, `@0x100..0x140`. Throws `PathError`. */
export function parseRange(text: string): ByteRange {
  const found = /^@(0x[0-9a-f]+|\d+)(?:(\+|\.\.)(0x[0-9a-f]+|\d+))?$/i.exec(text);
  if (found === null) throw new PathError(text, 0, "a range is written @OFFSET, @OFFSET+LENGTH or @FROM..TO");
  const from = Number(found[1]);
  const other = found[3] === undefined ? undefined : Number(found[3]);
  const to = other === undefined ? undefined : found[2] === "+" ? from + other : other;
  if (!Number.isSafeInteger(to ?? from)) throw new PathError(text, 1, "no capture reaches so far");
  if (to !== undefined && to < from) throw new PathError(text, 1, "a range ends behind its beginning");
  return { from, to };
}

/** Throws `PathError`. */
export function parsePattern(text: string): Pattern {
  if (text.length > MAX_LENGTH) throw new PathError(text, MAX_LENGTH, "a path is no longer than this");
  const parser = new PatternParser(text);
  const steps: PatternStep[] = [];
  while (!parser.done) {
    if (steps.length === MAX_STEPS) throw parser.wrong("too many steps");
    steps.push(parser.step(steps.length === 0));
  }
  if (steps.length === 0) throw parser.wrong("a path has at least one step");
  return steps;
}

export function printPattern(pattern: Pattern): string {
  let text = "";
  for (const step of pattern) {
    const dot = text === "" ? "" : ".";
    if (step.kind === "index") text += `[${step.index}]`;
    else if (step.kind === "deep") text += `${dot}**`;
    else if (step.kind === "any") text += step.keyed ? "[*]" : `${dot}*`;
    else if (step.keyed || step.number !== undefined || !WORD.test(step.pieces.join("*"))) {
      text += `["${step.pieces.map(quote).join("*")}"${step.number === undefined ? "" : `#${step.number}`}]`;
    } else text += `${dot}${step.pieces.join("*")}`;
  }
  return text;
}

const WORD = /^[A-Za-z_*][A-Za-z0-9_*-]*$/;
const WORD_HERE = /[A-Za-z_*][A-Za-z0-9_*-]*/y;
const NUMBER_HERE = /\d+/y;

class PatternParser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  wrong(what: string): PathError {
    return new PathError(this.text, this.at, what);
  }

  step(isFirst: boolean): PatternStep {
    if (this.skip("[")) return this.bracket();
    // As jq writes it, a path may begin with a dot.
    if (!this.skip(".") && !isFirst) throw this.wrong("a dot or a bracket is missing");
    if (this.skip("[")) return this.bracket();
    const word = this.take(WORD_HERE);
    if (word === undefined) throw this.wrong('a name is missing (other names are written ["…"])');
    if (word === "*") return { kind: "any", keyed: false };
    if (word === "**") return { kind: "deep" };
    return { kind: "name", pieces: word.split("*"), keyed: false, number: undefined };
  }

  private bracket(): PatternStep {
    const mark = this.text[this.at];
    if (mark === '"' || mark === "'") {
      this.at++;
      const pieces = this.quoted(mark);
      return this.close({ kind: "name", pieces, keyed: true, number: this.number() });
    }
    const from = this.at;
    const end = this.text.indexOf("]", from);
    if (end < 0) throw this.wrong("a bracket is not closed");
    const inside = this.text.slice(from, end);
    this.at = end;
    if (inside === "*") return this.close({ kind: "any", keyed: true });
    if (/^\d+$/.test(inside)) return this.close({ kind: "index", index: this.integer(inside) });
    const [, name = "", number] = /^([^#]*)(?:#(\d+))?$/.exec(inside) ?? [];
    if (name === "") {
      this.at = from;
      throw this.wrong("a name or a number is missing");
    }
    return this.close({
      kind: "name",
      pieces: name.split("*"),
      keyed: true,
      number: number === undefined ? undefined : this.integer(number),
    });
  }

  /** Up to the closing mark. */
  private quoted(mark: string): string[] {
    const pieces = [""];
    while (!this.skip(mark)) {
      if (this.done) throw this.wrong("a quotation mark is missing");
      const isStar = this.text[this.at] === "*";
      if (isStar) {
        this.at++;
        pieces.push("");
      } else pieces[pieces.length - 1] += this.character();
    }
    return pieces;
  }

  private character(): string {
    const character = this.text[this.at++] ?? "";
    if (character !== "\\") return character;
    const kind = this.text[this.at++] ?? "";
    const size = kind === "x" ? 2 : kind === "u" ? 4 : 0;
    if (size === 0) {
      const meant = ESCAPES.get(kind);
      if (meant === undefined) throw this.wrong(`\\${kind} is no escape`);
      return meant;
    }
    const digits = this.text.slice(this.at, this.at + size);
    if (digits.length !== size || !/^[0-9a-f]+$/i.test(digits)) throw this.wrong("digits are missing");
    this.at += digits.length;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private number(): number | undefined {
    if (!this.skip("#")) return undefined;
    const digits = this.take(NUMBER_HERE);
    if (digits === undefined) throw this.wrong("a number is missing");
    return this.integer(digits);
  }

  private integer(digits: string): number {
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) throw this.wrong("a number is too large");
    return value;
  }

  private close(step: PatternStep): PatternStep {
    if (!this.skip("]")) throw this.wrong("a closing bracket is missing");
    return step;
  }

  private skip(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private take(expression: RegExp): string | undefined {
    expression.lastIndex = this.at;
    const [found] = expression.exec(this.text) ?? [];
    if (found !== undefined) this.at += found.length;
    return found;
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ["\\", "\\"],
  ["*", "*"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/**
 * Where several patterns stand after some steps of a path. Followed step by step, so that a tree is matched while it is
 * gone through, and branches that nothing can match any more are left out. As many states as the patterns have steps are
 * the most there can be, whatever stars they hold.
 */
export class Match {
  private readonly patterns: readonly Pattern[];
  private readonly states: readonly State[];

  private constructor(patterns: readonly Pattern[], states: readonly State[]) {
    this.patterns = patterns;
    this.states = states;
  }

  static start(patterns: readonly Pattern[]): Match {
    return new Match(
      patterns,
      closed(
        patterns,
        patterns.map((_, pattern): State => ({ pattern, at: 0 })),
      ),
    );
  }

  /** Which patterns end here. */
  get accepted(): readonly number[] {
    return this.states
      .filter(({ pattern, at }) => at === this.patterns[pattern]?.length)
      .map(({ pattern }) => pattern);
  }

  /** Nothing that lies further on can match. */
  get isOver(): boolean {
    return this.states.length === 0;
  }

  next(step: Step): Match {
    const states: State[] = [];
    for (const { pattern, at } of this.states) {
      const wanted = this.patterns[pattern]?.[at];
      if (wanted === undefined) continue;
      if (wanted.kind === "deep") states.push({ pattern, at });
      else if (fits(wanted, step)) states.push({ pattern, at: at + 1 });
    }
    return new Match(this.patterns, closed(this.patterns, states));
  }
}

interface State {
  readonly pattern: number;
  readonly at: number;
}

/** Adds the states behind `**`, which may stand for nothing. */
function closed(patterns: readonly Pattern[], states: readonly State[]): State[] {
  const seen = new Set<string>();
  const all: State[] = [];
  const waiting = [...states].reverse();
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const key = `${state.pattern} ${state.at}`;
    if (seen.has(key)) continue;
    seen.add(key);
    all.push(state);
    if (patterns[state.pattern]?.[state.at]?.kind === "deep")
      waiting.push({ pattern: state.pattern, at: state.at + 1 });
  }
  return all;
}

function fits(wanted: PatternStep, step: Step): boolean {
  if (wanted.kind === "any") return true;
  if (wanted.kind === "index")
    return step.kind === "index" ? step.index === wanted.index : step.position === wanted.index;
  if (wanted.kind === "deep" || step.kind === "index") return false;
  return (wanted.number === undefined || wanted.number === step.number) && fitsName(wanted.pieces, step.name);
}

/** Every piece as early as it can stand, the last at the end: no other choice is ever better. */
function fitsName(pieces: readonly string[], name: string): boolean {
  const [first = "", ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
