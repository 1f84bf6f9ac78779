import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../../src/runtime/index.js";
import { LzopParser } from "../../../src/streams/index.js";
import { be, bytes } from "../wire-bytes.js";

const capture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../captures/${name}`, import.meta.url)));
const PLAIN = capture("x86-q35-multifd-main.bin");
/** Three members: Adler-32; CRC-32 and LZO1X-999; no checksums of blocks. */
const LZOP = capture("x86-q35-multifd-main.bin.lzo");
const [FIRST, SECOND] = [2619, 674];

function unpacked(input: Uint8Array, step = input.length) {
  const parts: Uint8Array[] = [];
  const faults: Fault[] = [];
  const parser = new LzopParser({
    data: (part) => parts.push(part.slice()),
    fault: (fault) => faults.push(fault),
  });
  for (let at = 0; at < input.length; at += step) parser.push(input.subarray(at, at + step));
  parser.end();
  return { content: Buffer.concat(parts), faults };
}

describe("a file of lzop", () => {
  it("is unpacked, all members of it, however it is cut", () => {
    for (const step of [LZOP.length, 4096, 61, 1]) {
      const { content, faults } = unpacked(LZOP, step);
      expect(faults).toEqual([]);
      expect(content.equals(PLAIN)).toBe(true);
    }
  });

  it("gives nothing that is wrong where checksums are there, whatever byte is another", () => {
    const checked = LZOP.subarray(0, FIRST + SECOND);
    const whole = unpacked(checked).content;
    for (let at = 0; at < checked.length; at++) {
      const input = checked.slice();
      input[at] = (input[at] ?? 0) ^ (1 << (at % 8));
      const { content, faults } = unpacked(input);
      expect(content.equals(whole.subarray(0, content.length)), `byte ${at}`).toBe(true);
      // LZO can say the same in many ways, and a block's own bytes have no checksum by default.
      if (content.length < whole.length) expect(faults, `byte ${at}`).toHaveLength(1);
    }
  });

  it("says so wherever it is cut, unless a member ends there", () => {
    for (let size = 0; size < LZOP.length; size += size < 4000 ? 1 : 97) {
      const { faults } = unpacked(LZOP.subarray(0, size), 1000);
      if (size === FIRST || size === FIRST + SECOND) expect(faults).toEqual([]);
      else expect(faults, `cut at ${size}`).toMatchObject([{ code: "truncated" }]);
    }
  });

  const HEAD = LZOP.slice(0, 9);
  /** Headers whose checksum does not count yet: it is refused before. */
  const header = (method: number, flags: number) =>
    bytes(
      be(2, 0x1040),
      be(2, 0x20a0),
      be(2, 0x0940),
      method,
      5,
      be(4, flags),
      flags & (1 << 11) ? be(4, 1) : [],
      be(4, 0),
      be(4, 0),
      be(4, 0),
      0,
    );
  /** RFC 1950, 8.2. */
  const adler = (content: Uint8Array) => {
    let [low, high] = [1, 0];
    for (const byte of content) {
      low = (low + byte) % 65521;
      high = (high + low) % 65521;
    }
    return be(4, high * 65536 + low);
  };
  const sound = (flags: number, ...blocks: (number | readonly number[] | string)[]) =>
    bytes(HEAD, header(1, flags), adler(header(1, flags)), ...blocks);

  it("may have blocks that are there as they were", () => {
    const { content, faults } = unpacked(sound(0, be(4, 5), be(4, 5), "hello", be(4, 0)));
    expect([content.toString(), faults]).toEqual(["hello", []]);
    // Of a block that did not get smaller there is one checksum.
    const both = sound(3, be(4, 5), be(4, 5), adler(bytes("hello")), "hello", be(4, 0));
    expect(unpacked(both)).toMatchObject({ faults: [] });
  });

  it("may have an extra field, which has a checksum of its own", () => {
    const field = bytes(be(4, 3), "abc");
    const input = (checksum: readonly number[]) =>
      sound(1 << 6, [...field], checksum, be(4, 2), be(4, 2), "hi", be(4, 0));
    expect(unpacked(input(adler(field))).content.toString()).toBe("hi");
    expect(unpacked(input(be(4, 1))).faults).toMatchObject([
      { code: "constraint", path: "members[0].header.extra_field.checksum" },
    ]);
  });

  it.each([
    ["a method that there is not", bytes(HEAD, header(0x80, 0)), "members[0].header.method"],
    ["a filter", sound(1 << 11), "members[0].header.flags"],
    ["a block that got larger", sound(0, be(4, 5), be(4, 6)), "members[0].blocks[0].src_len"],
    ["a block of no bytes", sound(0, be(4, 5), be(4, 0)), "members[0].blocks[0].src_len"],
    ["a block beyond the cap", sound(0, be(4, (64 << 20) + 1)), "members[0].blocks[0].dst_len"],
    ["the first part of a file that was split", sound(0, be(4, 0xffffffff)), "members[0].blocks[0].dst_len"],
    ["what is no member behind one", sound(0, be(4, 0), "rubbish, more of it"), "members[1].header.first"],
  ])("is refused with %s", (_, input, path) => {
    expect(unpacked(bytes(input, Array<number>(40).fill(0))).faults).toMatchObject([{ path }]);
  });

  it("takes no memory for what a block only claims", () => {
    const before = process.memoryUsage().arrayBuffers;
    const parser = new LzopParser({ data: () => {}, fault: () => {} });
    parser.push(sound(0, be(4, 64 << 20), be(4, (64 << 20) - 1), Array<number>(5000).fill(1)));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20);
  });
});
