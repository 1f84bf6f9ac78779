/**
 * That checks and the fields of views allocate nothing, once they are compiled: a program can look at every message of a
 * busy queue and leave its garbage collector alone.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** Large enough that nothing is collected while a child measures: what is allocated stays to be seen. */
const NO_COLLECTION = ["--min-semi-space-size=256", "--max-semi-space-size=256"];
const child = fileURLToPath(new URL("allocation/child.ts", import.meta.url));
const measured = JSON.parse(
  execFileSync(process.execPath, ["--import", "tsx", ...NO_COLLECTION, child], { encoding: "utf8" }),
) as Record<string, number>;
const { decodeTwelveWords: control, ...work } = measured;

describe("in bytes a call", () => {
  it("decoding is seen to allocate", () => {
    expect(control).toBeGreaterThan(50);
  });

  it.each(Object.entries(work))("%s allocates nothing", (_, bytes) => {
    // The smallest thing on the heap has 16 bytes; the rest is what the measurement itself leaves behind.
    expect(bytes).toBeLessThan(1);
  });
});
