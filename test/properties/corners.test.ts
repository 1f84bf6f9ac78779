/** Corners that random schemas reach seldom or never: each was wrong once, or could easily be. */
import { describe, expect, it } from "vitest";
import { Reader } from "../../src/runtime/index.js";
import { hex } from "../codegen/bytes.js";
import { loadSchema } from "../codegen/load.js";
import { canonical, thrownBy } from "./canonical.js";

interface Corner {
  readonly about: string;
  readonly members: string;
  /** Declarations in front of the struct. */
  readonly before?: string;
  readonly bytes: string;
  readonly value: string;
}

const corners: readonly Corner[] = [
  {
    about: "reserved bytes that are counted keep their number when they are zero",
    members: "le16 n; reserved u8 pad[n]; u8 z;",
    bytes: "0300 000000 07",
    value: "{ pad: <000000>, z: 7 }",
  },
  {
    about: "reserved bytes to the end keep their number when they are zero",
    members: "u8 z; reserved u8 pad[..];",
    bytes: "07 000000",
    value: "{ pad: <000000>, z: 7 }",
  },
  {
    about: "the length of a range is a value where its inside depends on it",
    members: "u8 n; within (n) { u8 z; if (n > 3) le16 y; u8 r[..]; }",
    bytes: "04 07 0000 01",
    value: "{ n: 4, r: <01>, y: 0, z: 7 }",
  },
  {
    about: "the length of a range is a value where what stands before the range depends on it",
    members: "u8 n; if (n > 3) le16 y; within (n) { u8 z; u8 r[..]; }",
    bytes: "04 0500 07 000001",
    value: "{ n: 4, r: <000001>, y: 5, z: 7 }",
  },
  {
    about: "the length of a range is derived where only what follows depends on it",
    members: "u8 n; within (n) { u8 z; u8 r[..]; } if (n > 3) le16 y;",
    bytes: "04 07 000001 0500",
    value: "{ r: <000001>, y: 5, z: 7 }",
  },
  {
    about: "two ranges of one length, both as long as it says",
    members: "u8 n; within (n) { u8 a; u8 r[..]; } within (n) { u8 b; u8 q[..]; }",
    bytes: "02 0102 0304",
    value: "{ a: 1, b: 3, q: <04>, r: <02> }",
  },
  {
    about: "a range inside another, with both lengths in front",
    members: "u8 n; u8 m; within (n) { u8 a; within (m) { u8 b; u8 q[..]; } }",
    bytes: "03 02 01 0304",
    value: "{ a: 1, b: 3, q: <04> }",
  },
  {
    about: "an optional of nothing but a condition, with its then",
    members: "u8 a; optional { if (a == 1) le16 x; else u8 y; }",
    bytes: "01 0700",
    value: "{ a: 1, x: 7 }",
  },
  {
    about: "an optional of nothing but a condition, with its else",
    members: "u8 a; optional { if (a == 1) le16 x; else u8 y; }",
    bytes: "02 07",
    value: "{ a: 2, y: 7 }",
  },
  {
    about: "an optional that begins with a condition which does not hold",
    members: "u8 a; optional { if (a == 1) le16 x; u8 y; }",
    bytes: "02 07",
    value: "{ a: 2, y: 7 }",
  },
  {
    about: "an optional that begins with an empty case",
    members: "u8 a; optional { switch (a) { case 1: u8 q; case 2: ; default keep: u8 w; } u8 z; }",
    bytes: "02 07",
    value: '{ a: 2, body: { case: "2" }, z: 7 }',
  },
  {
    about: "a case that is reserved",
    members: "u8 a; switch (a) { case 1: reserved u8 q[3]; default refuse; }",
    bytes: "01 000000",
    value: '{ a: 1, body: { case: "q" } }',
  },
  {
    about: "a case that always has one value",
    members: "u8 a; switch (a) { case 1: le16 q = 7; default refuse; }",
    bytes: "01 0700",
    value: '{ a: 1, body: { case: "q", value: 7 } }',
  },
  {
    about: "a switch under a condition that does not hold",
    members: "u8 a; if (a == 1) switch (a) { case 1: u8 q; default keep: u8 w; } u8 z;",
    bytes: "02 05",
    value: "{ a: 2, z: 5 }",
  },
  {
    about: "text as long as a condition holds",
    members: "char a[while remaining > 2]; le16 z;",
    bytes: "414243 0700",
    value: '{ a: "ABC", z: 7 }',
  },
  {
    about: "text up to a NUL that is looked for",
    before: "struct word { char a[while peek(u8) != 0]; u8 nul = 0; }",
    members: "word word; u8 z;",
    bytes: "414243 00 07",
    value: '{ word: { a: "ABC" }, z: 7 }',
  },
  {
    about: "a list that a zero ends, in elements of a list that a zero ends",
    before:
      "struct inner { u8 more where more == 1; u8 n; u8 a[n]; } struct outer { sbe32 id where id != 0; inner list[while peek(u8) == 1]; u8 end = 0; } struct lists { outer list[while peek(sbe32) != 0]; be32 end = 0; }",
    members: "lists lists; u8 z;",
    bytes: "00000005 01 02 0708 01 00 00  ffffffff 00  00000000 09",
    value:
      "{ lists: { list: [{ id: 5, list: [{ a: <0708>, more: 1 }, { a: <>, more: 1 }] }, { id: -1, list: [] }] }, z: 9 }",
  },
  {
    about: "what is looked at has the order of the struct",
    before:
      "struct item native { u16 tag where tag == 1; } struct items native { item list[while peek(u16) == 1 || peek(u8) == 9]; u16 end; }",
    members: "items in big items;",
    bytes: "0001 0001 0100",
    value: "{ items: { end: 256, list: [{ tag: 1 }, { tag: 1 }] } }",
  },
  {
    about: "a count in the bits of a nested struct",
    before: "struct head { bits u8 { n : 4; t : 4; } }",
    members: "head head; u8 a[head.n];",
    bytes: "52 0102",
    value: "{ a: <0102>, head: { n: 2, t: 5 } }",
  },
  {
    about: "a condition on the bits of a nested struct, in which they bind less tightly than a comparison",
    before: "struct head { bits le16 { n : 4; t : 4; u : 8; } }",
    members: "head head; if (head.t != 1) u8 a; if (head.n + head.t * 2 == 12) u8 b;",
    bytes: "5200 01 02",
    value: "{ a: 1, b: 2, head: { n: 2, t: 5, u: 0 } }",
  },
  {
    about: "a condition on a nested struct whose order the outer one chooses",
    before: "struct head native { u64 n; }",
    members: "head in big head; if (head.n == 1) u8 a;",
    bytes: "0000000000000001 02",
    value: "{ a: 2, head: { n: 1n } }",
  },
  {
    about: "bits of 64, of which those that fit are numbers",
    members: "bits le64 { a : 3; b : 54; c : 7; } if (a == 5 && b == 1) u8 d;",
    bytes: "0d00000000000002 07",
    value: "{ a: 5, b: 1n, c: 1, d: 7 }",
  },
  {
    about: "a closed enum of 64 bits in a number, and in a few bits",
    before:
      "closed enum kind : u64 { K_A = 0, K_B = 4096, K_C = 1152921504606846976, K_D = 1152921504606846979 }",
    members: "kind a as number; kind b; bits u16 { kind c : 13; d : 3; } kind e[1] as number;",
    bytes: "0010000000000000 0300000000000010 0010 0000000000000000",
    value: "{ a: 4096, b: 1152921504606846979n, c: 4096, d: 0, e: [0] }",
  },
  {
    about: "the largest unsigned numbers in operators that JavaScript has for 32 signed bits",
    members:
      "le32 a; if (a >> 31) u8 b; if ((a ^ 0xffffffff) == 1) u8 c; if (~a & 1) u8 d; if (a << 3 > 0x100000000) u8 e;",
    bytes: "feffffff 01 02 03 04",
    value: "{ a: 4294967294, b: 1, c: 2, d: 3, e: 4 }",
  },
];

