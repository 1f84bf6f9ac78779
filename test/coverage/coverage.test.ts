/** Nothing in scope goes missing unnoticed: every item of the list has its place in a schema, and its source. */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { schemaProgram } from "../schemas.js";
import { coverageDocument, placeOf, readItems } from "./coverage.js";

const items = readItems();
const program = schemaProgram();
const document = new URL("../../docs/coverage.md", import.meta.url);

describe("coverage", () => {
  it("lists every key once, in families without gaps", () => {
    const keys = items.map((item) => item.key);
    expect(new Set(keys).size).toBe(keys.length);
    for (const [letter, count] of [
      ["A", 23],
      ["B", 52],
      ["C", 29],
    ] as const) {
      const numbers = keys.flatMap((key) => (key.startsWith(`${letter}.`) ? [Number(key.slice(2))] : []));
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    }
  });

  it.each(items.map((item) => [item.key, item] as const))("%s has a place", (_, item) => {
    if (item.where.startsWith("rule: ")) expect(item.where.length).toBeGreaterThan(20);
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
