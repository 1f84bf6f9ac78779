import { describe, expect, it } from "vitest";
import { unpackLzo1x } from "../../../src/streams/containers/lzo1x.js";
import { bytes } from "../wire-bytes.js";

const END = [0x11, 0, 0];

/** What the instructions, in hexadecimal, make: text, or what is wrong. */
function unpacked(instructions: readonly (number | string)[], size: number): string {
  const out = new Uint8Array(size);
  const wrong = unpackLzo1x(bytes(...instructions), out);
  return wrong === undefined ? Buffer.from(out).toString("latin1") : `! ${wrong}`;
}

/** The table of Linux' Documentation/staging/lzo.rst, line by line. */
describe("the instructions of LZO1X", () => {
  it.each([
    ["first byte 18..20: up to three literals", [17 + 3, "abc", ...END], "abc"],
    ["first byte from 21 on: more of them", [17 + 6, "abcdef", ...END], "abcdef"],
    ["0000LLLL at the start: 3 + L literals", [2, "abcde", ...END], "abcde"],
    ["00000000, then a byte: 18 + L", [0, 2, "abcdefghijklmnopqrst", ...END], "abcdefghijklmnopqrst"],
    ["zeroes count 255 each", [0, 0, 1, "x".repeat(274), ...END], "x".repeat(274)],
    // Behind one to three literals: 2 bytes from up to 1 KiB back.
    ["0000DDSS HHHHHHHH behind a few literals", [20, "abc", 2 << 2, 0, ...END], "abcab"],
    [
      "its S literals, whose number counts for the next",
      [20, "abc", (2 << 2) | 1, 0, "z", 0, 0, ...END],
      "abcabzzz",
    ],
    // Behind four literals and more: 3 bytes from 2 KiB + 1 on.
    [
      "0000DDSS HHHHHHHH behind a run",
      [
        0,
        ...Array<number>(8).fill(0),
        2049 - 18 - 8 * 255 + 256,
        "abc",
        "x".repeat(2049 + 256 - 3),
        0,
        64,
        ...END,
      ],
      `abc${"x".repeat(2302)}abc`,
    ],
    ["001LLLLL: L + 2 bytes from up to 16 KiB back", [21, "abcd", 0x20 | 3, 3 << 2, 0, ...END], "abcdabcda"],
    ["00100000, then a byte: L + 33", [21, "abcd", 0x20, 1, 0, 0, ...END], `abcd${"d".repeat(34)}`],
    ["01LDDDSS: 3 or 4 bytes from up to 2 KiB back", [21, "abcd", 0x60 | (3 << 2), 0, ...END], "abcdabcd"],
    ["1LLDDDSS: 5 to 8 bytes", [21, "abcd", 0xe0 | (1 << 2) | 2, 0, "yz", ...END], "abcdcdcdcdcdyz"],
    ["literals behind a match", [21, "abcd", 0x40 | (3 << 2) | 3, 0, "xyz", ...END], "abcdabcxyz"],
  ] as const)("%s", (_, instructions, expected) => {
    expect(unpacked([...instructions], expected.length)).toBe(expected);
  });

  it.each([
    ["16", 0x10, 0x4001],
    ["32", 0x18, 0x8001],
  ])("0001HLLL: from %s KiB back on", (_, code, back) => {
    // 18, and 255 for each zero, then the rest.
    const zeroes = Math.floor((back - 18 - 1) / 255);
    const run = [0, ...Array<number>(zeroes).fill(0), back - 18 - zeroes * 255, "abc", "x".repeat(back - 3)];
    expect(unpacked([...run, code | 1, 1 << 2, 0, ...END], back + 3)).toBe(`abc${"x".repeat(back - 3)}abc`);
  });

  it.each([
    ["nothing at all", [], 1, "its end is missing"],
    ["literals that are not there", [40, "abc"], 23, "its end is missing"],
    ["an end that is cut", [21, "abcd", 0x11, 0], 4, "its end is missing"],
    ["a length that never ends", [0, 0, 0, 0, 0], 4, "its end is missing"],
    ["a match's length that never ends", [21, "abcd", 0x20, 0, 0, 0], 4, "its end is missing"],
    ["more literals than there is room for", [21, "abcd", ...END], 3, "more comes out of it than it says"],
    [
      "a longer match than there is room for",
      [21, "abcd", 0xe0, 0, ...END],
      8,
      "more comes out of it than it says",
    ],
    ["fewer bytes than it says", [21, "abcd", ...END], 5, "4 bytes come out of it, not 5"],
    [
      "a match from before the beginning",
      [21, "abcd", 0x40 | (4 << 2), 0, ...END],
      9,
      "before its beginning",
    ],
    ["bytes behind the end", [21, "abcd", ...END, 7, 7], 4, "2 bytes stand behind its end"],
  ] as const)("refuses %s", (_, instructions, size, wrong) => {
    expect(unpacked([...instructions], size)).toMatch(new RegExp(`^! .*${wrong}`));
  });
});
