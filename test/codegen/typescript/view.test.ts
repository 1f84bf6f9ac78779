/**
 * Generated views against the generated decoders: the same values wherever they lie; what is set changes exactly the
 * bytes of the field; and nothing outside is ever looked at.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { Reader, WireError } from "../../../src/runtime/index.js";
import { type Loaded, loadSchema } from "../load.js";
import {
  conditionalBytes,
  countedBytes,
  holderBytes,
  NATIVE,
  optionalTailBytes,
  scalarBytes,
  strictTlvBytes,
  tlvBytes,
  ZOO,
} from "./zoo.js";

const CASES: readonly [name: string, bytes: fc.Arbitrary<Uint8Array>, ...params: number[]][] = [
  ["Scalars", scalarBytes],
  ["Bitty", fc.uint8Array({ minLength: 24, maxLength: 24 })],
  ["Tlv", tlvBytes],
  ["StrictTlv", strictTlvBytes],
  ["Conditional", conditionalBytes(0), 0],
  ["Conditional", conditionalBytes(1), 1],
  ["Conditional", conditionalBytes(3), 3],
  ["OptionalTail", optionalTailBytes],
  ["Counted", countedBytes],
  ["Holder", holderBytes],
];

/** A member of a view: the class is made at run time. */
function member(view: object, name: string): unknown {
  return Reflect.get(view, name, view);
}

function element(view: object, name: string, ...indices: number[]): unknown {
  const method = member(view, name);
  if (typeof method !== "function") throw new Error(`${name} is no method`);
  return Reflect.apply(method, view, indices);
}

/** Holds what a view shows against what decode made of the same bytes. */
function expectSame(view: object, value: Record<string, unknown>): void {
  for (const [name, expected] of Object.entries(value)) {
    if (isUnion(expected)) {
      expect(member(view, `${name}Case`)).toBe(expected.case);
      const arm = name + capital(expected.case);
      if (expected.value !== undefined) expectMember(view, arm, expected.value);
    } else if (expected === undefined || isZeros(expected)) {
      // Reserved bytes that are zero are left out of the value, and still there in memory.
      const shown = `${name}Count` in view ? member(view, `${name}Count`) : member(view, name);
      if (shown !== undefined)
        expect(new Uint8Array(shown as Uint8Array).every((byte) => byte === 0)).toBe(true);
    } else {
      expectMember(view, name, expected);
    }
  }
}

function expectMember(view: object, name: string, expected: unknown): void {
  if (!Array.isArray(expected)) {
    expectValue(member(view, name), expected);
    return;
  }
  expect(member(view, `${name}Count`)).toBe(expected.length);
  expected.forEach((each, i) => {
    if (Array.isArray(each)) each.forEach((inner, j) => expectValue(element(view, name, i, j), inner));
    else expectValue(element(view, name, i), each);
  });
  for (const outside of [-1, expected.length, 0.5, Number.NaN]) {
    expect(() => element(view, name, outside, 0)).toThrow(RangeError);
  }
}

function expectValue(shown: unknown, expected: unknown): void {
  if (expected instanceof Uint8Array || typeof expected !== "object" || expected === null)
    expect(shown).toEqual(expected);
  else expectSame(shown as object, expected as Record<string, unknown>);
}

function isUnion(value: unknown): value is { readonly case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && "case" in value;
}

