/** The targets of the fuzzer, without one: on their seeds, and on damage that a seed draws. */
import { describe, expect, it } from "vitest";
import { seeds } from "./seeds.js";
import { targets } from "./targets.js";

const RUNS = 200;

describe("the targets of the fuzzer", () => {
  it.each(Object.entries(targets))("%s takes its seeds, and whatever becomes of them", (name, target) => {
    let state = 20261120;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const given = seeds[name]?.() ?? [];
    expect(given.length).toBeGreaterThan(0);
    for (const seed of given) {
      target(seed);
      for (let run = 0; run < RUNS / given.length; run++) {
        const bytes = seed.slice(0, below(4) === 0 ? below(seed.length) : seed.length);
        for (let i = below(4); i >= 0; i--) bytes[below(bytes.length)] = below(256);
        target(bytes);
      }
    }
    target(new Uint8Array(0));
  });

  it("has seeds of its own for each", () => {
    expect(Object.keys(seeds)).toEqual(Object.keys(targets));
  });
});
