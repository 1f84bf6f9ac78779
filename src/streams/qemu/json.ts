/**
 * A JSON reader for text that nobody vouches for. It keeps every member of an object, in order: QEMU's description of a
 * device repeats keys (`vmsd_name`, `fields`) once for each element of a list, and JSON.parse would keep the last one
 * only. Depth and number of values are bounded, so that a hostile file can neither overflow the stack nor fill memory.
 */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** The members in the order of the text, repeated keys included. */
export class JsonObject {
  readonly members: readonly (readonly [key: string, value: JsonValue])[];

  constructor(members: readonly (readonly [string, JsonValue])[]) {
    this.members = members;
  }

  /** The last member of that name, as JSON.parse would take it. */
  get(key: string): JsonValue | undefined {
    for (let i = this.members.length - 1; i >= 0; i--) {
      const member = this.members[i];
      if (member?.[0] === key) return member[1];
    }
    return undefined;
  }
}

export interface JsonProblem {
  /** Offset of the byte that is wrong, from the start of the text. */
  readonly at: number;
  readonly detail: string;
}

export interface JsonLimits {
  readonly depth: number;
  readonly values: number;
}

const DEFAULT_LIMITS: JsonLimits = { depth: 64, values: 4_000_000 };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Reads one value that is the whole text. */
export function readJson(
  bytes: Uint8Array,
  limits: JsonLimits = DEFAULT_LIMITS,
): { readonly value: JsonValue } | { readonly problem: JsonProblem } {
  const reader = new JsonReader(bytes, limits);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (error instanceof Unreadable) return { problem: { at: error.at, detail: error.message } };
    throw error;
  }
}

/** Never leaves this file: the way out of the recursion. */
class Unreadable extends Error {
  readonly at: number;

  constructor(at: number, detail: string) {
    super(detail);
    this.at = at;
  }
}

class JsonReader {
  private readonly bytes: Uint8Array;
  private readonly limits: JsonLimits;
  private at = 0;
  private values = 0;

  constructor(bytes: Uint8Array, limits: JsonLimits) {
    this.bytes = bytes;
    this.limits = limits;
  }

  document(): JsonValue {
    const value = this.value(0);
    this.space();
    if (this.at !== this.bytes.length) throw this.wrong("text goes on after the value");
    return value;
  }

  private value(depth: number): JsonValue {
    if (depth > this.limits.depth) throw this.wrong(`nested more than ${this.limits.depth} deep`);
    if (++this.values > this.limits.values) throw this.wrong(`more than ${this.limits.values} values`);
    this.space();
    switch (this.bytes[this.at]) {
      case OPEN_BRACE:
        return this.object(depth);
      case OPEN_BRACKET:
        return this.array(depth);
      case QUOTE:
        return this.text();
      case 0x74:
        return this.word("true", true);
      case 0x66:
        return this.word("false", false);
      case 0x6e:
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private object(depth: number): JsonObject {
    const members: [string, JsonValue][] = [];
    this.at++;
    this.space();
    if (this.bytes[this.at] === CLOSE_BRACE) {
      this.at++;
      return new JsonObject(members);
    }
    while (true) {
      this.space();
      if (this.bytes[this.at] !== QUOTE) throw this.wrong("a key is expected");
      const key = this.text();
      this.space();
      if (this.bytes[this.at] !== COLON) throw this.wrong("a colon is expected");
      this.at++;
      members.push([key, this.value(depth + 1)]);
      if (!this.goesOn(CLOSE_BRACE)) return new JsonObject(members);
    }
  }

  private array(depth: number): JsonValue[] {
    const values: JsonValue[] = [];
    this.at++;
    this.space();
    if (this.bytes[this.at] === CLOSE_BRACKET) {
      this.at++;
      return values;
    }
    while (true) {
      values.push(this.value(depth + 1));
      if (!this.goesOn(CLOSE_BRACKET)) return values;
    }
  }

  /** Takes a comma (true) or the closing bracket (false). */
  private goesOn(close: number): boolean {
    this.space();
    const byte = this.bytes[this.at];
    if (byte !== COMMA && byte !== close) throw this.wrong("a comma or the end is expected");
    this.at++;
    return byte === COMMA;
  }

  private text(): string {
    const start = ++this.at;
    while (true) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw this.wrong("the text ends inside a string");
      if (byte === QUOTE) break;
      // QEMU escapes all others.
      if (byte < 0x20 || byte > 0x7e) throw this.wrong("a character outside ASCII inside a string");
      this.at += byte === BACKSLASH ? 2 : 1;
    }
    const raw = latin1(this.bytes, start, this.at);
    this.at++;
    return raw.includes("\\") ? this.unescape(raw, start) : raw;
  }

  private unescape(raw: string, start: number): string {
    return raw.replace(/\\(u[0-9a-fA-F]{4}|[\s\S])/g, (whole, sequence: string, index: number) => {
      if (sequence.length > 1) return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
      const text = Object.hasOwn(ESCAPES, sequence) ? ESCAPES[sequence] : undefined;
      if (text === undefined) throw new Unreadable(start + index, `unknown escape ${whole}`);
      return text;
    });
  }

  private word<T extends boolean | null>(word: string, value: T): T {
    if (latin1(this.bytes, this.at, this.at + word.length) !== word) throw this.wrong("a value is expected");
    this.at += word.length;
    return value;
  }

  private number(): number {
    const start = this.at;
    while (isNumeric(this.bytes[this.at])) this.at++;
    const text = latin1(this.bytes, start, this.at);
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
      this.at = start;
      throw this.wrong(start === this.bytes.length ? "the text ends too early" : "a value is expected");
    }
    return Number(text);
  }

  private space(): void {
    while (true) {
      const byte = this.bytes[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.at++;
    }
  }

  private wrong(detail: string): Unreadable {
    return new Unreadable(Math.min(this.at, this.bytes.length), detail);
  }
}

function isNumeric(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    (byte | 0x20) === 0x65
  );
}

/** Names in descriptions are ASCII by custom; Latin-1 keeps any other byte apart instead of merging it into U+FFFD. */
function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to && i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0);
  return text;
}
