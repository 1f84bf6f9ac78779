import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  configuration,
  EOF,
  end,
  FILE_HEADER,
  memSize,
  PAGE,
  page,
  part,
  RAM_EOS,
  start,
  zeroPage,
} from "../streams/qemu/stream-bytes.js";
import { bytes } from "../streams/wire-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const capture = (name: string): string => fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
const PRECOPY = capture("x86-q35-net-blk.bin");
const LATER = capture("x86-q35-return-path.bin");

interface Row {
  readonly change: string;
  readonly path: string;
  readonly offset?: number;
  readonly size?: number;
  readonly address?: number;
  readonly addresses?: readonly { readonly address: number; readonly size: number }[];
  readonly bytes?: number;
  readonly compared?: number;
  readonly changed?: number;
  readonly only_first?: number;
  readonly only_second?: number;
}

function rows(out: string): Row[] {
  return out
    .trimEnd()
    .split("\n")
    .map((line): Row => JSON.parse(line));
}

async function memoryRows(...argv: readonly string[]): Promise<{ code: number; rows: Row[] }> {
  const { code, out } = await virtwire(["diff", "--memory", "--format", "jsonl", ...argv]);
  return { code, rows: rows(out) };
}

/** Page numbers of all ranges of a kind. */
function pagesOf(all: readonly Row[], change: string): number[] {
  return all
    .filter((row) => row.change === change)
    .flatMap(({ offset = 0, size = 0 }) => Array.from({ length: size / PAGE }, (_, i) => offset / PAGE + i));
}

/** The capture, with one byte of a page of its first block inverted. Pages are found by the words that QEMU puts in front. */
function withPageChanged(from: string, offset: number, at: number): string {
  const file = readFileSync(from);
  const word = Buffer.alloc(8);
  // RAM_SAVE_FLAG_PAGE | RAM_SAVE_FLAG_CONTINUE
  word.writeBigUInt64BE(BigInt(offset) | 0x28n);
  const place = file.indexOf(word) + word.length + at;
  file.writeUInt8(file.readUInt8(place) ^ 0xff, place);
  const copy = join(temporaryFolder(), "changed.bin");
  writeFileSync(copy, file);
  return copy;
}

describe("virtwire diff --memory", () => {
  it("finds nothing between a stream and itself, packed or piped", async () => {
    const { code, out, err } = await virtwire(["diff", "--memory", PRECOPY, PRECOPY]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n")[2]).toMatch(/^no differences in \d{4,} pages$/);
    const packed = gzipSync(readFileSync(PRECOPY));
    expect((await virtwire(["diff", "--memory", "-", PRECOPY], { input: [packed] })).code).toBe(0);
  });

  it("names the page and the byte that were changed, and where the guest has them", async () => {
    const other = withPageChanged(PRECOPY, 0x7000, 0x123);
    const { code, rows: found } = await memoryRows("-v", PRECOPY, other);
    const path = 'sections["ram"].blocks["pc.ram"]';
    expect(code).toBe(1);
    expect(found.filter(({ change }) => change !== "block" && change !== "summary")).toEqual([
      {
        change: "changed",
        path,
        offset: 0x7000,
        size: PAGE,
        pages: 1,
        addresses: [{ address: 0x7000, size: PAGE }],
      },
      expect.objectContaining({ change: "bytes", path, offset: 0x7123, address: 0x7123, bytes: 1 }),
    ]);
    const { out } = await virtwire(["diff", "--memory", "-v", PRECOPY, other]);
    expect(out).toContain(`~ ${path}: 1 of 8192 pages differs, in 1 range\n`);
    expect(out).toContain("    0x7000..0x8000: 1 page differs (guest 0x7000..0x8000)\n");
    expect(out).toMatch(
      /1 byte differs at 0x7123 \(guest 0x7123\)\n {6}- (?:[0-9a-f]{2} ){16} \|.{16}\|\n {6}\+ /,
    );
  });

  it("leaves blocks out that are to be ignored", async () => {
    const other = withPageChanged(PRECOPY, 0x7000, 0);
    const { code, rows: found } = await memoryRows(
      "--ignore",
      "sections[ram].blocks[pc.ram]",
      PRECOPY,
      other,
    );
    expect(code).toBe(0);
    expect(found.some(({ path }) => path?.includes("pc.ram"))).toBe(false);
    expect(found.length).toBeGreaterThan(2);
  });

  it("says how much of two moments of guests differs, and shows the first ranges", async () => {
    const { code, out } = await virtwire(["diff", "--memory", PRECOPY, LATER]);
    expect(code).toBe(1);
    const [, pages, ranges] = /pc\.ram"\]: (\d+) of 8192 pages differ, in (\d+) ranges/.exec(out) ?? [];
    const { rows: found } = await memoryRows(PRECOPY, LATER);
    const changed = found.filter(({ change, path }) => change === "changed" && path.includes("pc.ram"));
    expect([changed.length, pagesOf(changed, "changed").length]).toEqual([Number(ranges), Number(pages)]);
  });

  it("puts the channels of a migration together on either side", async () => {
    const folder = temporaryFolder();
    const channels = [0, 1].map((i) => {
      const file = join(folder, `channel${i}.bin`);
      writeFileSync(file, gunzipSync(readFileSync(capture(`x86-q35-multifd-channel${i}.bin.gz`))));
      return file;
    });
    const main = capture("x86-q35-multifd-main.bin");
    const first = channels.flatMap((file) => ["--first-channel", file]);
    const second = channels.flatMap((file) => ["--second-channel", file]);
    const same = await virtwire(["diff", "--memory", main, `${main}.zst`, ...first, ...second]);
    expect([same.code, same.err]).toEqual([0, ""]);
    const without = await memoryRows(main, main, ...first);
    expect(without.code).toBe(1);
    expect(without.rows.at(-1)?.only_first).toBeGreaterThan(50);
    expect(without.rows.at(-1)?.only_second).toBe(0);
  });

  it("does not take what a cut stream lacks for what is the same", async () => {
    const cut = join(temporaryFolder(), "cut.bin");
    writeFileSync(cut, readFileSync(PRECOPY).subarray(0, 0x40000));
    const { code, out, err } = await virtwire(["diff", "--memory", cut, PRECOPY]);
    expect(code).toBe(4);
    expect(err).toMatch(/^.*cut\.bin:0x[0-9a-f]+: .*truncated/);
    expect(out).toMatch(
      /\d changed, 0 only in the first, [1-9]\d+ only in the second\nnote: 1 page cannot be read\n/,
    );
  });

  it.each([
    [["--schema"], /--schema/],
    [["--ignore", "[["], /--ignore/],
  ])("refuses %j", async (options, why) => {
    const { code, err } = await virtwire(["diff", "--memory", PRECOPY, PRECOPY, ...options]);
    expect([code, why.test(err)]).toEqual([2, true]);
  });

  it("has options that need it", async () => {
    expect((await virtwire(["diff", "-v", PRECOPY, PRECOPY])).code).toBe(2);
    expect((await virtwire(["diff", "--memory", PRECOPY, capture("vhost-user-qsd.jsonl")])).code).toBe(2);
  });
});

/** What a page of a generated stream holds. */
type Content = number | "zero" | "missing";

const PAGES = 12;
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.constant<Content>("zero"),
  fc.constant<Content>("missing"),
  fc.integer({ min: 0, max: 3 }),
);

