/**
 * What well-known libraries do wrong with odd or hostile input, row by row, and what the generated code does instead.
 * Where the library is at hand it is run as well: a row that it no longer deserves must not stay.
 */
import { setFlagsFromString } from "node:v8";
import { Parser } from "binary-parser";
import { BufferReader, BufferWriter, object, string, u8, u16, u32 } from "typed-binary";
import { describe, expect, it } from "vitest";
import { Reader } from "../../src/runtime/index.js";
import { compile } from "../../src/schema/index.js";
import { hex } from "../codegen/bytes.js";
import { loadSchema } from "../codegen/load.js";

const schema = `module test.defects little;

struct sized { u8 data[8]; }
struct text { char data[8]; }
struct counted { u8 size; u8 data[size]; }
struct words { u16 size; u32 words[bytes size]; }
struct reserved_zero { u8 rsvd = 0; }
struct split { bits le16 { lo : 4; hi : 12; } }
struct chosen { u64 tag; switch (tag) body { case 1: u8 a; default refuse; } }
struct item { u8 size; u8 bytes[size]; }
struct items { u32 count; item items[count]; }
struct named { u8 __proto__; u8 constructor; u8 to_string; u8 b; }
struct word { u32 value; }
struct narrow { u8 byte; u32 word; }
struct name { char letters[2]; }
struct text_2 { u8 size; char name[size]; u16 b; }
flags known : u8 { KNOWN_A = 1 << 0 }
struct flagged { known bits; }
struct wide { u64 value; }
struct checked { u64 value as number; }
struct inner { u16 a; u32 b; }
struct outer { u8 kind; inner one; }
`;

const codecs = await loadSchema(schema);

/** What is wrong with the bytes, in short. */
function fault(type: string, bytes: Uint8Array): string | undefined {
  const error = codecs[`check${type}`](bytes);
  if (error === undefined) return undefined;
  const { code, path, offset, need, had } = error;
  expect(() => codecs[`decode${type}`](bytes)).toThrow(error.message);
  return need === undefined
    ? `${code} ${path} at ${offset}`
    : `${code} ${path} at ${offset}: ${need} of ${had}`;
}

function thrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Error && "code" in error && "path" in error) return `${error.code} ${error.path}`;
    return String(error);
  }
  return "nothing";
}

