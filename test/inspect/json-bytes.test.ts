import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonBytes } from "../../src/inspect/json-bytes.js";

type Json = string | number | bigint | boolean | null | Uint8Array | Json[] | { [key: string]: Json };

function write(value: Json, out: JsonBytes): void {
  if (value === null) out.none();
  else if (typeof value === "string") out.text(value);
  else if (typeof value === "boolean") out.boolean(value);
  else if (typeof value === "number" || typeof value === "bigint") out.number(value);
  else if (value instanceof Uint8Array) out.bytes(value);
  else if (Array.isArray(value)) {
    out.open("[");
    for (const item of value) write(item, out);
    out.close("]");
  } else {
    out.open("{");
    for (const [key, item] of Object.entries(value)) {
      out.key(key);
      write(item, out);
    }
    out.close("}");
  }
}

/** Each piece by itself: none may end inside a character. */
function pieces(value: Json, size?: number): string[] {
  const parts: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const out = new JsonBytes((bytes) => parts.push(decoder.decode(bytes)), size);
  write(value, out);
  out.flush();
  return parts;
}

describe("JSON in bytes", () => {
  it("is what JSON.stringify writes, wherever the buffer ends", () => {
    const value = fc.jsonValue({ stringUnit: "binary", maxDepth: 3 });
    fc.assert(
      fc.property(value, fc.integer({ min: 64, max: 200 }), (drawn, size) => {
        const text = JSON.stringify(drawn);
        expect(pieces(drawn as Json, size).join("")).toBe(text);
      }),
    );
  });

  it("writes every kind of integer in full", () => {
    const numbers = [0, -0, 9, 10, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -(2 ** 40)];
    expect(pieces(numbers).join("")).toBe(JSON.stringify(numbers));
    expect(pieces([2n ** 64n - 1n, -(2n ** 63n)]).join("")).toBe(
      "[18446744073709551615,-9223372036854775808]",
    );
  });

  it("escapes what would end a text, halves of characters and control characters", () => {
    const texts = ['"', "\\", "\n", "\u0000", "\u007f", "é", "\u2028", "\ud800", "😀", 'a"b\\c'];
    expect(pieces(texts).join("")).toBe(JSON.stringify(texts));
  });

  it("holds no more than its buffer, whatever it writes", () => {
    const [size, long] = [100, "x".repeat(1000)];
    for (const value of [
      new Uint8Array(1000).fill(0xa5),
      long.split(""),
      Array.from({ length: 300 }, () => 7),
    ])
      for (const part of pieces(value, size)) expect(part.length).toBeLessThanOrEqual(size);
    expect(pieces(new Uint8Array([0, 0x0f, 0xa5]), size)).toEqual(['"000fa5"']);
    expect(pieces([long, "é".repeat(500)], size).join("")).toBe(JSON.stringify([long, "é".repeat(500)]));
  });
});
