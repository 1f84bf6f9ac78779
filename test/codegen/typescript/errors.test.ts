import { beforeAll, describe, expect, it } from "vitest";
import { type Fault, Reader, WireError } from "../../../src/runtime/index.js";
import { fenced, hex } from "../bytes.js";
import { type Loaded, loadSchema } from "../load.js";

/** What is in a fault that a person looks at. */
function shown(error: unknown): Partial<Fault> {
  if (!(error instanceof WireError)) throw error;
  const { code, path, offset, need, had, detail, schema } = error;
  const all = { code, path, offset, need, had, detail, schema };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function thrown(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("decoding", () => {
  // The line numbers in the expected faults count from here.
  const schema = `module t little;
closed enum mode : u8 { ACTIVE = 0, STOP = 1, FREEZE = 2, LATER = 0x10 .. 0x1f }
struct region { le32 base; le64 size as number; }
struct memory {
  le32 nregions;
  reserved u8[2];
  be16 magic = 0xbeef;
  mode mode;
  region regions[nregions];
  where nregions <= 2;
}
struct tlv {
  le16 type;
  le16 length;
  within (length) switch (type) value {
    case 1: memory memory;
    case 2: le32 list[..];
    case 3: le16 exact where exact % 4 == 0;
    default refuse;
  }
}
struct tlvs { u8 count; tlv tlvs[count]; }
struct sized { le32 length; region regions[bytes length]; le64 big; le64 many as number; }
struct hostile { le64 count as number; region regions[count]; }
struct bit_fields { bits u8 { reserved : 4; mode mode : 4; } }
struct signed { sle64 number as number; le32 page_shift where page_shift >= 12 && page_shift <= 30; }
struct modes { u8 n; mode modes[n]; u8 grid[n][2]; }
`;
  let module: Loaded;
  beforeAll(async () => {
    module = await loadSchema(schema);
  });

  const refused: Readonly<
    Record<string, readonly [type: string, bytes: string, fault: Partial<Fault>, strict?: boolean]>
  > = {
    "a run that ends in the first field": [
      "Memory",
      "0100",
      { code: "truncated", path: "nregions", offset: 0, need: 4, had: 2, schema: "test.wire:5" },
    ],
    "a run that ends in a later field": [
      "Memory",
      "01000000 0000 be",
      { code: "truncated", path: "magic", offset: 6, need: 2, had: 1, schema: "test.wire:7" },
    ],
    "a wrong constant": [
      "Memory",
      "00000000 0000 feed 00",
      {
        code: "constant",
        path: "magic",
        offset: 6,
        detail: "expected 0xbeef, found 0xfeed",
        schema: "test.wire:7",
      },
    ],
    "a value that a closed enum does not have": [
      "Memory",
      "00000000 0000 beef 03",
      { code: "enum", path: "mode", offset: 8, detail: "3", schema: "test.wire:8" },
    ],
    "a reserved field that is not zero, in strict mode": [
      "Memory",
      "00000000 0001 beef 00",
      { code: "reserved", path: "reserved", offset: 4, schema: "test.wire:6" },
      true,
    ],
    "elements that are not there, before they are looked at": [
      "Memory",
      "02000000 0000 beef 00 00000000 0000000000000000",
      { code: "truncated", path: "regions", offset: 9, need: 24, had: 12, schema: "test.wire:9" },
    ],
    "a number above 2^53-1 in an element": [
      "Memory",
      "02000000 0000 beef 00 00000000 0000000000000000 00000000 0000000000002000",
      { code: "range", path: "regions[1].size", offset: 25, schema: "test.wire:3" },
    ],
    "a constraint of the struct": [
      "Memory",
      `03000000 0000 beef 00 ${"00".repeat(36)}`,
      { code: "constraint", path: "", offset: 0, detail: "nregions <= 2", schema: "test.wire:10" },
    ],
    "bytes behind the value": [
      "Memory",
      "00000000 0000 beef 00 77",
      { code: "trailing", path: "", offset: 9, schema: "test.wire:4" },
    ],
    "a range that is not there": [
      "Tlvs",
      "01 0200 0400 0000",
      { code: "truncated", path: "tlvs[0].value", offset: 5, need: 4, had: 2, schema: "test.wire:15" },
    ],
    "a run that does not fit its range": [
      "Tlvs",
      "01 0100 0500 0000000000000000",
      { code: "overrun", path: "tlvs[0].memory.reserved", offset: 9, need: 2, had: 1, schema: "test.wire:6" },
    ],
    "bytes left over in a range": [
      "Tlvs",
      "01 0300 0300 0400 00",
      { code: "trailing", path: "tlvs[0].value", offset: 7, schema: "test.wire:15" },
    ],
    "part of an element left over in a range": [
      "Tlvs",
      "01 0200 0600 000000000000",
      { code: "overrun", path: "tlvs[0].list[1]", offset: 9, need: 4, had: 2, schema: "test.wire:17" },
    ],
    "a constraint on an arm": [
      "Tlvs",
      "01 0300 0200 0500",
      {
        code: "constraint",
        path: "tlvs[0].exact",
        offset: 5,
        detail: "exact % 4 == 0",
        schema: "test.wire:18",
      },
    ],
    "a tag that is to be refused": [
      "Tlvs",
      "01 0900 0000",
      { code: "tag", path: "tlvs[0].value", offset: 5, detail: "9", schema: "test.wire:19" },
    ],
    "a byte count that no number of elements fills": [
      "Sized",
      "0d000000 000000000000000000000000 00 0000000000000000 0000000000000000",
      { code: "overrun", path: "regions[1]", offset: 16, need: 12, had: 1, schema: "test.wire:23" },
    ],
    "a byte count beyond the end": [
      "Sized",
      "ffffffff 00",
      { code: "truncated", path: "regions", offset: 4, need: 0xffffffff, had: 1, schema: "test.wire:23" },
    ],
    "a count whose product no number holds": [
      "Hostile",
      "ffffffffffff1f00 00",
      {
        code: "truncated",
        path: "regions",
        offset: 8,
        need: Number.MAX_SAFE_INTEGER,
        had: 1,
        schema: "test.wire:24",
      },
    ],
    "a closed enum in some bits": [
      "BitFields",
      "30",
      { code: "enum", path: "mode", offset: 0, detail: "3", schema: "test.wire:25" },
    ],
    "reserved bits, in strict mode": [
      "BitFields",
      "01",
      { code: "reserved", path: "reserved", offset: 0, schema: "test.wire:25" },
      true,
    ],
    "a signed number below -(2^53-1)": [
      "Signed",
      "000000000000e0ff 0c000000",
      { code: "range", path: "number", offset: 0, schema: "test.wire:26" },
    ],
    "a constraint on a field": [
      "Signed",
      "0000000000000000 1f000000",
      {
        code: "constraint",
        path: "page_shift",
        offset: 8,
        detail: "page_shift >= 12 && page_shift <= 30",
        schema: "test.wire:26",
      },
    ],
    "a closed enum in an array": [
      "Modes",
      "02 00 0f 00000000",
      { code: "enum", path: "modes[1]", offset: 2, detail: "15", schema: "test.wire:27" },
    ],
  };

  it.each(Object.entries(refused))("refuses %s", (_, [type, bytes, fault, strict = false]) => {
    const source = fenced(hex(bytes));
    const reader = (): Reader | Uint8Array => (strict ? new Reader(source, { strict }) : source);
    expect(shown(module[`check${type}`](reader()))).toEqual(fault);
    expect(shown(thrown(() => module[`decode${type}`](reader())))).toEqual(fault);
  });

  it("says where in the stream", () => {
    const reader = new Reader(hex("00 0100"), { base: 0x1000 });
    reader.at = 1;
    expect(shown(module["checkMemory"](reader))).toMatchObject({ offset: 0x1001, need: 4, had: 2 });
  });

  it("goes on from a reader, and leaves the rest to the caller", () => {
    const reader = new Reader(hex("00 00 77"));
    expect(module["decodeTlvs"](reader)).toEqual({ tlvs: [] });
    expect(reader.at).toBe(1);
    expect(module["checkTlvs"](reader)).toBeUndefined();
    expect(reader.at).toBe(2);
  });

  it("allocates nothing for a count of 2^32-1", () => {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 1000; i++)
      thrown(() => module["decodeMemory"](hex("ffffffff 0000 beef 00 00000000")));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 2 ** 20);
  });

  it("makes no room for a million elements of a byte before it has seen them", async () => {
    const { decodeItems } = await loadSchema(
      "module t little; struct item { u8 n; u8 data[n]; } struct items { le32 count; item list[count]; }",
    );
    const bytes = new Uint8Array(4 + 4_000_000).fill(0xff);
    new DataView(bytes.buffer).setUint32(0, bytes.length - 4, true);
    const before = process.memoryUsage().heapUsed;
    const error = thrown(() => decodeItems(bytes));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * 2 ** 20);
    expect(error).toMatchObject({ code: "truncated" });
  });
});

