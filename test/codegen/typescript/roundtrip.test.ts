import { beforeAll, describe, expect, it } from "vitest";
import { Reader, WireError, Writer } from "../../../src/runtime/index.js";
import { fenced, toHex } from "../bytes.js";
import { type Loaded, loadSchema } from "../load.js";
import { samples } from "./schemas.js";

describe.each(Object.entries(samples))("%s", (_, { schema, type, args = [], value, bytes }) => {
  let module: Loaded;
  beforeAll(async () => {
    module = await loadSchema(schema);
  });
  const call = (verb: string, ...first: unknown[]): unknown => module[verb + type](...first, ...args);

  it("decodes", () => {
    expect(call("decode", fenced(bytes))).toStrictEqual(value);
  });

  it("encodes into exactly what it takes", () => {
    const encoded = call("encode", value) as Uint8Array;
    expect(toHex(encoded)).toBe(toHex(bytes));
    expect(call("sizeof", value)).toBe(bytes.length);
    expect(encoded.buffer.byteLength).toBe(bytes.length);
  });

  it("writes behind what is there, also in memory that is too small", () => {
    const writer = new Writer(1);
    writer.put(Uint8Array.of(0x77));
    call("write", writer, value);
    expect(toHex(writer.written())).toBe(`77${toHex(bytes)}`);
  });

  it("is found sound in place", () => {
    expect(call("check", fenced(bytes))).toBeUndefined();
    const reader = new Reader(fenced(bytes));
    expect(call("scan", reader)).toBe(true);
    expect(reader).toMatchObject({ at: bytes.length, end: bytes.length, depth: 0 });
  });

  it("says the same of every prefix, whoever is asked", () => {
    for (let length = 0; length < bytes.length; length++) {
      const prefix = fenced(bytes.slice(0, length));
      const found = call("check", prefix);
      const decoded = outcome(() => call("decode", prefix));
      if (found === undefined) expect(decoded).not.toBeInstanceOf(WireError);
      else expect(decoded).toEqual(found);
    }
  });

  it("says the same of every damaged byte, whoever is asked, and keeps what it accepts", () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const damage of [0x01, 0x80, 0xff]) {
        const damaged = fenced(bytes.slice());
        damaged[at] = (damaged[at] ?? 0) ^ damage;
        const found = call("check", damaged);
        const decoded = outcome(() => call("decode", damaged));
        if (found === undefined) expect(toHex(call("encode", decoded) as Uint8Array)).toBe(toHex(damaged));
        else expect(decoded).toEqual(found);
      }
    }
  });
});

function outcome(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}