function isZeros(value: unknown): boolean {
  return value instanceof Uint8Array && value.every((byte) => byte === 0);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** The bytes in the middle of others: a view that looks outside finds something else there. */
function fenced(bytes: Uint8Array, before: number, after: number): Uint8Array {
  const memory = new Uint8Array(before + bytes.length + after).fill(0xa5);
  memory.set(bytes, before);
  return memory;
}

describe("a view", () => {
  let zoo: Loaded = {};
  beforeAll(async () => {
    zoo = await loadSchema(ZOO);
  });

  it.each(CASES)("shows of a %s what decode makes of it", (name, arbitrary, ...params) => {
    fc.assert(
      fc.property(arbitrary, fc.nat(5), (bytes, before) => {
        const memory = fenced(bytes, before, 0);
        const view = new zoo[`${name}View`](memory, before, ...params);
        expectSame(view, zoo[`decode${name}`](bytes, ...params));
        expect([view.$at, view.$end]).toEqual([before, before + bytes.length]);
      }),
    );
  });

  it.each(CASES)("refuses of a %s what check refuses, with the same error", (name, arbitrary, ...params) => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
    fc.assert(
      fc.property(arbitrary, fc.nat(), damage, (bytes, cut, changes) => {
        const damaged = bytes.slice(0, cut % 3 === 0 ? bytes.length : cut % (bytes.length + 1));
        for (const [at, value] of changes) if (damaged.length > 0) damaged[at % damaged.length] = value;
        const reader = new Reader(damaged);
        const sound = zoo[`scan${name}`](reader, ...params);
        const error = caught(() => new zoo[`${name}View`](damaged, 0, ...params));
        if (sound) expect(error).toBeUndefined();
        else expect(error).toMatchObject({ ...reader.fault });
      }),
    );
  });

  it("never looks behind the bytes that it is given", () => {
    fc.assert(
      fc.property(countedBytes, fc.nat(), (bytes, cut) => {
        const memory = fenced(bytes, 3, 8);
        const size = cut % bytes.length;
        expect(() => new zoo["CountedView"](memory.subarray(3, 3 + size))).toThrow(WireError);
        expect(() => new zoo["CountedView"](new DataView(memory.buffer, 3, size))).toThrow(WireError);
      }),
    );
    const pair = new zoo["PairView"](Uint8Array.of(1, 2, 3, 4), 0);
    for (const at of [-1, -4, 0.5, Number.NaN, 2 ** 60]) expect(() => pair.moveTo(at)).toThrow(RangeError);
    expect(() => pair.moveTo(1)).toThrow("truncated: y at 0x3: needs 2 bytes, has 1");
    expect(pair.x).toBe(0x201);
  });

  it.each([...CASES])(
    "changes of a %s exactly the bytes of the field that is set",
    (name, arbitrary, ...params) => {
      const setters = settersOf(zoo[`${name}View`].prototype);
      fc.assert(
        fc.property(
          arbitrary,
          fc.nat(),
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          (bytes, choice, random) => {
            const setter = setters[choice % Math.max(1, setters.length)];
            if (setter === undefined) return;
            const memory = fenced(bytes, 4, 4);
            const before = memory.slice();
            const view = new zoo[`${name}View`](memory.subarray(4, 4 + bytes.length), 0, ...params);
            const old = member(view, setter);
            if (old === undefined) {
              expect(() => Reflect.set(view, setter, 0, view)).toThrow(/^(?:unexpected|case): /);
              expect(memory).toEqual(before);
              return;
            }
            const value =
              typeof old === "string" ? "abc" : typeof old === "bigint" ? random : Number(random & 0xffffn);
            const error = caught(() => Reflect.set(view, setter, value, view));
            if (error !== undefined) {
              expect(error).toBeInstanceOf(WireError);
              expect(["range", "enum"]).toContain((error as WireError).code);
              expect(memory).toEqual(before);
              return;
            }
            expect(member(view, setter)).toBe(value);
            // What the walk says of the place is the judge of which bytes may change.
            const place = placeOf(zoo, name, bytes, setter, params);
            const changed = [...memory.keys()].filter((i) => memory[i] !== before[i]);
            expect(changed.filter((i) => i < 4 + place.at || i >= 4 + place.at + place.size)).toEqual([]);
            const scanned = zoo[`check${name}`](memory.subarray(4, 4 + bytes.length), ...params);
            if (scanned !== undefined) expect(scanned.code).toBe("constraint");
            else expectSame(view, zoo[`decode${name}`](memory.subarray(4, 4 + bytes.length), ...params));
            // The old value brings back every bit: neighbours in a container have not moved.
            Reflect.set(view, setter, old, view);
            expect(memory).toEqual(before);
          },
        ),
        { numRuns: 300 },
      );
    },
  );

  it("sets elements of arrays", () => {
    const memory = new Uint8Array(110);
    const view = new zoo["ScalarsView"](memory);
    view.setGrid(2, 1, 0x1234);
    expect([memory[108], memory[109]]).toEqual([0x34, 0x12]);
    expect(view.grid(2, 1)).toBe(0x1234);
    expect(() => view.setGrid(0, 2, 1)).toThrow(RangeError);
    expect(() => view.setGrid(0, 1, 0x10000)).toThrow("range: grid at 0x64: 65536");
    expect(memory.subarray(0, 108)).toEqual(new Uint8Array(108));
  });

  it("refuses values that do not fit", () => {
    const view = new zoo["ScalarsView"](new Uint8Array(110));
    const refused: readonly [name: string, values: readonly (number | bigint | string)[]][] = [
      ["a", [256, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]],
      ["b", [128, -129, 0.5]],
      ["g", [2 ** 32, -1]],
      ["i", [2 ** 31, -(2 ** 31) - 1]],
      ["k", [-1n, 2n ** 64n]],
      ["m", [2n ** 63n, -(2n ** 63n) - 1n]],
      ["wide", [2 ** 53, -1, 1.5]],
      ["deep", [2 ** 53, -(2 ** 53)]],
      ["name", ["1234567", "\u0100"]],
    ];
    for (const [name, values] of refused) {
      for (const value of values) expect(() => Reflect.set(view, name, value, view)).toThrow(/^range: /);
    }
    for (const [name, values] of [
      ["b", [-128, 127]],
      ["j", [-(2 ** 31), 2 ** 31 - 1]],
      ["m", [-(2n ** 63n), 2n ** 63n - 1n]],
      ["deep", [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
    ] as const) {
      for (const value of values) {
        Reflect.set(view, name, value, view);
        expect(member(view, name)).toBe(value);
      }
    }
  });

  it("has no setters for what determines the layout, what is derived and what is constant", () => {
    expect(settersOf(zoo["TlvView"].prototype)).not.toContain("type");
    expect(settersOf(zoo["TlvView"].prototype)).not.toContain("length");
    expect(settersOf(zoo["HolderView"].prototype)).toEqual([]);
    expect(settersOf(zoo["MagicView"].prototype)).toEqual(["state"]);
    expect(settersOf(zoo["ConditionalView"].prototype)).toEqual(["head", "extra"]);
    expect(settersOf(zoo["CountedView"].prototype)).toEqual([]);
    expect(new zoo["MagicView"](Uint8Array.of(0x51, 0x45, 0x4d, 0x55, 1)).word).toBe(0x51454d55);
  });

  it("lends bytes and nested structs: writing to them writes to the memory", () => {
    const memory = Uint8Array.of(3, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4);
    const view = new zoo["TlvView"](memory);
    view.reserved[1] = 9;
    view.valuePoint.y = 0x0a0b;
    expect([...memory]).toEqual([3, 0, 0, 9, 4, 0, 0, 0, 1, 2, 0x0a, 0x0b]);
    expect(view.valueSpeed).toBeUndefined();
  });

  it("moves to another value, in the same object", () => {
    const memory = Uint8Array.of(
      2,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
      7,
      0,
      4,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
      1,
      0x61,
      1,
      0,
      0,
      0,
      9,
      0,
      0,
      0,
    );
    const view = new zoo["TlvView"](memory);
    expect([view.valueCase, view.valueListCount, view.valueList(0)]).toEqual(["list", 1, 7]);
    expect(view.moveTo(view.$end)).toBe(view);
    expect([view.valueCase, view.valueListCount, view.valueNote.text]).toEqual(["note", undefined, "a"]);
    expect(() => view.moveTo(20)).toThrow("truncated: value at 0x1c: needs 9 bytes, has 0");
    expect([view.$at, view.valueNote.text]).toEqual([10, "a"]);
  });

  it("does not trust memory that changes behind its back", () => {
    const memory = Uint8Array.of(2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 2, 0, 0xee, 0xee);
    const view = new zoo["TlvView"](memory.subarray(0, 12));
    memory[4] = 0xff;
    expect(view.valueListCount).toBe(2);
    expect(() => view.valueList(2)).toThrow(RangeError);
  });

  it("does not go back when a length shrinks between its check and its use", async () => {
    const codecs = await loadSchema(
      "module test.shrinking little;\nstruct shrinking { u8 n where n >= 8; u8 a[n - 8]; u8 b[2]; }",
    );
    const { getUint8 } = DataView.prototype;
    let reads = 0;
    const spy = vi.spyOn(DataView.prototype, "getUint8").mockImplementation(function (this: DataView, at) {
      return at === 0 && reads++ > 0 ? 0 : getUint8.call(this, at);
    });
    onTestFinished(() => spy.mockRestore());
    const view = new codecs["ShrinkingView"](Uint8Array.of(9, 1, 2, 3, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee));
    expect(reads).toBeGreaterThan(1);
    expect([...view.b]).toEqual([1, 2]);
  });

  it("reads in the order that it is told, and that it hands on", async () => {
    const native = await loadSchema(NATIVE);
    const bytes = Uint8Array.of(1, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 4, 2, 0, 5, 0, 6, 0);
    const view = new native["OuterNativeView"](bytes, 0, true);
    expect([view.one.a, view.one.b, view.two.a, view.two.b, view.count, view.list(1)]).toEqual([
      1, 2, 3, 4, 2, 6,
    ]);
    const big = new native["InnerNativeView"](bytes, 0, false);
    big.b = 1;
    expect([...bytes.subarray(0, 6)]).toEqual([1, 0, 0, 0, 0, 1]);
  });
});

/** The names that can be assigned to. */
function settersOf(prototype: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { set }]) =>
    set === undefined ? [] : [name],
  );
}

function caught(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

interface Place {
  readonly at: number;
  readonly size: number;
}

/** Where the walk finds the field: `valueSpeed` is the arm `speed` of the switch `value`. */
function placeOf(
  zoo: Loaded,
  name: string,
  bytes: Uint8Array,
  setter: string,
  params: readonly number[],
): Place {
  const places = new Map<string, Place>();
  let depth = 0;
  zoo[`walk${name}`](
    new Reader(bytes),
    {
      open: () => depth++,
      close: () => depth--,
      field: (site: { name: string }, _: number, at: number, size: number) => {
        if (depth === 0) places.set(site.name.replaceAll("_", ""), { at, size });
      },
      fault: () => undefined,
    },
    ...params,
  );
  const place = places.get(setter) ?? places.get(setter.replace(/^(?:value|body)/, "").toLowerCase());
  if (place === undefined) throw new Error(`the walk knows no ${setter}`);
  return place;
}
