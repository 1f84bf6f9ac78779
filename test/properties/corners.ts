/** Corners that random schemas reach seldom or never: each was wrong once, or could easily be. */

export interface Corner {
  readonly about: string;
  readonly members: string;
  /** Declarations in front of the struct. */
  readonly before?: string;
  readonly bytes: string;
  readonly value: string;
}

export const corners: readonly Corner[] = [
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
  {
    about: "two arrays in front of a payload that can be lent",
    before: "struct rec { le16 a[2]; le16 b[2]; u8 n; u8 data[n]; }",
    members: "rec recs[..];",
    bytes: "0100 0200 0300 0400 02 aabb 0500 0600 0700 0800 00",
    value: "{ recs: [{ a: [1, 2], b: [3, 4], data: <aabb> }, { a: [5, 6], b: [7, 8], data: <> }] }",
  },
  {
    about: "arrays of arrays in one run",
    members: "le16 a[2][2]; le16 b[2][2]; u8 n; u8 data[n];",
    bytes: "0100 0200 0300 0400 0500 0600 0700 0800 00",
    value: "{ a: [[1, 2], [3, 4]], b: [[5, 6], [7, 8]], data: <> }",
  },
  {
    about: "as many dimensions as there can be, and counts that are called like loop variables",
    members: "u8 i; u8 j; le16 a[i][2][1]; u8 b[j][1][1][1][1][1][1][2];",
    bytes: "01 01 0100 0200 0304",
    value: "{ a: [[[1], [2]]], b: [[[[[[[<0304>]]]]]]] }",
  },
  {
    about: "complements that are as wide as what they mask",
    members:
      "le32 a; if ((a & ~1) == 4) u8 b; if (a == 5 && (a | ~0x7fffffff) == 0x80000005) u8 c; le64 d; if ((d & ~1) == 4) u8 e;",
    bytes: "05000000 07 08 0500000000000000 09",
    value: "{ a: 5, b: 7, c: 8, d: 5n, e: 9 }",
  },
  {
    about: "literals that are chosen between where an exact integer is wanted",
    before: "struct inner (u64 p) { u8 x; if (p == 2) u8 y; }",
    members: "u8 f; inner(f ? 1 : 2) i; le64 q; if (q != (f ? 1 : 2)) u8 z;",
    bytes: "00 05 06 0200000000000000",
    value: "{ f: 0, i: { x: 5, y: 6 }, q: 2n }",
  },
  {
    about: "the highest of 64 bits in a value, a range of values and a mask",
    before:
      "enum e : u64 { TOP = 0x8000000000000000, ALL = 0xfffffffffffffff0 .. 0xffffffffffffffff } flags f : u64 { HI = 1 << 63, LO = 1 }",
    members:
      "e a; f b; switch (a) { case TOP: u8 x; case ALL: le16 y; default keep: u8 z; } if (b & HI) u8 hi;",
    bytes: "0000000000000080 0100000000000080 07 08",
    value: '{ a: 9223372036854775808n, b: 9223372036854775809n, body: { case: "x", value: 7 }, hi: 8 }',
  },
  {
    about: "ranges inside and behind each other, with something left over in each",
    members:
      "u8 n; within at_most (n) { u8 a; u8 m; within at_most (m) { u8 b; } } u8 k; within at_most (k) { u8 c[sizeof(u16)]; }",
    bytes: "06 01 02 03 04 05 06 03 0708 09",
    value: "{ a: 1, b: 3, c: <0708>, slack: <04>, slack1: <0506>, slack2: <09> }",
  },
  {
    about: "names that JavaScript and its types have",
    before:
      "struct array { u8 length; } struct map { u8 set; } struct promise { u8 then; } struct uint8_array { u8 buffer; } struct data_view { u8 get_uint8; } struct error { u8 message; } struct record { u8 partial; } struct reader (u8 value, u8 at, order order) native { u16 x; if (value + at == 3) u8 y; } struct view { u8 move_to; }",
    members:
      "array Array; map Map; promise Promise; uint8_array Uint8Array; data_view DataView; error Error; record Record; reader(1, 2, big) reader; view View; u8 undefined; u8 NaN; u8 Infinity; u8 arguments; u8 eval; u8 await; u8 Number where Number != 0; le64 BigInt as number; u8 Math; u8 m where m > 0; le16 n[m - 1]; char Text[m];",
    bytes: "01 02 03 04 05 06 07 0800 09 0a 01 02 03 04 05 06 07 0800000000000000 09 02 0100 4142",
    value:
      '{ arguments: 4, array: { length: 1 }, await: 6, bigInt: 8, dataView: { getUint8: 5 }, error: { message: 6 }, eval: 5, infinity: 3, map: { set: 2 }, math: 9, n: [1], naN: 2, number: 7, promise: { then: 3 }, reader: { x: 8, y: 9 }, record: { partial: 7 }, text: "AB", uint8Array: { buffer: 4 }, undefined: 1, view: { moveTo: 10 } }',
  },
];

/** The module: the struct is a stream, so that everything is made of it. */
export function textOf({ before = "", members }: Corner): string {
  return `module test.corner little;\n${before}\nstream corner { ${members} }`;
}
