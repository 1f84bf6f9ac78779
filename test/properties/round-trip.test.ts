/** Decoding and encoding of random messages of random schemas, against the reference encoder. */
import { describe, expect, it } from "vitest";
import { Reader } from "../../src/runtime/index.js";
import { canonical, thrownBy } from "./canonical.js";
import { everyMessage } from "./drawn.js";

describe("a valid message of a random schema", () => {
  it("is decoded to its value", () =>
    everyMessage(({ decode }, { bytes, value }) => {
      expect(canonical(decode(bytes))).toBe(canonical(value));
    }));

  it("is encoded to its bytes, of which sizeof tells the number", () =>
    everyMessage(({ encode, sizeof }, { bytes, value }) => {
      expect(canonical(encode(value))).toBe(canonical(bytes));
      expect(sizeof(value)).toBe(bytes.length);
    }));

  it("survives decoding and encoding", () =>
    everyMessage(({ encode, decode, sizeof }, { bytes }) => {
      const value = decode(bytes);
      expect(canonical(encode(value))).toBe(canonical(bytes));
      expect(sizeof(value)).toBe(bytes.length);
    }));

  it("passes the check", () =>
    everyMessage(({ check }, { bytes }) => {
      expect(check(bytes)?.message).toBeUndefined();
    }));

  it("is decoded the same from the middle of other bytes, which are never looked at", () =>
    everyMessage(({ decode, check, view }, { bytes }, { greedy }) => {
      const alone = canonical(decode(bytes));
      for (const canary of [0x00, 0xff]) {
        const around = new Uint8Array(bytes.length + 64).fill(canary);
        around.set(bytes, 32);
        const inside = around.subarray(32, 32 + bytes.length);
        expect(canonical(decode(inside))).toBe(alone);
        expect(check(inside)).toBeUndefined();
        if (greedy) continue;
        // A reader goes on where the message ends, whatever follows.
        const reader = new Reader(around.subarray(32));
        expect(canonical(decode(reader))).toBe(alone);
        expect(reader.at).toBe(bytes.length);
        expect(view(around, 32).$end).toBe(32 + bytes.length);
      }
    }));

  it("is refused with a byte too many, if it knows where it ends", () =>
    everyMessage(({ decode, check }, { bytes }, { greedy }) => {
      if (greedy) return;
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      const thrown = thrownBy(() => decode(longer));
      expect(thrown).toContain(`trailing path= offset=${bytes.length} `);
      expect(thrownBy(() => raise(check(longer)))).toBe(thrown);
    }));
});

function raise(error: Error | undefined): void {
  if (error !== undefined) throw error;
}
