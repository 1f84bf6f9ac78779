import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OverlapError, ordered, type Patch, Patcher } from "../../../src/inspect/edit/patch.js";

function patched(bytes: Uint8Array, patches: readonly Patch[], cuts: readonly number[]): number[] {
  const out: number[] = [];
  const patcher = new Patcher(ordered(patches), (piece) => out.push(...piece));
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // A buffer that is used again: what is lent must not be kept.
    const chunk = bytes.slice(from, cut);
    patcher.push(chunk);
    chunk.fill(0xaa);
    from = cut;
  }
  return out;
}

describe("a patched stream", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i);
  const patches: Patch[] = [
    { at: 30, size: 4, replace: (old) => Uint8Array.from(old, (byte) => 0xff - byte) },
    { at: 2, size: 3, replace: undefined },
    { at: 5, size: 2, replace: () => Uint8Array.of(200, 201, 202, 203) },
  ];

  it("differs where the patches are, and nowhere else", () => {
    expect(patched(bytes, patches, [])).toEqual([
      0,
      1,
      200,
      201,
      202,
      203,
      ...Array.from({ length: 23 }, (_, i) => i + 7),
      225,
      224,
      223,
      222,
      ...Array.from({ length: 6 }, (_, i) => i + 34),
    ]);
  });

  it("is the same however the input is cut", () => {
    const whole = patched(bytes, patches, []);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), (cuts) => {
        expect(
          patched(
            bytes,
            patches,
            [...cuts].sort((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
    );
  });

  it("refuses two changes of the same byte", () => {
    expect(() => ordered([...patches, { at: 6, size: 1, replace: undefined }])).toThrow(OverlapError);
  });
});
