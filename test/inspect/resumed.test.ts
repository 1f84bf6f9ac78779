/** A postcopy migration of QEMU 10.0 that broke and was taken up again, as `receive --recover` wrote it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectKind, openInspection, printPath, type Summary } from "../../src/inspect/index.js";
import { virtwire } from "../cli/harness.js";
import { anyCuts } from "../streams/splits.js";
import { inspectBytes } from "./inspect-bytes.js";

function captured(name: string): Uint8Array {
  const file = readFileSync(new URL(`../captures/${name}`, import.meta.url));
  return new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
}

const BEFORE = captured("microvm-broken-postcopy.bin.gz");
const AFTER = captured("microvm-broken-postcopy.resumed1.gz");
const FILES = ["bin.gz", "resumed1.gz", "return.bin"].map((end) =>
  fileURLToPath(new URL(`../captures/microvm-broken-postcopy.${end}`, import.meta.url)),
);

function pagesOf({ tables }: Summary): Record<string, number> {
  const rows = tables.find(({ key }) => key === "ram")?.rows ?? [];
  return Object.fromEntries(
    rows.map((row) => [String(row.at(-1)?.value), Number(row[1]?.value) + Number(row[2]?.value)]),
  );
}

describe("what comes after a break", () => {
  it("is read alone: its blocks are taken as they come", () => {
    expect(detectKind(AFTER.subarray(0, 4096))).toEqual({ kind: "qemu-resumed" });
    const { records, summary } = inspectBytes(AFTER);
    expect(summary).toMatchObject({
      kind: "qemu-resumed",
      faultCount: 0,
      verdict: expect.stringMatching(/^complete/),
    });
    expect(summary.notes.join()).toContain("before the break is not here");
    expect(records.map(({ path }) => printPath(path))).toEqual([
      ...["commands[0]", "commands[1]", "commands[2]"],
      ...[0, 1, 2].map((part) => `sections["ram"].parts[${part}]`),
      "eof",
    ]);
    // What the first part of the migration brought, and what this one did, are all pages of the machine and two twice.
    expect(pagesOf(summary)).toEqual({ "pc.bios": 16, "microvm.ram": 708 });
  });

  it("is the same however it is cut", () => {
    const whole = inspectBytes(AFTER);
    fc.assert(
      fc.property(anyCuts(AFTER.length), (cuts) => {
        expect(inspectBytes(AFTER, { cuts })).toEqual(whole);
      }),
      { numRuns: 5 },
    );
  });

  it("goes on from what the stream before it has told", () => {
    const first = openInspection("qemu-stream", { record: () => {} }, { withFields: false, breaksOff: true });
    first.push(BEFORE);
    const broken = first.end();
    expect([broken.faultCount, broken.verdict]).toEqual([
      0,
      "broken off: every byte up to the break is accounted for",
    ]);
    const before = first.handOver?.();
    const { summary } = inspectBytes(AFTER, { before });
    expect([summary.faultCount, summary.notes]).toEqual([0, []]);
    // A block that the first has not listed is damage now.
    const renamed = AFTER.slice();
    const name = new TextEncoder().encode("microvm.ram");
    const at = Buffer.from(renamed).indexOf(Buffer.from(name), 200);
    renamed[at] = 0x6e;
    expect(inspectBytes(renamed).summary.faultCount).toBe(0);
    expect(inspectBytes(renamed, { before }).summary.verdict).toContain('no block is called "nicrovm.ram"');
  });

  it("is missed by itself, and cannot follow what had not come to postcopy", () => {
    expect(inspectBytes(BEFORE).summary.faults).toMatchObject([{ code: "truncated", offset: BEFORE.length }]);
    const early = BEFORE.subarray(0, 0x1000);
    const { summary } = inspectBytes(early, { breaksOff: true });
    expect(summary.verdict).toContain("before postcopy has begun");
  });

  it("may break again", () => {
    const cut = AFTER.subarray(0, AFTER.length - 100_000);
    expect(inspectBytes(cut).summary.faults).toMatchObject([{ code: "truncated" }]);
    expect(inspectBytes(cut, { breaksOff: true }).summary.verdict).toMatch(/^broken off/);
  });
});

describe("the files of a migration that broke", () => {
  it.each([
    ["in their order", FILES],
    ["in any order", [...FILES].reverse()],
  ])("are inspected together, given %s", async (_, files) => {
    const { code, out, err } = await virtwire(["inspect", "--format", "jsonl", ...files]);
    expect([code, err]).toEqual([0, ""]);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const last = lines.at(-1);
    expect(last).toMatchObject({ kind: "qemu-migration", verdict: expect.stringMatching(/^clean/) });
    expect(lines.filter(({ record }) => record === "summary").map(({ kind }) => kind)).toEqual([
      ...["qemu-stream", "qemu-resumed", "qemu-return-path", "qemu-migration"],
    ]);
  });

  it("lack what is not given", async () => {
    const { code, out } = await virtwire(["inspect", FILES[0] ?? "", FILES[2] ?? ""]);
    expect(code).toBe(4);
    expect(out).toMatch(/verdict +damaged: parts\[0\]/);
  });

  it("are taken by the other verbs one by one", async () => {
    const after = FILES[1] ?? "";
    const got = await virtwire(["get", after, "commands[2].**", "sections[ram].parts[0].normal_pages"]);
    expect([got.code, got.err]).toEqual([0, ""]);
    expect(got.out).toContain('sections["ram"].parts[0].normal_pages = ');
    const dumped = await virtwire(["hex", after, "@0+16"]);
    expect([dumped.code, dumped.out.includes("commands[0]")]).toEqual([0, true]);
    expect((await virtwire(["diff", after, after])).code).toBe(0);
  });
});
