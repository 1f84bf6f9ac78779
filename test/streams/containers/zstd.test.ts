import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import xxhash from "xxhash-wasm";
import { type ZstdEvent, ZstdFrames, ZstdUnpacker } from "../../../src/streams/index.js";
import { bytes, le } from "../wire-bytes.js";

const capture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../captures/${name}`, import.meta.url)));
const PLAIN = capture("x86-q35-multifd-main.bin");
const ZSTD = capture("x86-q35-multifd-main.bin.zst");
const { create64 } = await xxhash();

interface Unpacked {
  readonly content: Buffer;
  /** What is wrong: code and path of a fault of the frames, or what the decoder says. */
  readonly wrong: readonly string[];
}

function unpacked(input: Uint8Array, step = input.length): Unpacked {
  const parts: Uint8Array[] = [];
  const wrong: string[] = [];
  const unpacker = new ZstdUnpacker(
    (part) => parts.push(part.slice()),
    () => create64(),
  );
  const frames = new ZstdFrames((event) => {
    if (wrong.length > 0) return;
    if (event.kind === "fault") wrong.push(`${event.fault.code} ${event.fault.path}`);
    else
      try {
        unpacker.event(event);
      } catch (error) {
        wrong.push((error as Error).message);
      }
  });
  for (let at = 0; at < input.length; at += step) frames.push(input.subarray(at, at + step));
  frames.end();
  return { content: Buffer.concat(parts), wrong };
}

/** RFC 8878, 3.1.1: blocks of bytes as they are. */
const raw = (text: string, last: boolean) => [...le(3, (text.length << 3) | (last ? 1 : 0)), ...bytes(text)];
const MAGIC = le(4, 0xfd2fb528);
/** One segment, its size in a byte; with a checksum or without. */
const head = (size: number, hasChecksum = false) => [...MAGIC, hasChecksum ? 0x24 : 0x20, size];
/** XXH64 of "abc"; zstd -t takes a frame with it. */
const XXH64_ABC = 0x44bc2cf5ad770999n;

describe("a file of zstd", () => {
  it("is unpacked, however it is cut", () => {
    for (const step of [ZSTD.length, 1000, 61, 1]) {
      const { content, wrong } = unpacked(ZSTD, step);
      expect(wrong).toEqual([]);
      expect(content.equals(PLAIN)).toBe(true);
    }
  });

  it("never passes for sound when something else comes out of it", () => {
    let silent = 0;
    for (let at = 0; at < ZSTD.length; at += at < 40 || at > ZSTD.length - 40 ? 1 : 23) {
      const input = ZSTD.slice();
      input[at] = (input[at] ?? 0) ^ (1 << (at % 8));
      const { content, wrong } = unpacked(input);
      if (wrong.length > 0) continue;
      silent++;
      expect(content.equals(PLAIN), `byte ${at}`).toBe(true);
    }
    // Bits that no decoder looks at: unused ones, and those of the window.
    expect(silent).toBeLessThan(5);
  });

  it("says so wherever it is cut", () => {
    for (let size = 0; size < ZSTD.length; size += size < 100 ? 1 : 41) {
      const { wrong } = unpacked(ZSTD.subarray(0, size), 500);
      expect(wrong, `cut at ${size}`).toEqual([expect.stringMatching(/^truncated frames\[0\]/)]);
    }
  });

  it("may have several frames, some to be passed over, and small ones", () => {
    const skippable = [...le(4, 0x184d2a57), ...le(4, 5), 1, 2, 3, 4, 5];
    const checksum = le(4, XXH64_ABC & 0xffff_ffffn);
    const input = bytes(
      skippable,
      head(3),
      raw("abc", true),
      head(0),
      raw("", true),
      skippable,
      head(3, true),
      raw("a", false),
      raw("bc", true),
      checksum,
    );
    for (const step of [input.length, 7, 1]) {
      expect(unpacked(input, step)).toEqual({ content: Buffer.from("abcabc"), wrong: [] });
    }
    input[input.length - 1] = (input.at(-1) ?? 0) ^ 1;
    expect(unpacked(input).wrong).toEqual([expect.stringMatching(/^the checksum is 0x/)]);
  });

  it.each([
    ["more than it says", bytes(head(2), raw("abc", true)), "its data does not make sense"],
    ["fewer than it says", bytes(head(4), raw("abc", true)), "3 bytes come out of a frame of 4"],
    ["a block of no type", bytes(head(0), [7, 0, 0]), "constraint frames[0].blocks[0]"],
    [
      "a block that is too large",
      bytes(head(0), le(3, ((128 << 10) + 1) << 3)),
      "constraint frames[0].blocks[0]",
    ],
    ["a reserved bit", bytes(MAGIC, 0x28, 0), "reserved frames[0].reserved"],
    ["a dictionary", bytes(MAGIC, 0x21, 9, 0), "unexpected frames[0].dictionary_id"],
    [
      "what is no frame behind one",
      bytes(head(0), raw("", true), "abcd"),
      "constraint frames[1].magic.value",
    ],
    ["a skipped frame that is cut", bytes(le(4, 0x184d2a50), le(4, 9), 1), "truncated frames[0].data"],
    // Exponent 17: 128 MiB; with an eighth more it is too large. Then one segment of 4 GiB.
    ["a window that is too large", bytes(MAGIC, 0, (17 << 3) | 1), "limit frames[0].window_descriptor"],
    ["content that is too large", bytes(MAGIC, 0xe0, le(8, 1n << 32n)), "limit frames[0].window_descriptor"],
  ])("is refused with %s", (_, input, wrong) => {
    expect(unpacked(input).wrong).toEqual([wrong]);
  });

  it("may need a window of 128 MiB", () => {
    const events: ZstdEvent[] = [];
    new ZstdFrames((event) => events.push(event)).push(bytes(MAGIC, 0, 17 << 3));
    expect(events).toMatchObject([{ kind: "frame", contentSize: undefined }]);
  });
});
