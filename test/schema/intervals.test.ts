/** Ranges of integers that must not overlap, against a model that looks at every integer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Intervals } from "../../src/schema/intervals.js";

const ranges = fc.array(fc.tuple(fc.integer({ min: -20, max: 60 }), fc.integer({ min: 0, max: 6 })), {
  maxLength: 30,
});

describe("intervals", () => {
  it("are claimed once, whatever the order they come in", () => {
    fc.assert(
      fc.property(ranges, (drawn) => {
        const intervals = new Intervals<number>();
        const owners = new Map<number, number>();
        drawn.forEach(([from, length], owner) => {
          const integers = Array.from({ length: length + 1 }, (_, i) => from + i);
          const clashes = integers.map((integer) => owners.get(integer)).filter((one) => one !== undefined);
          const clash = intervals.claim(BigInt(from), BigInt(from + length), owner);
          if (clashes.length > 0) expect(clashes).toContain(clash);
          else {
            expect(clash).toBeUndefined();
            for (const integer of integers) owners.set(integer, owner);
          }
        });
        expect(intervals.count()).toBe(BigInt(owners.size));
        for (let from = -21; from < 70; from++) {
          const owner = owners.get(from);
          expect(intervals.covers(BigInt(from), BigInt(from))).toBe(owner !== undefined);
          const both = owner !== undefined && owners.get(from + 1) === owner;
          expect(intervals.covers(BigInt(from), BigInt(from + 1))).toBe(both);
        }
      }),
    );
  });
});
