/** The base of views under a view made by hand: whose memory it is, and where it ends. */
import { describe, expect, it } from "vitest";
import { Reader, type Source, View } from "../../src/runtime/index.js";

/** Two bytes, the second of which is not to be zero. */
class Two extends View {
  constructor(source: Source, at = 0) {
    super(source);
    this.moveTo(at);
  }

  override moveTo(at: number): this {
    const reader = this.$aim(at);
    if (!this.$holds(at, 2)) {
      reader.lacks("second", at, 2, "two.wire", 1);
      throw this.$refused();
    }
    this.$at = at;
    this.$end = at + 2;
    return this;
  }

  get first(): number {
    return this.$view.getUint8(this.$at);
  }

  /** A view of the second byte and what follows it, up to `end`. */
  behind(end: number): Two {
    return new Two(this.$within(end), this.$at + 1);
  }

  bytes(): Uint8Array {
    return this.$bytes(this.$at, this.$end);
  }

  wide(at: number): number {
    return this.$u64(at, true, "wide", "two.wire", 2);
  }
}

describe("a view", () => {
  it("shares the memory, whatever it is given", () => {
    const memory = new Uint8Array([9, 1, 2, 3]);
    const sources = [memory.subarray(1), new DataView(memory.buffer, 1), new Reader(memory.subarray(1))];
    for (const source of sources) {
      const view = new Two(source);
      memory[1] = 7;
      expect(view.first).toBe(7);
      view.bytes()[0] = 1;
      expect(memory[1]).toBe(1);
    }
    expect(new Two(memory.buffer, 1).first).toBe(1);
  });

  it("uses the DataView of the reader that it is given, and so do the views inside it", () => {
    const reader = new Reader(Uint8Array.of(1, 2, 3, 4));
    const view = new Two(reader);
    expect(view.$view).toBe(reader.view);
    expect(view.behind(4).$view).toBe(reader.view);
  });

  it("ends where its source ends, or where the view around it says", () => {
    const memory = Uint8Array.of(1, 2, 3, 4);
    expect(() => new Two(memory.subarray(0, 3), 2)).toThrow("truncated: second at 0x2: needs 2 bytes, has 1");
    const reader = new Reader(memory);
    reader.end = 3;
    expect(() => new Two(reader, 2)).toThrow("has 1");
    const outer = new Two(memory);
    expect(outer.behind(3).first).toBe(2);
    expect(() => outer.behind(2)).toThrow("has 1");
    expect(() => outer.behind(3).moveTo(2)).toThrow("has 1");
    expect(outer.moveTo(2).first).toBe(3);
  });

  it("is not aimed at what is no index", () => {
    const view = new Two(new Uint8Array(8), 4);
    for (const at of [-2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => view.moveTo(at)).toThrow(RangeError);
      expect([view.$at, view.$end]).toEqual([4, 6]);
    }
  });

  it("says so when 64 bits have become too many for a number", () => {
    const memory = new Uint8Array(8);
    const view = new Two(memory);
    memory.fill(0xff, 0, 7);
    expect(() => view.wide(0)).toThrow("range: wide at 0x0 (two.wire:2)");
    memory.fill(0, 6);
    expect(view.wide(0)).toBe(0xffff_ffff_ffff);
  });
});
