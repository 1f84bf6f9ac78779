/** Push parsers of random schemas: however the input is cut, the handler hears the same, and it is what decode gives. */
import { describe, expect, it } from "vitest";
import { canonical, faultText } from "./canonical.js";
import { type Codec, everyMessage, type Handler } from "./drawn.js";
import { merged } from "./lent.js";
import { Noise } from "./noise.js";

interface Heard {
  /** Each call as text. */
  readonly calls: readonly string[];
  readonly values: ReadonlyMap<string, unknown>;
  readonly error: string | undefined;
}

/** Feeds the bytes, cut at the given places. */
function listen(
  { parser: make }: Codec,
  bytes: Uint8Array,
  cuts: readonly number[],
  lendAbove?: number,
): Heard {
  const calls: string[] = [];
  const values = new Map<string, unknown>();
  const handler: Handler = new Proxy<Handler>(
    {},
    {
      get: (_, name) => {
        const method = String(name);
        return (...args: readonly unknown[]) => {
          calls.push(`${method}(${args.map(canonical).join(", ")})`);
          // Elements come one by one, with their index.
          if (args.length < 4) values.set(method, args[0]);
          else values.set(method, [...((values.get(method) as unknown[] | undefined) ?? []), args[0]]);
        };
      },
    },
  );
  let error: string | undefined;
  try {
    const parser = make(handler, lendAbove === undefined ? {} : { lendAbove });
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      // What was handed out must not depend on memory that the caller uses again.
      const chunk = bytes.slice(from, to);
      parser.push(chunk);
      from = to;
    }
    parser.finish();
  } catch (thrown) {
    error = faultText(thrown);
  }
  return { calls, values, error };
}

function splitsOf(bytes: Uint8Array): number[][] {
  const every = Array.from({ length: Math.max(0, bytes.length - 1) }, (_, i) => i + 1);
  const noise = new Noise(bytes);
  const splits = bytes.length <= 40 ? every.map((cut) => [cut]) : [];
  splits.push(
    every,
    every.filter((cut) => cut % 3 === 0),
    [0, 0, ...every.slice(0, 1)],
  );
  for (let i = 0; i < 6; i++) splits.push(every.filter(() => noise.below(6) === 0));
  return splits;
}

describe("a push parser of a random schema", () => {
  it("gives what decode gives", () =>
    everyMessage((codec, { bytes }) => {
      const { values, error } = listen(codec, bytes, []);
      expect(error).toBeUndefined();
      for (const [name, value] of Object.entries(codec.decode(bytes) as object)) {
        if (value === undefined || isCase(value) || (Array.isArray(value) && value.length === 0)) continue;
        // A case may have taken the name before.
        const heard = [values.get(name), values.get(`${name}$`), values.get(`${name}$$`)];
        expect(heard.map(canonical)).toContain(canonical(value));
      }
    }));

  it("says the same however the input is cut", () =>
    everyMessage((codec, { bytes }) => {
      const whole = listen(codec, bytes, []);
      for (const cuts of splitsOf(bytes)) expect(listen(codec, bytes, cuts), `cut at ${cuts}`).toEqual(whole);
    }));

  it("says the same of damaged input however it is cut", () =>
    everyMessage((codec, { bytes }) => {
      const noise = new Noise(bytes);
      for (let round = 0; round < 3; round++) {
        const spoilt = noise.spoil(bytes);
        const whole = listen(codec, spoilt, []);
        for (const cuts of splitsOf(spoilt).slice(-8)) {
          const heard = listen(codec, spoilt, cuts);
          expect(heard.error, `cut at ${cuts}`).toBe(whole.error);
          expect(merged(heard.calls), `cut at ${cuts}`).toEqual(merged(whole.calls));
        }
      }
    }));

  it("lends payloads whose pieces make up the whole", () =>
    everyMessage((codec, { bytes }) => {
      const whole = listen(codec, bytes, [], 0);
      expect(whole.error).toBeUndefined();
      for (const cuts of splitsOf(bytes)) {
        const heard = listen(codec, bytes, cuts, 0);
        expect(heard.error).toBeUndefined();
        expect(merged(heard.calls), `cut at ${cuts}`).toEqual(merged(whole.calls));
      }
    }));
});

function isCase(value: unknown): value is { readonly case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && Object.keys(value).join() === "case,value";
}