function milliseconds(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** A reader of the memory behind the bytes: where they end cannot be said. */
function readerOf({ buffer, byteOffset }: Uint8Array): BufferReader {
  return new BufferReader(buffer, { byteOffset, endianness: "little" });
}

/** Objects that V8 has not given up on: their properties lie at fixed places. */
function isFast(value: object): boolean {
  setFlagsFromString("--allow-natives-syntax");
  const test = new Function("value", "return %HasFastProperties(value)");
  setFlagsFromString("--no-allow-natives-syntax");
  return test(value) === true;
}

describe("binary-parser", () => {
  it("1: gives fewer bytes than declared; here they are truncated", () => {
    expect(new Parser().buffer("data", { length: 8 }).parse(hex("010203"))).toEqual({ data: hex("010203") });
    expect(new Parser().string("data", { length: 8 }).parse(hex("616263"))).toEqual({ data: "abc" });
    expect(fault("Sized", hex("010203"))).toBe("truncated data at 0: 8 of 3");
    expect(fault("Text", hex("616263"))).toBe("truncated data at 0: 8 of 3");
  });

  it("2: reads 8 bytes of the 6 that an array has; here the last element is not whole", () => {
    const bytes = hex("0100000002000000");
    const array = new Parser().array("words", { type: "uint32le", lengthInBytes: 6 });
    expect(array.parse(bytes)).toEqual({ words: [1, 2] });
    expect(fault("Words", hex("0600 01000000 02000000"))).toBe("overrun words[1] at 6: 4 of 2");
  });

  it("3: ignores that a field must be 0; here any constant is checked", () => {
    expect(new Parser().uint8("rsvd", { assert: 0 }).parse(hex("05"))).toEqual({ rsvd: 5 });
    expect(fault("ReservedZero", hex("05"))).toBe("constant rsvd at 0");
    expect(fault("ReservedZero", hex("00"))).toBeUndefined();
  });

  it("4: takes bit fields of a little-endian word from the wrong end; here they are those of C", () => {
    const split = new Parser().endianness("little").bit4("lo").bit12("hi");
    expect(split.parse(hex("3412"))).toEqual({ lo: 2, hi: 833 });
    expect(codecs["decodeSplit"](hex("3412"))).toEqual({ lo: 4, hi: 0x123 });
  });

  it("5: knows no 64-bit tags; here they are tags like others", () => {
    const choice = new Parser()
      .uint64le("tag")
      .choice("body", { tag: "tag", choices: { 1: new Parser().uint8("a") } });
    expect(() => choice.parse(hex("0100000000000000 05"))).toThrow("undefined tag value 1");
    const value = { tag: 1n, body: { case: "a", value: 5 } };
    expect(codecs["decodeChosen"](hex("0100000000000000 05"))).toEqual(value);
    expect(fault("Chosen", hex("0200000000000000 05"))).toBe("tag body at 8");
  });

  it("6: makes two million objects of four bytes; here nothing without bytes can be counted", () => {
    const empty = new Parser().uint32le("count").array("items", { type: new Parser(), length: "count" });
    expect((empty.parse(hex("00002000")) as { items: unknown[] }).items.length).toBe(0x20_0000);
    const counted = "module test.empty little;\nstruct none (bool given) { if (given) u8 x; }\n";
    const { diagnostics } = compile([
      { file: "empty.wire", text: `${counted}struct list { u32 count; none items[count](false); }` },
      {
        file: "list.wire",
        text: `${counted.replace("empty", "list")}struct list { u32 count; none(false) items[count]; }`,
      },
    ]);
    expect(diagnostics.filter(({ file }) => file === "list.wire").map(({ code }) => code)).toEqual([
      "unbounded-count",
    ]);
  });

  it("7: loses a field called __proto__; here it is a field", () => {
    const parser = new Parser().uint8("__proto__").uint8("b");
    expect(Object.keys(parser.parse(hex("0102")) as object)).toEqual(["b"]);
    const value = codecs["decodeNamed"](hex("01020304"));
    expect(Object.values(value)).toEqual([1, 2, 3, 4]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(typeof value.constructor).toBe("function");
    expect(typeof value.toString).toBe("function");
    expect(codecs["encodeNamed"](value)).toEqual(hex("01020304"));
  });

  it("18: gives objects that stay slow; here they are fast", () => {
    const wide = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`x${i}`, i]));
    expect(isFast(wide)).toBe(true);
    const parsed = new Parser().uint8("kind").uint16le("a").uint32le("b").parse(new Uint8Array(7)) as object;
    expect(isFast(parsed)).toBe(false);
    const value = codecs["decodeOuter"](new Uint8Array(7));
    expect(isFast(value)).toBe(true);
    expect(isFast(value.one)).toBe(true);
    expect(isFast(codecs["decodeChosen"](hex("0100000000000000 05")))).toBe(true);
  });
});