describe("a schema with", () => {
  it.each(corners)("$about", async ({ before = "", members, bytes: text, value: expected }) => {
    const codecs = await loadSchema(`module test.corner little;\n${before}\nstream corner { ${members} }`);
    const bytes = hex(text);
    const value = codecs["decodeCorner"](bytes);
    expect(canonical(value)).toBe(expected);
    expect(canonical(codecs["encodeCorner"](value))).toBe(canonical(bytes));
    expect(codecs["sizeofCorner"](value)).toBe(bytes.length);
    expect(codecs["checkCorner"](bytes)).toBeUndefined();
    expect(new codecs["CornerView"](bytes).$end).toBe(bytes.length);
    const faults: unknown[] = [];
    const visitor = {
      open: () => {},
      close: () => {},
      field: () => {},
      fault: (fault: unknown) => faults.push(fault),
    };
    expect(codecs["walkCorner"](new Reader(bytes), visitor)).toBe(true);
    expect(faults).toEqual([]);
    const pushed = thrownBy(() => {
      const parser = new codecs["CornerParser"]({});
      for (const byte of bytes) parser.push(Uint8Array.of(byte));
      parser.finish();
    });
    expect(pushed).toBeUndefined();
  });
});

it("names the row as a whole when the input ends inside the last one that a condition asks for", async () => {
  const codecs = await loadSchema(
    "module test.corner little;\nstruct rows { u8 n; u8 cells[while remaining > 0][3][3]; }",
  );
  const bytes = hex("01 010203040506070809 010203040506");
  const faults: unknown[] = [];
  const visitor = {
    open: () => {},
    close: () => {},
    field: () => {},
    fault: (fault: unknown) => faults.push(fault),
  };
  codecs["walkRows"](new Reader(bytes), visitor);
  expect(codecs["checkRows"](bytes)).toMatchObject({ path: "cells[1]", offset: 10, need: 9, had: 6 });
  expect(faults).toMatchObject([{ code: "truncated", path: "cells[1]", offset: 10, need: 9, had: 6 }]);
});
