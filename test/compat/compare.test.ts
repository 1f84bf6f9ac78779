/** Verdicts on pairs of schemas, each witness confirmed by the generated decoders of both versions. */
import { describe, expect, it } from "vitest";
import { RULES } from "../../src/compat/index.js";
import { fixtures } from "./fixtures.js";
import { compared, refutations, summary } from "./verdicts.js";

describe("a pair of versions", () => {
  it.each(fixtures().map((fixture) => [fixture.name, fixture] as const))("%s", async (_, fixture) => {
    const comparison = compared(fixture.old, fixture.new, fixture.profile);
    expect(comparison.findings.map(summary)).toEqual(fixture.expected);
    expect(await refutations(comparison, fixture.old, fixture.new)).toEqual([]);
    expect(comparison.compatible).toBe(
      fixture.expected.every((line) => line.endsWith(" compatible compatible")),
    );
  });

  it("covers every rule", () => {
    const covered = new Set(fixtures().flatMap(({ expected }) => expected.map((line) => line.split(" ")[0])));
    expect(Object.keys(RULES).filter((rule) => !covered.has(rule))).toEqual([]);
  });

  it("that are the same says nothing", () => {
    for (const { old } of fixtures())
      expect(compared(old, old)).toMatchObject({ compatible: true, findings: [] });
  });

  it("gives the same report every time", () => {
    for (const { old, new: now, profile } of fixtures().slice(0, 8))
      expect(compared(old, now, profile).findings.map(summary)).toEqual(
        compared(old, now, profile).findings.map(summary),
      );
  });
});
