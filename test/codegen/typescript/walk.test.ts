/**
 * Generated walks against the generated scanners: the same faults, and every byte of a sound value reported once. What
 * is whole in a damaged value is checked by hand.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Fault, type FieldValue, Reader, type Site, type Visitor } from "../../../src/runtime/index.js";
import { type Loaded, loadSchema } from "../load.js";
import {
  conditionalBytes,
  countedBytes,
  holderBytes,
  optionalTailBytes,
  scalarBytes,
  strictTlvBytes,
  tlvBytes,
  ZOO,
} from "./zoo.js";

interface Leaf {
  readonly path: string;
  readonly at: number;
  readonly size: number;
  readonly value: FieldValue;
  readonly bit: number | undefined;
  readonly site: Site;
}

/** Keeps everything, with paths put together as the contract of Visitor says. */
class Recorder implements Visitor {
  readonly leaves: Leaf[] = [];
  readonly faults: Fault[] = [];
  readonly opened: { readonly path: string; readonly at: number }[] = [];
  readonly closed: number[] = [];
  private readonly stack: string[] = [];

  open(site: Site, index: number, at: number): void {
    this.opened.push({ path: this.path(site.name, index), at });
    this.stack.push(this.path(site.name, index));
  }

  close(at: number): void {
    expect(this.stack.pop()).toBeDefined();
    this.closed.push(at);
  }

  field(site: Site, index: number, at: number, size: number, value: FieldValue, bit?: number): void {
    this.leaves.push({ path: this.path(site.name, index), at, size, value, bit, site });
  }

  fault(fault: Fault): void {
    this.faults.push({ ...fault, path: joined(this.top(), fault.path) });
  }

  get depth(): number {
    return this.stack.length;
  }

  paths(): string[] {
    return this.leaves.map(({ path }) => path);
  }

  private top(): string {
    return this.stack[this.stack.length - 1] ?? "";
  }

  private path(name: string, index: number): string {
    return index < 0 ? joined(this.top(), name) : `${this.top()}[${index}]`;
  }
}

function joined(outer: string, inner: string): string {
  if (outer === "" || inner === "") return outer + inner;
  return inner.startsWith("[") ? outer + inner : `${outer}.${inner}`;
}

/** `Tlv` with these bytes; parameters behind them. */
function walk(
  zoo: Loaded,
  name: string,
  bytes: Uint8Array,
  ...params: readonly unknown[]
): { visitor: Recorder; whole: boolean } {
  const visitor = new Recorder();
  const reader = new Reader(bytes);
  const whole = zoo[`walk${name}`](reader, visitor, ...params);
  expect(visitor.depth).toBe(0);
  if (whole) expect(reader.at).toBe(bytes.length);
  return { visitor, whole };
}

/** The ranges that are reported, containers of bit fields once, must not overlap. Gives how many bytes they are. */
function covered(leaves: readonly Leaf[]): number {
  let end = 0;
  let total = 0;
  let container = -1;
  for (const { at, size, bit } of leaves) {
    if (bit !== undefined && at === container) continue;
    container = bit === undefined ? -1 : at;
    expect(at).toBeGreaterThanOrEqual(end);
    end = at + size;
    total += size;
  }
  return total;
}

const CASES: readonly [name: string, bytes: fc.Arbitrary<Uint8Array>, ...params: number[]][] = [
  ["Scalars", scalarBytes],
  ["Bitty", fc.uint8Array({ minLength: 24, maxLength: 24 })],
  ["Tlv", tlvBytes],
  ["StrictTlv", strictTlvBytes],
  ["Conditional", conditionalBytes(0), 0],
  ["Conditional", conditionalBytes(3), 3],
  ["OptionalTail", optionalTailBytes],
  ["Counted", countedBytes],
  ["Holder", holderBytes],
];

