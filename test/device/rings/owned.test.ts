import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OwnedBuffers } from "../../../src/device/rings/owned.js";
import { seed } from "../../properties/drawn.js";

describe("the buffers that a device has", () => {
  it("are a set in the order in which they were taken, whatever their ids", () => {
    const id = fc.oneof(fc.nat(7), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), id)), (steps) => {
        const owned = new OwnedBuffers(4);
        const model = new Set<number>();
        for (const [isTaken, id] of steps) {
          expect(owned.has(id)).toBe(model.has(id));
          if (isTaken && !model.has(id)) {
            owned.add(id);
            model.add(id);
          } else if (!isTaken) {
            owned.delete(id);
            model.delete(id);
          }
        }
        expect(owned.ids).toEqual([...model]);
      }),
      { seed },
    );
  });
});
