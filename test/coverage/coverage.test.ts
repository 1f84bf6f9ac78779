/** Nothing in scope goes missing unnoticed: every item of the list has its place in a schema or in code, and its source. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { schemaProgram } from "../schemas.js";
import { codeOf, coverageDocument, placeOf, readItems } from "./coverage.js";

const items = readItems();
const program = schemaProgram();
const document = new URL("../../docs/coverage.md", import.meta.url);

/** The numbers of each family; where there is a gap, there never was an item. */
const NUMBERS: Readonly<Record<string, readonly (readonly [from: number, to: number])[]>> = {
  A: [[1, 23]],
  B: [[1, 52]],
  C: [[1, 29]],
  D: [
    [1, 24],
    [30, 73],
    [80, 96],
    [100, 109],
  ],
  E: [
    [1, 17],
    [20, 31],
    [40, 51],
    [60, 64],
    [66, 68],
    [70, 80],
  ],
  F: [
    [1, 16],
    [20, 25],
    [30, 32],
    [40, 41],
    [50, 74],
    [80, 80],
  ],
  H: [
    [1, 3],
    [5, 6],
    [10, 11],
  ],
  I: [[1, 18]],
};

function count(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

describe("coverage", () => {
  it("lists every key once, and no family lacks one", () => {
    const keys = items.map((item) => item.key);
    expect(new Set(keys).size).toBe(keys.length);
    for (const [letter, ranges] of Object.entries(NUMBERS)) {
      const numbers = keys.flatMap((key) => (key.startsWith(`${letter}.`) ? [Number(key.slice(2))] : []));
      expect(numbers.sort((a, b) => a - b)).toEqual(ranges.flatMap(([from, to]) => count(from, to)));
    }
    const contradictions = keys.filter((key) => key.startsWith("D-X"));
    expect(contradictions).toEqual(count(1, 12).map((number) => `D-X${number}`));
  });

  it.each(items.map((item) => [item.key, item] as const))("%s has a place", (_, item) => {
    if (item.kind === "machine") {
      expect(codeOf(item), item.where).toBeDefined();
      expect(existsSync(new URL(`../../${item.test}`, import.meta.url)), item.test).toBe(true);
      expect(item.source).toBeDefined();
    } else if (item.where.startsWith("rule: ")) expect(item.where.length).toBeGreaterThan(20);
    else expect(placeOf(item, program), item.where).toBeDefined();
  });

  it("knows the source of every declaration or of its module", () => {
    const places = items.flatMap((item) => placeOf(item, program) ?? []);
    const unsourced = places.filter(
      ({ module, decl }) =>
        ![...(decl?.doc.notes ?? []), ...module.doc.notes].some((note) => note.tag === "source"),
    );
    expect(unsourced.map(({ module, decl }) => `${module.file}#${decl?.name}`)).toEqual([]);
  });

  it("docs/coverage.md is up to date", () => {
    const made = coverageDocument(items, program);
    if (process.env["VIRTWIRE_BLESS"]) writeFileSync(document, made);
    expect(readFileSync(document, "utf8")).toBe(made);
  });
});
