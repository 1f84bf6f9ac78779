/** The engine of push parsers under a parser made by hand: what it gathers, what it keeps, and when it gives up. */
import { describe, expect, it } from "vitest";
import { type ParserOptions, PushParser, type Reader } from "../../src/runtime/index.js";

/** Strings that begin with their length in four bytes, up to the end. */
class Strings extends PushParser {
  readonly heard: string[] = [];
  readonly buffers = new Set<ArrayBufferLike>();
  /** How often the start of a string has been looked at. */
  attempts = 0;

  constructor(options?: ParserOptions) {
    super(options, "strings.wire", 1);
  }

  protected override advance(reader: Reader): void {
    while (!this.atEnd(reader)) {
      if (reader.at < reader.bytes.byteLength) this.attempts++;
      const at = this.open(reader);
      if (4 > reader.end - at) {
        this.lacks(reader, "size", 4, "strings.wire", 2);
        return;
      }
      const size = 4 + reader.view.getUint32(at);
      if (size > reader.end - at) {
        if (!this.awaits(reader, at, size)) this.lacks(reader, "text", size, "strings.wire", 3);
        return;
      }
      const bytes = reader.bytes.subarray(at + 4, at + size);
      this.buffers.add(bytes.buffer);
      this.heard.push(String.fromCharCode(...bytes));
      reader.at = at + size;
    }
    this.end(reader);
  }
}

function encoded(...texts: readonly string[]): Uint8Array {
  return Uint8Array.from(texts.flatMap((text) => [0, 0, 0, text.length, ...Buffer.from(text)]));
}

/** What the parser holds on to, in bytes of memory. */
function retained(parser: PushParser): number {
  const scratch: unknown = Reflect.get(parser, "scratch");
  if (!(scratch instanceof Uint8Array)) throw new Error("the engine keeps what it gathers elsewhere");
  return scratch.buffer.byteLength;
}

describe("the engine of push parsers", () => {
  it("tries a unit again only when the bytes have come that it asked for", () => {
    const parser = new Strings();
    const bytes = encoded("hello");
    for (const byte of bytes) parser.push(Uint8Array.of(byte));
    expect(parser.heard).toEqual(["hello"]);
    // At the first byte, when the size is there, and when all is there.
    expect(parser.attempts).toBe(3);
  });

  it("keeps nothing of a chunk whose units are whole", () => {
    const parser = new Strings();
    const chunk = encoded("a", "bc", "def");
    parser.push(chunk);
    expect(retained(parser)).toBe(0);
    expect([...parser.buffers]).toEqual([chunk.buffer]);
    expect(parser.consumed).toBe(chunk.byteLength);
  });

  it("makes room for what has come, not for what is claimed", () => {
    const parser = new Strings();
    parser.push(Uint8Array.of(0, 0xf0, 0, 0, 1, 2, 3));
    expect(retained(parser)).toBeLessThanOrEqual(4096);
    let given = 7;
    for (let i = 0; i < 100; i++) {
      parser.push(new Uint8Array(1000));
      given += 1000;
      expect(retained(parser)).toBeLessThanOrEqual(Math.max(4096, 2 * given));
    }
  });

  it("never holds more than the cap", () => {
    const parser = new Strings({ maxUnit: 1000 });
    parser.push(Uint8Array.of(0, 0, 0x03, 0xe4));
    parser.push(new Uint8Array(995));
    expect(retained(parser)).toBeLessThanOrEqual(1000);
    parser.push(new Uint8Array(1));
    expect(parser.heard.map((text) => text.length)).toEqual([996]);
    expect(() => parser.push(Uint8Array.of(0, 0, 0x03, 0xe5))).toThrow(
      "limit: text at 0x3e8: more than 1000 bytes",
    );
    expect(retained(parser)).toBe(0);
  });

  it("gives each gathered unit memory of its own", () => {
    const parser = new Strings();
    const bytes = encoded("abc", "def");
    for (const byte of bytes) parser.push(Uint8Array.of(byte));
    expect(parser.buffers.size).toBe(2);
  });

  it("counts offsets from where it is told to", () => {
    const parser = new Strings({ base: 0x1000 });
    parser.push(encoded("abc"));
    parser.push(Uint8Array.of(0, 0));
    expect(() => parser.finish()).toThrow("truncated: size at 0x1007: needs 4 bytes, has 2 (strings.wire:2)");
    expect(parser.done).toBe(false);
  });

  it("is done when it has been told so and nothing is missing, once and for all", () => {
    const parser = new Strings();
    parser.push(encoded("abc"));
    expect(parser.done).toBe(false);
    parser.finish();
    parser.finish();
    expect(parser.done).toBe(true);
    expect(() => parser.push(encoded("d"))).toThrow("push() after finish()");
  });
});
