/** Views of random messages: they show what decode gives, and what is set through them is what is decoded afterwards. */
import { describe, expect, it } from "vitest";
import { View, WireError } from "../../src/runtime/index.js";
import { canonical } from "./canonical.js";
import { everyMessage } from "./drawn.js";

/** A property of a view, whose names are made at run time. */
function read(view: View, name: string): unknown {
  return Reflect.get(view, name, view);
}

function call(view: View, name: string, ...args: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(view, name, view);
  if (typeof method !== "function") throw new Error(`the view has no method ${name}`);
  return method.apply(view, args);
}

function shows(view: View, value: object): void {
  for (const [name, expected] of Object.entries(value)) {
    if (isCase(expected)) {
      expect(read(view, `${name}Case`)).toBe(expected.case);
      if (expected.value === undefined) continue;
      showsOne(view, name + expected.case.charAt(0).toUpperCase() + expected.case.slice(1), expected.value);
    } else if (Array.isArray(expected)) {
      showsOne(view, name, expected);
    } else if (expected === undefined) {
      isNothing(view, name);
    } else {
      showsOne(view, name, expected);
    }
  }
}

function showsOne(view: View, name: string, expected: unknown): void {
  if (!Array.isArray(expected)) {
    isShown(read(view, name), expected);
    return;
  }
  expect(read(view, `${name}Count`)).toBe(expected.length);
  everyElement(expected, [], (element, indices) => isShown(call(view, name, ...indices), element));
  expect(() => call(view, name, expected.length, 0, 0)).toThrow(RangeError);
  expect(() => call(view, name, -1, 0, 0)).toThrow(RangeError);
}

function everyElement(
  list: readonly unknown[],
  indices: readonly number[],
  see: (element: unknown, indices: readonly number[]) => void,
): void {
  list.forEach((element, i) => {
    if (Array.isArray(element)) everyElement(element, [...indices, i], see);
    else see(element, [...indices, i]);
  });
}

function isShown(shown: unknown, expected: unknown): void {
  if (shown instanceof View) shows(shown, expected as object);
  else expect(canonical(shown)).toBe(canonical(expected));
}

/** What a value lacks a view lacks, but for reserved bytes: those are not worth a value when they are zero. */
function isNothing(view: View, name: string): void {
  const shown = `${name}Count` in view ? read(view, `${name}Count`) : read(view, name);
  if (shown instanceof Uint8Array) expect(shown.every((byte) => byte === 0)).toBe(true);
  else expect(shown).toBeUndefined();
}

function isCase(value: unknown): value is { readonly case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && Object.keys(value).join() === "case,value";
}

/** Another value of the same kind, which may or may not be allowed. */
function others(value: unknown): (number | bigint)[] {
  if (typeof value === "bigint") return [value ^ 1n, 0n, value + 1n, -1n, (1n << 63n) - 1n];
  if (typeof value === "number") return [value ^ 1, 0, value + 1, -1, 127, 2 ** 53 - 1];
  return [];
}

function hasSetter(view: View, name: string): boolean {
  return Object.getOwnPropertyDescriptor(Object.getPrototypeOf(view), name)?.set !== undefined;
}

describe("a view of a message of a random schema", () => {
  it("shows what decode gives", () =>
    everyMessage(({ view, decode }, { bytes }) => {
      shows(view(bytes), decode(bytes) as object);
      const shifted = new Uint8Array(bytes.length + 3).fill(0xa5);
      shifted.set(bytes, 3);
      const moved = view(shifted, 3);
      expect(moved.$at).toBe(3);
      expect(moved.$end).toBe(shifted.length);
      shows(moved, decode(bytes) as object);
    }));

  it("changes one field and no other", () =>
    everyMessage(({ view, decode, encode, check }, { bytes }) => {
      const before = decode(bytes) as Record<string, unknown>;
      for (const [name, value] of Object.entries(before)) {
        for (const other of others(value)) {
          const memory = bytes.slice();
          const changed = view(memory);
          if (!hasSetter(changed, name)) continue;
          try {
            Reflect.set(changed, name, other, changed);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
            expect((error as WireError).code).toMatch(/^(range|enum)$/);
            expect(canonical(memory)).toBe(canonical(bytes));
            expect(() => encode({ ...before, [name]: other })).toThrow(WireError);
            continue;
          }
          const found = check(memory);
          if (found !== undefined) {
            // Rules between fields are for the check.
            expect(found.code).toBe("constraint");
            continue;
          }
          const after = { ...before, [name]: other };
          expect(canonical(decode(memory))).toBe(canonical(after));
          expect(canonical(encode(after))).toBe(canonical(memory));
          shows(changed, after);
        }
      }
    }));
});
