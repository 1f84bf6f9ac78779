/**
 * Layout: what C does with packed structs is the measure here; the layouts of whole schemas are compared with gcc in
 * test/codegen/c and with the kernel's headers in test/oracle.
 */
import { describe, expect, it } from "vitest";
import { structOf, structsOf } from "./compiled.js";

const offsets = (members: string) => structOf(members).fields.map((field) => [field.name, field.offset]);

describe("constant layouts", () => {
  it("packs members without padding, as the virtio specification asks", () => {
    // 3 × le16 + 3 × le64: 30 bytes packed, 32 with natural alignment (gcc over the listing of the draft series).
    const struct = structOf("le16 a; le16 b; le16 c; le64 d; le64 e; le64 f;");
    expect(struct.fixed).toBe(30);
    expect(struct.fields.map((field) => field.offset)).toEqual([0, 2, 4, 6, 14, 22]);
  });

  it("makes one run of all that has a constant size, nested structs and arrays included", () => {
    const one = structsOf("struct inner { le16 x; u8 y[3]; } struct one { u8 a; inner b[2]; le32 c; }").get(
      "one",
    );
    expect(one?.nodes.map((node) => node.kind)).toEqual(["run"]);
    expect(one?.fixed).toBe(1 + 2 * 5 + 4);
    expect(one?.flat).toBe(true);
  });

  it("gives bit fields the place of their container", () => {
    expect(offsets("u8 a; bits le16 { low : 5; high : 11; } u8 z;")).toEqual([
      ["a", 0],
      ["low", 1],
      ["high", 1],
      ["z", 3],
    ]);
  });

  it("counts bits from the least significant end, and from the most significant with msb", () => {
    const shifts = (msb: string) =>
      new Map(
        structOf(`bits be32 ${msb} { a : 4; b : 8; c : 20; }`).fields.map((f) => [
          f.name,
          f.type.kind === "bits" ? f.type.shift : -1,
        ]),
      );
    expect(shifts("")).toEqual(
      new Map([
        ["a", 0],
        ["b", 4],
        ["c", 12],
      ]),
    );
    expect(shifts("msb")).toEqual(
      new Map([
        ["c", 0],
        ["b", 20],
        ["a", 28],
      ]),
    );
  });
});

describe("variable layouts", () => {
  it("knows no offset behind a member of variable size", () => {
    expect(offsets("u8 n; u8 data[n]; le32 crc;")).toEqual([
      ["n", 0],
      ["data", 1],
      ["crc", undefined],
    ]);
  });

  it("bounds the size by the width of the count", () => {
    expect(structOf("u8 n; le16 data[n];").size).toEqual({ min: 1, max: 1 + 255 * 2 });
  });

  it("uses constraints to bound it further", () => {
    expect(structOf("le32 n where n >= 2 && n <= 8; le64 data[n];").size).toEqual({
      min: 4 + 16,
      max: 4 + 64,
    });
  });

  it("keeps offsets behind a switch whose cases all have one size", () => {
    const { fields, fixed, flat } = structOf(
      "le16 type; switch (type) selector { case 1: le64 a; case 2: u8 b[8]; default keep: u8 raw[8]; } le32 length;",
    );
    expect(fields.find((field) => field.name === "length")?.offset).toBe(10);
    expect([fixed, flat]).toEqual([14, false]);
  });

  it("tells values that end by themselves from those that end with their range", () => {
    const greedy = (members: string) => structOf(members).greedy;
    expect(greedy("le16 n; le16 a[n];")).toBe(false);
    expect(greedy("le16 a[..];")).toBe(true);
    expect(greedy("le16 a; optional le16 b;")).toBe(true);
    expect(greedy("le16 n; within (n) { le16 a[..]; }")).toBe(false);
    expect(greedy("u8 a[while remaining >= 4]; le32 z;")).toBe(true);
    expect(greedy("u8 a[while peek(u8) != 0];")).toBe(true);
    expect(greedy("u8 a[while peek(u8) != 0]; u8 z;")).toBe(false);
    expect(greedy("u8 a[while peek(be32) != 0]; be32 z;")).toBe(false);
    // A prefix of three bytes of which the last two have been cut off ends the list and has a whole z.
    expect(greedy("u8 a[while peek(be32) != 0]; u8 y; be32 z;")).toBe(true);
    expect(greedy("u8 a[while peek(u8) != 0 && remaining > 4]; u8 z;")).toBe(true);
  });
});

describe("leaves", () => {
  it("name what lies at every offset of a run, through nested structs and arrays", () => {
    const one = structsOf(
      "struct inner { le16 x; le16 y; } struct one { u8 a; inner b[2]; char tag[4]; }",
    ).get("one");
    const run = one?.nodes[0];
    const leaves = run?.kind === "run" ? run.leaves.map((leaf) => [leaf.path, leaf.offset, leaf.size]) : [];
    expect(leaves).toEqual([
      ["a", 0, 1],
      ["b[0].x", 1, 2],
      ["b[0].y", 3, 2],
      ["b[1].x", 5, 2],
      ["b[1].y", 7, 2],
      ["tag", 9, 4],
    ]);
  });
});

describe("constraints", () => {
  it("come after the run that they look at, so that missing bytes are reported first", () => {
    const kinds = structOf("u8 a where a != 0; u8 b; where a + b < 9; le64 c;").nodes.map(
      (node) => node.kind,
    );
    expect(kinds).toEqual(["run", "where", "where"]);
  });
});

describe("cases", () => {
  it("take the name of a range for all of its values", () => {
    const one = structsOf(
      "enum kind : u8 { A = 0, VENDOR = 0x80 .. 0xff } struct one { kind k; switch (k) { case A: u8 a; case VENDOR: le16 v; default refuse; } }",
    ).get("one");
    const node = one?.nodes[1];
    const labels =
      node?.kind === "switch" ? node.cases.map((each) => each.labels.map(({ from, to }) => [from, to])) : [];
    expect(labels).toEqual([[[0n, 0n]], [[0x80n, 0xffn]]]);
  });
});
