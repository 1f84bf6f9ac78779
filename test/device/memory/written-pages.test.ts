import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WrittenPages } from "../../../src/device/memory/written-pages.js";
import { seed } from "../../properties/drawn.js";

const PAGE = 4096;
const RANGES = [
  { address: 0, length: 64 * PAGE },
  { address: 1000 * PAGE, length: 100_000 * PAGE },
];

function inRanges(page: number): boolean {
  return RANGES.some(({ address, length }) => page * PAGE >= address && page * PAGE < address + length);
}

describe("written pages", () => {
  it("gives every page that was written in a range once, in order, as a set of pages would", () => {
    const writes = fc.array(fc.tuple(fc.nat({ max: 102_000 * PAGE }), fc.integer({ min: 1, max: 5 * PAGE })));
    fc.assert(
      fc.property(writes, fc.integer({ min: 1, max: 7 }), fc.nat({ max: 2000 }), (given, limit, border) => {
        const pages = new WrittenPages(PAGE, RANGES);
        const model = new Set<number>();
        for (const [address, length] of given) {
          pages.wrote(address, length);
          for (let at = Math.floor(address / PAGE); at * PAGE < address + length; at++) {
            if (inRanges(at)) model.add(at);
          }
        }
        expect(pages.count).toBe(model.size);
        const expected = [...model].filter((page) => page >= border).sort((a, b) => a - b);
        const range = { address: border * PAGE, length: 200_000 * PAGE };
        const taken: number[] = [];
        for (let batch = pages.take(range, limit); batch.length > 0; batch = pages.take(range, limit)) {
          expect(batch.length).toBeLessThanOrEqual(limit);
          taken.push(...batch);
        }
        expect(taken).toEqual(expected.map((page) => page * PAGE));
        expect(pages.count).toBe(model.size - expected.length);
      }),
      { seed },
    );
  });

  it("costs what is dirty, not what is watched", () => {
    const tebibyte = 2 ** 40;
    const pages = new WrittenPages(PAGE, [{ address: 0, length: tebibyte }]);
    const dirty = [0, tebibyte / 2, tebibyte - PAGE];
    for (const address of dirty) pages.wrote(address, 1);
    const before = performance.now();
    expect(pages.take({ address: 0, length: tebibyte }, 100)).toEqual(dirty);
    // A walk over the 2^28 pages takes a hundred times as long.
    expect(performance.now() - before).toBeLessThan(100);
  });

  it.each([
    ["a page of no power of two", 3000, []],
    ["no page", 0, []],
    ["a range of half a page", PAGE, [{ address: 0, length: PAGE / 2 }]],
    [
      "ranges that overlap",
      PAGE,
      [
        { address: 0, length: 2 * PAGE },
        { address: PAGE, length: PAGE },
      ],
    ],
  ])("refuses %s", (_, pageSize, ranges) => {
    expect(() => new WrittenPages(pageSize, ranges)).toThrow(RangeError);
  });
});