describe("encoding", () => {
  const schema = `module t little;
closed enum mode : u8 { ACTIVE = 0, STOP = 1 }
struct ints { u8 a; s8 b; le16 c; le32 d; sle32 e; le64 f; sle64 g; le64 h as number; sle64 i as number; }
struct bit_fields { bits le16 { low : 3; high : 13; } bits le64 { x : 4; y : 60; } }
struct region { le32 base; u8 id[4]; }
struct memory { u8 nregions; region regions[nregions]; mode mode; char name[4]; le16 pair[2]; }
struct config (bool mq) { if (mq) { le16 pairs; u8 key[2]; } else le16 other; optional le16 a; optional le16 b; }
struct tagged { u8 type; u8 length; within (length) switch (type) value { case 1: le16 one; case 2: u8 two[..]; default refuse; } }
struct list { tagged items[2]; }
struct agree { le16 count; le16 half where half % 2 == 0; le16 list[count / 2]; within (half) u8 body[..]; }
struct sixteen { u8 units; u8 data[units * 16]; }
struct exact { le16 at_least where at_least >= 4; u8 small; char text[small]; }
`;
  let module: Loaded;
  beforeAll(async () => {
    module = await loadSchema(schema);
  });

  const ints = { a: 0, b: 0, c: 0, d: 0, e: 0, f: 0n, g: 0n, h: 0, i: 0 };
  const bits = { low: 0, high: 0, x: 0, y: 0n };
  const memory = { regions: [], mode: 0, name: "", pair: [0, 0] };
  const id = hex("00000000");
  const refused: Readonly<
    Record<string, readonly [type: string, value: unknown, fault: Partial<Fault>, ...args: unknown[]]>
  > = {
    "a byte of 256": [
      "Ints",
      { ...ints, a: 256 },
      { code: "range", path: "a", offset: 0, detail: "256 as 8 bits", schema: "test.wire:3" },
    ],
    "a negative byte": ["Ints", { ...ints, a: -1 }, { code: "range", path: "a" }],
    "a signed byte of 128": [
      "Ints",
      { ...ints, b: 128 },
      { code: "range", path: "b", detail: "128 as 8 bits, signed" },
    ],
    "a fraction": ["Ints", { ...ints, c: 1.5 }, { code: "range", path: "c", offset: 2 }],
    "not a number": ["Ints", { ...ints, d: Number.NaN }, { code: "range", path: "d" }],
    "2^32 in 32 bits": ["Ints", { ...ints, d: 2 ** 32 }, { code: "range", path: "d" }],
    "2^31 in 32 signed bits": ["Ints", { ...ints, e: 2 ** 31 }, { code: "range", path: "e" }],
    "2^64": [
      "Ints",
      { ...ints, f: 1n << 64n },
      { code: "range", path: "f", detail: "18446744073709551616 as 64 bits" },
    ],
    "a negative bigint": ["Ints", { ...ints, f: -1n }, { code: "range", path: "f" }],
    "2^63, signed": ["Ints", { ...ints, g: 1n << 63n }, { code: "range", path: "g" }],
    "2^53 as a number": ["Ints", { ...ints, h: 2 ** 53 }, { code: "range", path: "h" }],
    "a negative length": ["Ints", { ...ints, h: -1 }, { code: "range", path: "h" }],
    "-2^53 as a number": ["Ints", { ...ints, i: -(2 ** 53) }, { code: "range", path: "i" }],
    "bits that do not fit": [
      "BitFields",
      { ...bits, low: 8 },
      { code: "range", path: "low", detail: "8 as 3 bits" },
    ],
    "bits of 64 that do not fit": [
      "BitFields",
      { ...bits, x: 16 },
      { code: "range", path: "x", detail: "16 as 4 bits" },
    ],
    "bits of a bigint that do not fit": [
      "BitFields",
      { ...bits, y: 1n << 60n },
      { code: "range", path: "y" },
    ],
    "an element's field": [
      "Memory",
      {
        ...memory,
        regions: [
          { base: 0, id },
          { base: -1, id },
        ],
      },
      { code: "range", path: "regions[1].base", offset: 9 },
    ],
    "bytes of the wrong length": [
      "Memory",
      { ...memory, regions: [{ base: 0, id: hex("00") }] },
      { code: "length", path: "regions[0].id", detail: "needs 4 bytes, given 1" },
    ],
    "more elements than can be counted": [
      "Memory",
      { ...memory, regions: new Array(256).fill({ base: 0, id }) },
      { code: "range", path: "nregions", detail: "256 as 8 bits" },
    ],
    "a value that a closed enum does not have": [
      "Memory",
      { ...memory, mode: 2 },
      { code: "enum", path: "mode", detail: "2" },
    ],
    "text that is too long": [
      "Memory",
      { ...memory, name: "abcde" },
      { code: "range", path: "name", detail: '"abcde"' },
    ],
    "text that is not one byte a character": [
      "Memory",
      { ...memory, name: "\u0100" },
      { code: "range", path: "name" },
    ],
    "too few elements": [
      "Memory",
      { ...memory, pair: [1] },
      { code: "length", path: "pair", detail: "needs 2 elements, given 1" },
    ],
    "an element that does not fit": [
      "Memory",
      { ...memory, pair: [1, 65536] },
      { code: "range", path: "pair[1]" },
    ],
    "a field that the condition asks for": [
      "Config",
      { pairs: 1 },
      { code: "missing", path: "key", schema: "test.wire:7" },
      true,
    ],
    "a field that the condition excludes": [
      "Config",
      { other: 1, pairs: 1 },
      { code: "unexpected", path: "pairs" },
      false,
    ],
    "the field of the other branch": [
      "Config",
      { pairs: 1, key: hex("0000"), other: 1 },
      { code: "unexpected", path: "other" },
      true,
    ],
    "an optional member without the one before it": [
      "Config",
      { other: 1, b: 1 },
      { code: "missing", path: "a" },
      false,
    ],
    "a case that does not belong to the tag": [
      "List",
      {
        items: [
          { type: 1, value: { case: "one", value: 1 } },
          { type: 1, value: { case: "two", value: hex("") } },
        ],
      },
      { code: "case", path: "items[1].value", detail: "two" },
    ],
    "a tag that is to be refused": [
      "Tagged",
      { type: 9, value: { case: "one", value: 1 } },
      { code: "tag", path: "value", detail: "9" },
    ],
    "a range longer than its length can say": [
      "Tagged",
      { type: 2, value: { case: "two", value: new Uint8Array(256) } },
      { code: "range", path: "length", offset: 1, detail: "256 as 8 bits" },
    ],
    "a count that is not what it counts": [
      "Agree",
      { count: 5, half: 0, list: [1], body: hex("") },
      { code: "length", path: "list", detail: "needs 2 elements, given 1" },
    ],
    "bytes that are no multiple of the unit": [
      "Sixteen",
      { data: new Uint8Array(17) },
      { code: "length", path: "units", detail: "not a multiple of 16" },
    ],
    "a constraint that does not hold": [
      "Exact",
      { atLeast: 3, text: "" },
      { code: "constraint", path: "at_least", detail: "at_least >= 4", schema: "test.wire:12" },
    ],
  };

  it.each(Object.entries(refused))("refuses %s", (_, [type, value, fault, ...args]) => {
    expect(shown(thrown(() => module[`encode${type}`](value, ...args)))).toMatchObject(fault);
  });

  it("takes the largest and the smallest of each", () => {
    const largest = {
      a: 255,
      b: 127,
      c: 65535,
      d: 2 ** 32 - 1,
      e: 2 ** 31 - 1,
      f: 2n ** 64n - 1n,
      g: 2n ** 63n - 1n,
      h: 2 ** 53 - 1,
      i: 2 ** 53 - 1,
    };
    const smallest = {
      a: 0,
      b: -128,
      c: 0,
      d: 0,
      e: -(2 ** 31),
      f: 0n,
      g: -(2n ** 63n),
      h: 0,
      i: -(2 ** 53 - 1),
    };
    for (const value of [largest, smallest]) {
      expect(module["decodeInts"](module["encodeInts"](value))).toEqual(value);
    }
  });

  it("writes zeros for reserved fields that are not given", async () => {
    const { encodeR, decodeR } = await loadSchema(
      "module t little; struct r { reserved u8[2]; u8 a; reserved le16; bits u8 { reserved : 4; b : 4; } reserved le32[2]; }",
    );
    const bytes = encodeR({ a: 1, b: 2 });
    expect(bytes).toEqual(hex("0000 01 0000 20 0000000000000000"));
    expect(decodeR(bytes)).toMatchObject({ a: 1, b: 2, reserved: undefined, reserved1: 0, reserved2: 0 });
  });
});
