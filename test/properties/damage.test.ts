/**
 * What is wrong with bytes is said in the same way by decode, check, view and push parser: messages cut short, spoilt in
 * a way that the model knows the answer to, and bytes that mean nothing.
 */
import { describe, expect, it } from "vitest";
import { Reader, WireError } from "../../src/runtime/index.js";
import { canonical, faultText, thrownBy } from "./canonical.js";
import { type Codec, everyMessage } from "./drawn.js";
import { cutsOf, Noise } from "./noise.js";

const DEAF = new Proxy({}, { get: () => () => {} });

/** What decode throws, which all others must say, too. */
function refusal(codec: Codec, bytes: Uint8Array): string | undefined {
  const thrown = thrownBy(() => codec.decode(bytes));
  const found = codec.check(bytes);
  expect(found === undefined ? undefined : faultText(found), "check").toBe(thrown);
  // A view is of what begins somewhere: what follows is none of its business.
  const trailing = thrown?.startsWith("trailing path= ") === true;
  expect(
    thrownBy(() => codec.view(bytes)),
    "view",
  ).toBe(trailing ? undefined : thrown);
  const pushed = pushedRefusal(codec, bytes);
  if (pushed === thrown) return thrown;
  // A parser does not wait for the end of what was announced when it sees before that something is wrong.
  const early = `push: ${pushed}, decode: ${thrown}`;
  expect(thrown, early).toMatch(/^(truncated|overrun) /);
  const more = missing(thrown);
  if (thrown?.startsWith("truncated") === true && more < 1 << 20) {
    // The others say so as well once the rest has come, whatever that is.
    const completed = new Uint8Array(bytes.length + more);
    completed.set(bytes);
    const late = thrownBy(() => codec.decode(completed));
    if (pushed === late) return thrown;
    expect(late, early).toMatch(/^overrun /);
    expect(offsetOf(pushed), early).toBeLessThan(offsetOf(late));
  } else if (thrown?.startsWith("overrun") === true) {
    // They see at once that a range does not hold a whole number of elements; a parser sees the elements first.
    expect(offsetOf(pushed), early).toBeLessThan(offsetOf(thrown));
  }
  return thrown;
}

function offsetOf(thrown: string | undefined): number {
  return Number(/ offset=(\d+) /.exec(thrown ?? "")?.[1]);
}

function pushedRefusal(codec: Codec, bytes: Uint8Array): string | undefined {
  return thrownBy(() => {
    const parser = codec.parser(DEAF, { maxUnit: Number.POSITIVE_INFINITY });
    parser.push(bytes);
    parser.finish();
  });
}

/** How many bytes more there should have been. */
function missing(thrown: string | undefined): number {
  const [, need, had] = /^truncated .* need=(\d+) had=(\d+)$/.exec(thrown ?? "") ?? [];
  return Number(need ?? 0) - Number(had ?? 0);
}

describe("bytes of random schemas", () => {
  it("that end too early are truncated, if the message knows where it ends", () =>
    everyMessage((codec, { bytes }, { greedy }) => {
      if (greedy) return;
      for (const cut of cutsOf(bytes.length)) {
        const prefix = bytes.subarray(0, cut);
        const thrown = refusal(codec, prefix);
        expect(thrown, `cut at ${cut}`).toMatch(/^truncated path=.+ need=\d+ had=\d+$/);
        expect(pushedRefusal(codec, prefix), `cut at ${cut}`).toBe(thrown);
      }
    }));

  it("that end too early are a shorter value or an error, if the message goes on to the end", () =>
    everyMessage((codec, { bytes }, { greedy }) => {
      if (!greedy) return;
      for (const cut of cutsOf(bytes.length)) {
        const prefix = bytes.subarray(0, cut);
        const thrown = refusal(codec, prefix);
        if (thrown === undefined)
          expect(canonical(codec.encode(codec.decode(prefix)))).toBe(canonical(prefix));
      }
    }));

  it("that break one rule are refused for just that", () =>
    everyMessage((codec, { bytes, flaws }) => {
      for (const flaw of flaws.filter(({ code }) => code !== "reserved")) {
        const spoilt = bytes.slice();
        spoilt.set(flaw.bytes, flaw.at);
        const thrown = refusal(codec, spoilt);
        if (flaw.code === "count") expect(thrown).toMatch(/^(truncated|overrun|range) path=.+ offset=/);
        else
          expect(thrown, JSON.stringify(flaw)).toContain(
            `${flaw.code} path=${flaw.path} offset=${flaw.offset ?? flaw.at} `,
          );
      }
    }));

  it("that use what is reserved are refused by strict readers only", () =>
    everyMessage((codec, { bytes, flaws }) => {
      const strict = (): Reader => new Reader(bytes, { strict: true });
      const thrown = thrownBy(() => codec.decode(strict()));
      const used = flaws.filter(({ code }) => code === "reserved");
      const places = used.map(({ path, offset, at }) => `${path} offset=${offset ?? at}`);
      if (used.length === 0) expect(thrown).toBeUndefined();
      else expect(places).toContain(/^reserved path=(.*) need=undefined /.exec(thrown ?? "")?.[1]);
      const found = codec.check(strict());
      expect(found === undefined ? undefined : faultText(found)).toBe(thrown);
      expect(thrownBy(() => codec.view(strict()))).toBe(thrown);
      const pushed = thrownBy(() => {
        const parser = codec.parser(DEAF, { strict: true });
        parser.push(bytes);
        parser.finish();
      });
      expect(pushed).toBe(thrown);
    }));

  it("that are spoilt anywhere are a value with those very bytes, or a WireError", () =>
    everyMessage((codec, { bytes }) => {
      const noise = new Noise(bytes);
      for (let round = 0; round < 8; round++) {
        const spoilt = noise.spoil(bytes);
        let value: unknown;
        try {
          value = codec.decode(spoilt);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
          refusal(codec, spoilt);
          continue;
        }
        expect(refusal(codec, spoilt)).toBeUndefined();
        expect(canonical(codec.encode(value))).toBe(canonical(spoilt));
      }
    }));
});