describe("a walk", () => {
  let zoo: Loaded = {};
  beforeAll(async () => {
    zoo = await loadSchema(ZOO);
  });

  it.each(CASES)("reports every byte of a %s once", (name, arbitrary, ...params) => {
    fc.assert(
      fc.property(arbitrary, (bytes) => {
        expect(zoo[`check${name}`](bytes, ...params)).toBeUndefined();
        const { visitor, whole } = walk(zoo, name, bytes, ...params);
        expect(whole).toBe(true);
        expect(visitor.faults).toEqual([]);
        expect(covered(visitor.leaves)).toBe(bytes.length);
      }),
    );
  });

  it.each(CASES)("finds in a damaged %s first what the scanner finds", (name, arbitrary, ...params) => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
    fc.assert(
      fc.property(arbitrary, fc.nat(), damage, fc.boolean(), (bytes, cut, changes, strict) => {
        const damaged = bytes.slice(0, cut % 3 === 0 ? bytes.length : cut % (bytes.length + 1));
        for (const [at, value] of changes) if (damaged.length > 0) damaged[at % damaged.length] = value;
        const scanner = new Reader(damaged, { base: 1000, strict });
        const sound = zoo[`scan${name}`](scanner, ...params);
        const visitor = new Recorder();
        const reader = new Reader(damaged, { base: 1000, strict });
        const whole = zoo[`walk${name}`](reader, visitor, ...params);
        expect(visitor.depth).toBe(0);
        expect(visitor.faults[0]).toEqual(sound ? undefined : scanner.fault);
        if (sound) expect([whole, reader.at]).toEqual([true, scanner.at]);
        expect(covered(visitor.leaves)).toBeLessThanOrEqual(damaged.length);
      }),
      { numRuns: 400 },
    );
  });

  it("shows what is whole before the end of the input", () => {
    const bytes = Uint8Array.of(4, 0, 0, 0, 9, 0, 0, 0, 3, 0x61, 0x62);
    const { visitor, whole } = walk(zoo, "Tlv", bytes);
    expect(whole).toBe(false);
    expect(visitor.paths()).toEqual(["type", "reserved", "length", "note.size"]);
    expect(
      visitor.faults.map(({ code, path, offset, need, had }) => [code, path, offset, need, had]),
    ).toEqual([["truncated", "value", 8, 9, 3]]);
  });

  it("does not report the part of a field that is cut off as the field", () => {
    const bytes = Uint8Array.of(0x20, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3);
    const { visitor } = walk(zoo, "Tlv", bytes);
    expect(visitor.paths()).toEqual(["type", "reserved", "length"]);
  });

  it("shows the whole elements of an array that is cut off", () => {
    const bytes = Uint8Array.of(3, 1, 0, 0, 2, 3, 0, 0, 4, 5, 0);
    const { visitor } = walk(zoo, "Counted", bytes);
    expect(visitor.paths()).toEqual([
      "count",
      "pairs[0].x",
      "pairs[0].y",
      "pairs[1].x",
      "pairs[1].y",
      "pairs[2].x",
    ]);
    expect(visitor.faults.map(({ path, need, had }) => [path, need, had])).toEqual([["pairs", 12, 10]]);
  });

  it("goes on behind a range that is broken", () => {
    // The first holds a text that claims more than its range has; two bytes of the second are left over.
    const first = [4, 0, 0, 0, 3, 0, 0, 0, 9, 0x61, 0x62];
    const second = [1, 0, 0, 0, 6, 0, 0, 0, 1, 2, 3, 4, 5, 6];
    for (const [bytes, fault] of [
      [first, ["overrun", "note.text", 9]],
      [second, ["trailing", "value", 12]],
    ] as const) {
      const { visitor, whole } = walk(zoo, "Tlv", Uint8Array.from(bytes));
      expect(whole).toBe(true);
      expect(visitor.faults.map(({ code, path, offset }) => [code, path, offset])).toEqual([fault]);
    }
    const { visitor, whole } = walk(zoo, "Holder", holderWith(first));
    expect(whole).toBe(true);
    expect(visitor.faults.map(({ path }) => path)).toEqual(["first.note.text"]);
    expect(visitor.paths().slice(-3)).toEqual(["macs[0]", "stop", "skipped"]);
  });

  it("tells what integers stand for, what role fields have, and what the schema says of them", () => {
    const { visitor } = walk(zoo, "Tlv", Uint8Array.of(0x12, 0, 0, 0, 0, 0, 0, 0));
    const [type, reserved, length] = visitor.leaves.map(({ site }) => site);
    expect(type?.type).toBe("kind");
    expect(type?.meaning?.(0x12)).toBe("KIND_RANGE");
    expect(type?.meaning?.(0x99)).toBeUndefined();
    expect([reserved?.type, reserved?.role]).toEqual(["u8[2]", "reserved"]);
    expect([length?.type, length?.role, length?.schema]).toEqual([
      "le32",
      "derived",
      expect.stringMatching(/^test\.wire:\d+$/),
    ]);

    const scalars = walk(zoo, "Scalars", new Uint8Array(110)).visitor.leaves;
    const features = scalars.find(({ path }) => path === "features")?.site;
    expect(features?.meaning?.(0x1_0000_0004n)).toBe("F_ONE | F_TWO");
    expect(features?.meaning?.(0n)).toBeUndefined();
    expect(scalars.find(({ path }) => path === "grid[2][1]")).toMatchObject({
      at: 108,
      size: 2,
      site: { type: "le16[3][2]" },
    });
  });

  it("keeps 64 bits exact even where they are refused", () => {
    const bytes = new Uint8Array(110).fill(0xff, 58, 66);
    const { visitor } = walk(zoo, "Scalars", bytes);
    expect(visitor.leaves.find(({ path }) => path === "wide")?.value).toBe(0xffff_ffff_ffff_ffffn);
    expect(visitor.leaves.find(({ path }) => path === "deep")?.value).toBe(0);
    expect(visitor.faults.map(({ code, path }) => [code, path])).toEqual([["range", "wide"]]);
    expect(covered(visitor.leaves)).toBe(110);
  });

  it("tells the bits of a container", () => {
    const { visitor } = walk(
      zoo,
      "Bitty",
      Uint8Array.from({ length: 24 }, (_, i) => i),
    );
    // 0x0201 in little-endian order: 1 in the low three bits, 0 in the next four, 4 above.
    expect(
      visitor.leaves.slice(1, 4).map(({ path, at, size, value, bit }) => [path, at, size, value, bit]),
    ).toEqual([
      ["low", 1, 2, 1, 0],
      ["reserved", 1, 2, 0, 3],
      ["top", 1, 2, 4, 7],
    ]);
  });
});

/** A `holder` around the bytes of a TLV. */
function holderWith(tlv: readonly number[]): Uint8Array {
  const before = [0x51, 0x45, 0x4d, 0x55, 0, ...new Array(8).fill(0), 0, ...[0, 0, 0, 0, 0, 0]];
  return Uint8Array.from([...before, ...tlv, 1, 1, 2, 3, 4, 5, 6, 0, 9]);
}
