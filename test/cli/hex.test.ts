import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const S390 = fileURLToPath(new URL("../captures/s390x-ccw.bin", import.meta.url));

/** The bytes that a dump shows, by their addresses; a line of `*` repeats the one before up to the next address. */
function shown(out: string, width: number): Map<number, number> {
  const bytes = new Map<number, number>();
  let last: readonly number[] = [];
  let next = -1;
  let repeats = false;
  for (const line of out.trimEnd().split("\n")) {
    if (line === "*") {
      repeats = true;
      continue;
    }
    const address = Number.parseInt(line.slice(0, 8), 16);
    const row = line
      .slice(10, 10 + width * 3 - 1)
      .trim()
      .split(" ")
      .filter((digits) => digits !== "")
      .map((digits) => Number.parseInt(digits, 16));
    if (repeats) for (let at = next; at < address; at++) bytes.set(at, last[(at - next) % width] ?? -1);
    repeats = false;
    row.forEach((byte, i) => {
      expect(bytes.has(address + i), `${line}: shown twice`).toBe(false);
      bytes.set(address + i, byte);
    });
    last = row;
    next = address + row.length;
  }
  return bytes;
}

describe("virtwire hex", () => {
  it.each([
    ["@0x41000+8000", 8],
    ["@0x41000+8000", 16],
    ["@0..400", 13],
    ["@364900+4096", 8],
  ])("shows every byte of %s once, as it stands in the file, in lines of %i", async (range, width) => {
    const file = readFileSync(S390);
    const { code, out } = await virtwire(["hex", S390, range, "--width", String(width)]);
    expect(code === 0 || code === 4).toBe(true);
    const bytes = shown(out, width);
    const [from = 0] = bytes.keys();
    const size = range === "@364900+4096" ? file.length - 364_900 : range === "@0..400" ? 400 : 8000;
    expect(bytes.size).toBe(size);
    for (const [at, byte] of bytes) expect(byte).toBe(file[at]);
    expect(Math.max(...bytes.keys()) - from + 1).toBe(size);
  });

  it("names the fields of a section, and leaves its header and footer to no field", async () => {
    const { code, out } = await virtwire(["hex", S390, "sections[timer]"]);
    expect(code).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/ {2}\.$/);
    expect(out).toMatch(/ {2}sections\["timer"\]\.cpu_clock_offset = \d+ \(0x[0-9a-f]+\)\n/);
    expect(lines[lines.length - 1]).toMatch(/^[0-9a-f]{8} {2}7e .* {2}\.$/);
  });

  it("shows what is asked for, each under its place when there are several", async () => {
    const { out } = await virtwire(["hex", S390, "sections[timer].cpu_clock_offset", "@8+4"]);
    expect(out.match(/^@0x/gm)).toHaveLength(2);
    expect(out).toContain("@0x8..0xc, 4 bytes\n00000008  07 00 00 00");
  });

  it("shows fields that follow one another as one range, without titles between", async () => {
    const capture = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));
    const { out } = await virtwire(["hex", capture, "sections[*virtio-blk].virtio.queues[0].*"]);
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => line.slice(0, 8))).toEqual(["000f6d0d", "000f6d11", "000f6d19", "000f6d1b"]);
  });

  it("gives 1 where there is nothing, 2 for wrong usage, and 4 for damage", async () => {
    expect(await virtwire(["hex", S390, "@0x7fffffff"])).toMatchObject({ code: 1, out: "" });
    expect(await virtwire(["hex", S390, "nothing"])).toMatchObject({ code: 1, out: "" });
    for (const argv of [
      [S390, "@x"],
      [S390, "@0", "--width", "0"],
    ])
      expect((await virtwire(["hex", ...argv])).code).toBe(2);
    const path = join(temporaryFolder(), "cut.bin");
    writeFileSync(path, readFileSync(S390).subarray(0, 330_000));
    const { code, out } = await virtwire(["hex", path, "@0+8"]);
    expect([code, out.slice(0, 33)]).toEqual([4, "00000000  51 45 56 4d 00 00 00 03"]);
  });
});
