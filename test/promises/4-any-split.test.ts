/**
 * Promise 4: any split of the input gives the same events and the same error as one piece. What a parser retains is bounded;
 * large payloads are lent as slices, not copied.
 */
import { describe, expect, it } from "vitest";
import { VirtiovfRecordsParser } from "../../generated/vfio/virtio-stream.js";
import { VirtioDevCtxParser } from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { canonical } from "../properties/canonical.js";
import { merged } from "../properties/lent.js";
import { bytes, le } from "../streams/wire-bytes.js";
import { listener, pushed, thrownBy } from "./faults.js";
import { type Message, messages } from "./messages.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;
const streams = messages.filter(({ parser }) => parser !== undefined);

/** What the handler was told. It is written down at the end: what was handed out must not change any more. */
function heard({ parser }: Message, input: Uint8Array, cuts: readonly number[]): string[] {
  const calls: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  const made = parser?.(listener((name, args) => calls.push({ name, args })));
  const error = thrownBy(() => {
    let from = 0;
    for (const to of [...cuts, input.length]) {
      made?.push(input.slice(from, to));
      from = to;
    }
    made?.finish();
  });
  const texts = calls.map(({ name, args }) => `${name}(${args.map(canonical).join(", ")})`);
  return merged(error === undefined ? texts : [...texts, error]);
}

const everywhere = (length: number): number[] => Array.from({ length: length - 1 }, (_, i) => i + 1);

describe("a push parser of", () => {
  it.each(streams)("$name says the same wherever it is cut in two, and byte by byte", (message) => {
    const whole = heard(message, message.bytes, []);
    expect(whole.length).toBeGreaterThan(1);
    for (const cut of everywhere(message.bytes.length))
      expect(heard(message, message.bytes, [cut])).toEqual(whole);
    expect(heard(message, message.bytes, everywhere(message.bytes.length))).toEqual(whole);
    expect(heard(message, message.bytes, [0, 0, 1, 1])).toEqual(whole);
  });

  it.each(streams)("$name says the same of damaged bytes", (message) => {
    for (let at = 0; at < message.bytes.length; at++) {
      const damaged = message.bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      const whole = heard(message, damaged, []);
      expect(heard(message, damaged, everywhere(damaged.length)), `byte ${at}`).toEqual(whole);
      expect(heard(message, damaged, [at, at + 1]), `byte ${at}`).toEqual(whole);
    }
  });

  it.each(streams)("$name throws the same error again", (message) => {
    const made = message.parser?.(listener(() => {}));
    const cut = message.bytes.subarray(0, message.bytes.length - 1);
    made?.push(cut);
    const first = thrownBy(() => made?.finish());
    expect(first).toBe(pushed(message, cut));
    expect(thrownBy(() => made?.push(cut))).toBe(first);
    expect(thrownBy(() => made?.finish())).toBe(first);
  });
});

describe("what a parser retains", () => {
  const MiB = 1024 * 1024;

  it("is nothing of a payload that is lent, however long it is", () => {
    const size = 64 * MiB;
    const chunk = new Uint8Array(64 * 1024).fill(7);
    let lent = 0;
    let foreign = 0;
    const parser = new VirtiovfRecordsParser(NET, {
      recordsBegin: () => {},
      recordsData: (slice) => {
        lent += slice.length;
        if (slice.buffer !== chunk.buffer) foreign++;
      },
      recordsEnd: () => {},
    });
    // An unknown record that may be skipped.
    parser.push(bytes(le(8, size), le(4, 1), le(4, 9)));
    const before = process.memoryUsage().arrayBuffers;
    for (let sent = 0; sent < size; sent += chunk.length) parser.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MiB);
    parser.finish();
    expect(lent).toBe(size);
    expect(foreign).toBe(0);
  });

  it("is at most the largest unit that the caller allows", () => {
    const maxUnit = 64 * 1024;
    const parser = new VirtioDevCtxParser(NET, {}, { maxUnit });
    const head = bytes(le(4, 1), le(2, 1), [0, 0, 0, 0, 0, 0], le(8, 2 * maxUnit));
    expect(() => parser.push(head)).toThrow(expect.objectContaining({ code: "limit" }));
  });

  it("is no more than has come, whatever a length claims", () => {
    const before = process.memoryUsage().arrayBuffers;
    const parsers = Array.from({ length: 64 }, () => {
      const parser = new VirtioDevCtxParser(NET, {});
      parser.push(bytes(le(4, 1), le(2, 1), [0, 0, 0, 0, 0, 0], le(8, 8 * MiB), 1, 2, 3));
      return parser;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MiB);
    expect(parsers.every((parser) => !parser.done)).toBe(true);
  });
});
