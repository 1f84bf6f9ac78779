import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reportBitmap, reportedPages } from "../../../src/device/memory/report-bitmap.js";
import { seed } from "../../properties/drawn.js";

const PAGE = 4096;
const START = 0x100000;

describe("a report of written pages", () => {
  it("has bit (address - start) / page size set, in little-endian words of 64 bits", () => {
    const range = { address: START, length: 70 * PAGE };
    const bitmap = reportBitmap([START, START + 9 * PAGE, START + 64 * PAGE], range, PAGE);
    const words = [0, 8].map((at) => new DataView(bitmap.buffer).getBigUint64(at, true));
    expect([bitmap.length, ...words]).toEqual([16, (1n << 9n) | 1n, 1n]);
  });

  it("names each large page of which a small one was written, and nothing outside of the range", () => {
    const range = { address: 0, length: 4 * 65536 };
    const bitmap = reportBitmap([65536 + PAGE, 65536 + 2 * PAGE, 4 * 65536], range, 65536);
    expect([...bitmap]).toEqual([2, 0, 0, 0, 0, 0, 0, 0]);
    expect(reportBitmap([0], { address: 65536, length: 65536 }, 65536)).toEqual(new Uint8Array(8));
  });

  it("gives back the pages that it was made of", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 199 })), (numbers) => {
        const range = { address: START, length: 200 * PAGE };
        const pages = numbers.sort((a, b) => a - b).map((number) => START + number * PAGE);
        expect(reportedPages(reportBitmap(pages, range, PAGE), range, PAGE)).toEqual(pages);
      }),
      { seed },
    );
  });

  it("is refused where it cannot be one", () => {
    const range = { address: START, length: 2 * PAGE };
    expect(reportedPages(Uint8Array.of(0xff), range, PAGE)).toEqual([START, START + PAGE]);
    expect(() => reportedPages(new Uint8Array(0), range, PAGE)).toThrow(/0 bytes for 2 pages/);
    expect(() => reportBitmap([], { address: START, length: 100 }, PAGE)).toThrow(/not pages/);
    expect(() => reportBitmap([], { address: 0, length: 2 ** 50 }, PAGE)).toThrow(/a bitmap of/);
  });
});