describe("typed-binary", () => {
  it("8: reads the bytes around the view; here they are out of reach", () => {
    const inside = hex("01020304").subarray(0, 2);
    expect(u32.read(readerOf(inside))).toBe(0x04030201);
    expect(fault("Word", inside)).toBe("truncated value at 0: 4 of 2");
    expect(thrown(() => new codecs["WordView"](inside))).toBe("truncated value");
  });

  it("9: writes numbers that do not fit; here they are refused", () => {
    const memory = new Uint8Array(5);
    const writer = new BufferWriter(memory.buffer, { endianness: "little" });
    u8.write(writer, 300);
    u32.write(writer, -1);
    expect(memory).toEqual(hex("2cffffffff"));
    expect(thrown(() => codecs["encodeNarrow"]({ byte: 300, word: 0 }))).toBe("range byte");
    expect(thrown(() => codecs["encodeNarrow"]({ byte: 0, word: -1 }))).toBe("range word");
    expect(thrown(() => codecs["encodeNarrow"]({ byte: 0.5, word: 0 }))).toBe("range byte");
    expect(thrown(() => codecs["encodeNarrow"]({ byte: 0, word: Number.NaN }))).toBe("range word");
  });

  it("10: drops the last letter of text that no NUL ends; here it is kept", () => {
    expect(string.read(readerOf(hex("4142")))).toBe("A");
    expect(codecs["decodeName"](hex("4142"))).toEqual({ letters: "AB" });
    expect(codecs["encodeName"]({ letters: "AB" })).toEqual(hex("4142"));
  });

  it("11: says that a field lies where it does not; here its place is the one that it is read from", () => {
    const { bufferOffset } = object({ name: string, b: u16 }).seekProperty({ name: "AB", b: 1 }, "b") ?? {};
    // Right would be 3: two letters and a NUL.
    expect(bufferOffset).toBe(16);
    const bytes = hex("02 4142 0100");
    const places = new Map<string, number>();
    const visitor = {
      open: () => {},
      close: () => {},
      fault: () => {},
      field: ({ name }: { readonly name: string }, _index: number, at: number) => places.set(name, at),
    };
    codecs["walkText2"](new Reader(bytes), visitor);
    expect(places.get("b")).toBe(3);
    new codecs["Text2View"](bytes).b = 0x0201;
    expect(bytes).toEqual(hex("02 4142 0102"));
  });
});

describe("other libraries", () => {
  it("12: restructure gives 3 bytes for 8; here they are truncated", () => {
    expect(fault("Counted", hex("08 010203"))).toBe("truncated data at 1: 8 of 3");
  });

  it("13: restructure loses the bits that have no name; here they stay", () => {
    expect(codecs["encodeFlagged"](codecs["decodeFlagged"](hex("ff")))).toEqual(hex("ff"));
  });

  it("14: restructure makes millions of elements that cannot be there; here a count is compared with what is left", () => {
    for (const bytes of [hex("00002000"), hex("ffffffff 00")]) {
      expect(milliseconds(() => codecs["checkItems"](bytes))).toBeLessThan(50);
      expect(fault("Items", bytes)).toMatch(/^truncated items at 4: \d+ of [01]$/);
    }
  });

  it("15: kaitai rounds 64-bit integers; here they are exact, or refused as numbers", () => {
    expect(codecs["decodeWide"](hex("0100000000002000"))).toEqual({ value: 2n ** 53n + 1n });
    expect(codecs["decodeWide"](hex("feffffffffffffff"))).toEqual({ value: 0xffff_ffff_ffff_fffen });
    expect(codecs["decodeChecked"](hex("ffffffffffff1f00"))).toEqual({ value: 2 ** 53 - 1 });
    expect(fault("Checked", hex("0000000000002000"))).toBe("range value at 0");
    expect(thrown(() => codecs["encodeChecked"]({ value: 2 ** 53 }))).toBe("range value");
  });

  it("16: flatbuffers reads and writes past the end; here nothing is there", () => {
    const bytes = hex("0102030405060708");
    expect(thrown(() => new codecs["WordView"](bytes, 6))).toBe("truncated value");
    expect(thrown(() => new codecs["WordView"](bytes, 9))).toBe("truncated value");
    expect(thrown(() => new codecs["WordView"](bytes, -4))).toMatch(/^RangeError/);
    expect(new codecs["WordView"](bytes, 4).value).toBe(0x08070605);
  });

  it("17: protobuf-es says that input ended, but not where; here the field is named", () => {
    expect(fault("Outer", hex("01 0200 030000"))).toBe("truncated one.b at 3: 4 of 3");
  });
});