/** A stream whose pages hold this in the end; before that, they hold other things, as in a live migration. */
function streamOf(contents: readonly Content[], before: readonly number[]): Uint8Array {
  const records = (fill: (i: number) => Content): number[] =>
    contents.flatMap((last, i) => {
      const now = fill(i);
      if (last === "missing" || now === "missing") return [];
      return now === "zero" ? zeroPage(i * PAGE, "pc.ram") : page(i * PAGE, "pc.ram", now);
    });
  return bytes(
    FILE_HEADER,
    configuration("pc-q35-10.0"),
    start(0, "ram", [...memSize([{ name: "pc.ram", size: PAGES * PAGE }]), ...RAM_EOS], 4),
    part(0, [...records((i) => before[i % before.length] ?? 0), ...RAM_EOS]),
    end(0, [...records((i) => contents[i] ?? "zero"), ...RAM_EOS]),
    EOF,
  );
}

/** A page of zeroes is one, however it was sent. */
function held(one: Content): Content {
  return one === 0 ? "zero" : one;
}

it("reports exactly the pages that differ, whatever was sent before", async () => {
  const folder = temporaryFolder();
  const side = fc.array(content, { minLength: PAGES, maxLength: PAGES });
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1 }),
      async (a, b, before) => {
        const [first, second] = [a, b].map((contents, i) => {
          const file = join(folder, `${i}.mig`);
          writeFileSync(file, streamOf(contents, before));
          return file;
        });
        const { rows: found } = await memoryRows(first ?? "", second ?? "");
        const numbers = (wanted: (one: Content, other: Content) => boolean): number[] =>
          a.flatMap((one, i) => (wanted(held(one), held(b[i] ?? "zero")) ? [i] : []));
        expect(pagesOf(found, "changed")).toEqual(
          numbers((one, other) => one !== other && one !== "missing" && other !== "missing"),
        );
        expect(pagesOf(found, "only-first")).toEqual(
          numbers((one, other) => one !== other && other === "missing"),
        );
        expect(pagesOf(found, "only-second")).toEqual(
          numbers((one, other) => one !== other && one === "missing"),
        );
        expect(found.at(-1)?.compared).toBe(
          numbers((one, other) => one !== "missing" || other !== "missing").length,
        );
      },
    ),
    { numRuns: 40 },
  );
});
