/**
 * Promise 6: nothing from a file is trusted. No length is a bound before it is capped, no name is a path, no prototype key is
 * a field.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeQemuString8 } from "../../generated/qemu/stream.js";
import { VirtioDevCtxParser } from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { readDescription } from "../../src/streams/index.js";
import { loadSchema } from "../codegen/load.js";
import { inspectBytes } from "../inspect/inspect-bytes.js";
import { be, bytes, le } from "../streams/wire-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;
const KEYS = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

function expectCleanPrototypes(): void {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(({} as Record<string, unknown>)["isAdmin"]).toBeUndefined();
}

describe("a length", () => {
  it("reserves no more than has come", () => {
    const before = process.memoryUsage().arrayBuffers;
    const parser = new VirtioDevCtxParser(NET, {}, { maxUnit: Number.POSITIVE_INFINITY });
    parser.push(bytes(le(4, 0xffff_ffff), le(2, 1), [0, 0, 0, 0, 0, 0], le(8, 2n ** 52n), 1));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  it("of a description that nests without end overflows no stack", () => {
    for (const text of [
      "[".repeat(200_000),
      `{"a":${'{"a":'.repeat(100_000)}`,
      `"${"\\u0041".repeat(50_000)}`,
    ]) {
      expect(readDescription(bytes(text)).problem?.at).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("a name in a file", () => {
  it("is no key of a prototype, as text", () => {
    for (const key of KEYS) {
      expect(decodeQemuString8(bytes(key.length, key))).toEqual({ text: key });
    }
    expectCleanPrototypes();
  });

  it("is no key of a prototype, as the name of a section", () => {
    for (const key of KEYS) {
      // The header of the file, a section START of that name, a PART of it, another of an unknown number.
      const input = bytes(
        be(4, 0x5145564d),
        be(4, 3),
        [1, ...be(4, 1), key.length],
        key,
        be(4, 0),
        be(4, 1),
        [0x7e, ...be(4, 1), 2, ...be(4, 1), 0x7e, ...be(4, 1), 2, ...be(4, 77), 0],
      );
      const { summary, records } = inspectBytes(input, { kind: "qemu-stream", withFields: true });
      expect(summary.faultCount).toBeGreaterThan(0);
      expect(records.length).toBeGreaterThan(0);
    }
    expectCleanPrototypes();
  });

  it("is no key of a prototype, in a description", () => {
    for (const key of KEYS) {
      const text = `{"${key}": {"polluted": true, "isAdmin": true}, "page_size": 4096, "devices": [{"name": "${key}",
        "instance_id": 0, "vmsd_name": "${key}", "version": 1,
        "fields": [{"name": "${key}", "type": "${key}", "size": 4}]}]}`;
      readDescription(bytes(text));
    }
    expectCleanPrototypes();
  });

  it("is no path: what reads files' names never opens a file", () => {
    const rooms = ["runtime", "streams", "inspect", "schema", "codegen"].map(
      (room) => new URL(`../../src/${room}/`, import.meta.url),
    );
    const sources = rooms.flatMap((room) =>
      readdirSync(room, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => readFileSync(new URL(name, room), "utf8")),
    );
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.filter((text) => /from "node:|\brequire\(|\bprocess\.\w|\bimport\("/.test(text))).toEqual(
      [],
    );
  });
});

describe("a field of a schema", () => {
  it("is a property of its own, whatever it is called", async () => {
    const codecs = await loadSchema(`module test.names little;
struct tricky { u8 __proto__; u8 constructor; u8 prototype; u8 to_string; u8 value_of; u8 has_own_property; }
enum kind : u8 { constructor = 0, __proto__ = 1, toString = 2 }
struct named { kind kind; }`);
    const value = codecs["decodeTricky"](bytes(1, 2, 3, 4, 5, 6));
    expect(Object.values(value)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(codecs["encodeTricky"](value)).toEqual(bytes(1, 2, 3, 4, 5, 6));
    const names = [0, 1, 2, 3].map((number) => codecs["kindName"](number));
    expect(names).toEqual(["constructor", "__proto__", "toString", undefined]);
    expectCleanPrototypes();
  });

  it("cannot be given through a prototype", async () => {
    const codecs = await loadSchema(
      "module test.inherited little;\nstruct one { u8 a; if (a) u8 b; optional u8 c; }",
    );
    expect(codecs["encodeOne"]({ a: 0 })).toEqual(bytes(0));
    expect(() => codecs["encodeOne"]({ a: 1 })).toThrow(
      expect.objectContaining({ code: "missing", path: "b" }),
    );
  });
});
