import { describe, expect, it } from "vitest";
import { applyChanges } from "../../../../src/streams/qemu/ram-image/changes.js";

/** What QEMU's xbzrle_decode_buffer makes of the same bytes, followed by hand. */
function applied(data: readonly number[], size = 16): number[] | undefined {
  const page = new Uint8Array(size).fill(0xee);
  return applyChanges(page, Uint8Array.from(data)) ? [...page] : undefined;
}

describe("XBZRLE", () => {
  it("overwrites the runs that changed and keeps the rest", () => {
    const page = applied([3, 2, 1, 2, 4, 1, 9]);
    expect(page).toEqual([0xee, 0xee, 0xee, 1, 2, 0xee, 0xee, 0xee, 0xee, 9, ...new Array(6).fill(0xee)]);
    expect(applied([])).toEqual(new Array(16).fill(0xee));
    expect(applied([0, 1, 7])?.[0]).toBe(7);
  });

  it("reads lengths of 14 bits", () => {
    // 0x81 0x1f: 1 + 31 × 128 = 3969.
    const page = applied([0x81, 0x1f, 2, 5, 6], 4096);
    expect(page?.slice(3968, 3972)).toEqual([0xee, 5, 6, 0xee]);
  });

  it.each([
    ["a run of no bytes", [3, 0, 1]],
    ["a second run that keeps nothing", [0, 1, 7, 0, 1, 7]],
    ["a run past the end of the page", [15, 2, 1, 2]],
    ["fewer bytes than the run has", [0, 3, 1, 2]],
    ["a length that is cut", [0x81]],
    ["a length of more than 14 bits", [0x81, 0x80, 1, 1]],
    ["nothing behind what is kept", [4]],
  ])("refuses %s", (_, data) => {
    expect(applied(data)).toBeUndefined();
  });
});
