import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type QemuEvent, QemuStreamParser } from "../../../src/streams/index.js";

const NAME = new URL("../../captures/microvm-mapped-ram-at-4096.bin.gz", import.meta.url);
const ORIGIN = 4096;
const STREAM = new Uint8Array(gunzipSync(readFileSync(NAME))).subarray(ORIGIN);

/** By the headers in the file: behind each bitmap, up to the end of the pages. Offsets are those of the stream. */
const UNSEEN = [
  { from: 140 + 4194304 / 4096 / 8, to: 1044480 + 4194304 },
  { from: 5238828 + 8, to: 6287360 + 65536 },
] as const;
/** The record that lists the blocks, up to the end of the first bitmap. */
const HEADER = { from: 67, to: UNSEEN[0].from } as const;

interface Read {
  readonly events: readonly QemuEvent[];
  readonly blocks: readonly unknown[];
  /** How many bytes were pushed. */
  readonly pushed: number;
}

function read(
  input: Uint8Array,
  step: number,
  skip: (parser: QemuStreamParser, left: number) => number,
): Read {
  const events: QemuEvent[] = [];
  const parser = new QemuStreamParser((event) => events.push(structuredClone(event)), { origin: ORIGIN });
  let pushed = 0;
  for (let at = 0; at < input.length; ) {
    const chunk = input.subarray(at, at + step);
    parser.push(chunk);
    pushed += chunk.length;
    at += chunk.length;
    at += skip(parser, input.length - at);
  }
  parser.end();
  return { events, blocks: [...parser.ram.blocks.values()], pushed };
}

function asPipe(input: Uint8Array): Read {
  return read(input, 1 << 18, () => 0);
}

function asFile(input: Uint8Array, step: number): Read {
  return read(input, step, (parser, left) => parser.skip(left));
}

function expectSame(input: Uint8Array, step: number): void {
  const { events, blocks } = asPipe(input);
  const file = asFile(input, step);
  expect(file.events).toEqual(events);
  expect(file.blocks).toEqual(blocks);
}

describe("passing over the pages of a mapped-ram file", () => {
  it.each([64, 4096, 1 << 18])("gives the same events, in chunks of %i", (step) => {
    expectSame(STREAM, step);
    const { events, pushed } = asFile(STREAM, step);
    expect(events.filter(({ kind }) => kind === "fault")).toEqual([]);
    // What is left to read is what the parser looks at, and what the chunks reach beyond it.
    const unseen = UNSEEN.reduce((sum, { from, to }) => sum + to - from, 0);
    expect(STREAM.length - pushed).toBeLessThanOrEqual(unseen);
    expect(STREAM.length - pushed).toBeGreaterThan(unseen - UNSEEN.length * step);
  });

  const places = [
    HEADER.from + 40,
    HEADER.to - 1,
    ...UNSEEN.flatMap(({ from, to }) => [from, from + 1, to - 1, to, to + 1]),
    1044480,
    3_000_000,
    STREAM.length - 11_000,
    STREAM.length - 1,
  ];
  it.each(places)("gives the same events of a file cut at %i", (place) => {
    const input = STREAM.subarray(0, place);
    expect(asPipe(input).events.some(({ kind }) => kind === "fault" || kind === "eof")).toBe(true);
    expectSame(input, 64);
    expectSame(input, 4096);
  });

  it.each([
    ["size of pages", 20, 0x80],
    ["place of the pages", 3, 0x21],
    ["place of the pages, beyond the end", 6, 0x01],
    ["bitmap", -1, 0xff],
  ] as const)("gives the same events when this is damaged: %s", (_, distance, byte) => {
    const input = STREAM.slice();
    input[140 - distance] = byte;
    expectSame(input, 4096);
  });

  it("gives the same events whatever bit of the header or the bitmap is damaged", () => {
    const place = fc.integer({ min: HEADER.from, max: HEADER.to - 1 });
    // Cut among the pages: damage of some of the fields has all that follows looked through.
    const cut = STREAM.subarray(0, 40_000);
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const input = cut.slice();
        input[at] = (input[at] ?? 0) ^ (1 << bit);
        expectSame(input, 512);
      }),
      { numRuns: 30 },
    );
  });

  it("goes no further than it is allowed, and only where pages are", () => {
    const [{ from, to }] = UNSEEN;
    const parser = new QemuStreamParser(() => {}, { origin: ORIGIN });
    expect(parser.skip(100)).toBe(0);
    parser.push(STREAM.subarray(0, from - 1));
    expect(parser.skip(100)).toBe(0);
    parser.push(STREAM.subarray(from - 1, from));
    expect(parser.skip(0)).toBe(0);
    expect(parser.skip(100)).toBe(100);
    expect(parser.skip(Number.POSITIVE_INFINITY)).toBe(to - from - 100);
    expect(parser.skip(100)).toBe(0);
  });
});
