import { copyFileSync, linkSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { accelerated, QATZIP, QPL, UADK } from "../streams/qemu/accelerated-bytes.js";
import { temporaryFolder, virtwire } from "./harness.js";

const path = (name: string) => fileURLToPath(new URL(`../captures/${name}`, import.meta.url));
const PRECOPY = path("x86-q35-net-blk.bin");
const MAIN = path("x86-q35-multifd-main.bin");

function channels(folder: string): string[] {
  return [0, 1].map((i) => {
    const file = join(folder, `channel${i}.bin`);
    writeFileSync(file, gunzipSync(readFileSync(path(`x86-q35-multifd-channel${i}.bin.gz`))));
    return file;
  });
}

describe("virtwire ram", () => {
  it("lists blocks with their pages", async () => {
    const { code, out, err } = await virtwire(["ram", "list", PRECOPY]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("33554432     92  8100  pc.ram");
    expect(out).toContain("whole: every page of every block is there");
    const json = await virtwire(["ram", "list", "--format", "json", PRECOPY]);
    expect(JSON.parse(json.out)).toMatchObject({ machine: "pc-q35-10.0", shared_ignored: false });
  });

  it("says which pages were never sent", async () => {
    const { code, out } = await virtwire(["ram", "list", MAIN]);
    expect(code).toBe(0);
    expect(out).toContain("not whole: pages of pc.ram");
  });

  it("extracts a block to a sparse file, from one stream or from several in any order", async () => {
    const folder = temporaryFolder();
    const one = join(folder, "one.bin");
    const several = join(folder, "several.bin");
    expect((await virtwire(["ram", "extract", PRECOPY, "--block", "pc.bios", "-o", one])).code).toBe(0);
    const files = channels(folder);
    const run = await virtwire(["ram", "extract", ...files, MAIN, "--block", "pc.bios", "-o", several]);
    expect(run).toMatchObject({ code: 0, err: "" });
    expect(run.out).toBe(`pc.bios: 262144 bytes to ${several}: 47 pages, 17 of zeroes, 0 missing\n`);
    expect(readFileSync(several).equals(readFileSync(one))).toBe(true);
    const ram = join(folder, "ram.bin");
    await virtwire(["ram", "extract", PRECOPY, "--block", "pc.ram", "-o", ram]);
    const { size, blocks } = statSync(ram);
    expect(size).toBe(32 << 20);
    expect(blocks * 512).toBeLessThan(4 << 20);
  });

  it.each([
    ["qpl", QPL],
    ["uadk", UADK],
    ["qatzip", QATZIP],
  ] as const)("unpacks what an accelerator has compressed: %s", async (name, method) => {
    const folder = temporaryFolder();
    const files = channels(folder);
    const packed = files.map((file) => {
      writeFileSync(`${file}.packed`, accelerated(new Uint8Array(readFileSync(file)), method));
      return `${file}.packed`;
    });
    const inspected = await virtwire(["inspect", MAIN, ...packed]);
    expect([inspected.code, inspected.err]).toEqual([0, ""]);
    expect(inspected.out).toMatch(new RegExp(`^compression +${name}$`, "m"));
    const listed = await virtwire(["ram", "list", MAIN, ...packed]);
    expect([listed.code, listed.err]).toEqual([0, ""]);
    expect(listed.out).toContain("whole: every page of every block is there");
    const outs = [files, packed].map((_, i) => join(folder, `out${i}`));
    for (const [i, some] of [files, packed].entries()) {
      const run = await virtwire(["ram", "extract", MAIN, ...some, "--block", "pc.ram", "-o", outs[i] ?? ""]);
      expect([run.code, run.err]).toEqual([0, ""]);
    }
    expect(readFileSync(outs[1] ?? "").equals(readFileSync(outs[0] ?? ""))).toBe(true);
    const read = (some: readonly string[]) => virtwire(["ram", "read", MAIN, ...some, "0xfffffff0"]);
    expect(await read(packed)).toEqual(await read(files));
    const [first = ""] = packed;
    const damaged = readFileSync(first);
    // In the middle of the first contents, behind the lengths.
    const at = damaged.indexOf("pc.ram\0") - 64 + 1344;
    const size = damaged.readUInt32BE(at - 1344 + 20);
    damaged.fill(0xff, at + (size >> 1), at + (size >> 1) + 40);
    writeFileSync(first, damaged);
    const out = join(folder, "damaged");
    const run = await virtwire(["ram", "extract", MAIN, ...packed, "--block", "pc.ram", "-o", out]);
    expect(run.code).toBe(4);
    expect(run.err).toMatch(/channel0\.bin\.packed:0x[0-9a-f]+: .*packets\[\d+\]\.data/);
  });

  it("does not write over the stream, under whatever name", async () => {
    const folder = temporaryFolder();
    const stream = join(folder, "vm.mig");
    copyFileSync(PRECOPY, stream);
    linkSync(stream, join(folder, "same"));
    for (const out of [stream, join(folder, "same")]) {
      const { code, err } = await virtwire(["ram", "extract", stream, "--block", "pc.bios", "-o", out]);
      expect([code, err]).toEqual([2, expect.stringContaining(`${out} is read: write to another file`)]);
    }
    expect(readFileSync(stream).equals(readFileSync(PRECOPY))).toBe(true);
  });

  it("gives 4 and names what is missing when an image is not whole", async () => {
    const out = join(temporaryFolder(), "out.bin");
    const run = await virtwire(["ram", "extract", MAIN, "--block", "pc.ram", "-o", out]);
    expect(run.code).toBe(4);
    expect(run.err).toBe("pc.ram: never sent: 0x0..0x2000000\n");
    const cut = join(temporaryFolder(), "cut.bin");
    writeFileSync(cut, readFileSync(PRECOPY).subarray(0, 300_000));
    expect((await virtwire(["ram", "extract", cut, "--block", "pc.ram", "-o", out])).code).toBe(4);
  });

  it("reads by block and by guest-physical address", async () => {
    // A PC begins at 0xfffffff0, with a far jump to f000:e05b.
    const reset = await virtwire(["ram", "read", PRECOPY, "0xfffffff0", "--length", "5"]);
    expect(reset).toMatchObject({ code: 0, err: "" });
    expect(reset.out.split("\n")).toEqual([
      expect.stringMatching(/^0fffffff0 {2}ea 5b e0 00 f0 {30,}\|\.\[\.\.\.\|$/),
      "0fffffff5",
      "",
    ]);
    const bios = await virtwire(["ram", "read", PRECOPY, "pc.bios+0x3fff0", "--length", "5"]);
    expect(bios.out).toContain("00003fff0  ea 5b e0 00 f0");
    const zeroes = await virtwire(["ram", "read", PRECOPY, "pc.rom", "--length", "64"]);
    expect(zeroes.out.split("\n")).toHaveLength(4);
    const missing = await virtwire(["ram", "read", MAIN, "pc.ram+16", "--length", "16"]);
    expect(missing).toMatchObject({ code: 4, out: "000000010  16 bytes: never sent\n000000020\n" });
  });

  it.each([
    [["ram", "list", "-", "-"], "can be read once only"],
    [["ram", "list", "-"], "standard input is no stream of a QEMU migration"],
    [["ram", "list", path("vhost-user-qsd.jsonl")], "no stream of a QEMU migration"],
    [["ram", "list", path("x86-q35-return-path.return.bin")], "no main stream"],
    [["ram", "list", PRECOPY, PRECOPY], "more than one main stream"],
    [["ram", "extract", PRECOPY], "--block NAME and -o OUT"],
    [["ram", "extract", PRECOPY, "--block", "../x", "-o", "/nowhere/y"], "no block is called"],
    [["ram", "read", PRECOPY], "an address"],
    [["ram", "read", PRECOPY, "0", "--length", "-1"], "--length"],
    [["ram", "read", PRECOPY, "0", "--length", "1e9"], "--length"],
    [["ram", "read", PRECOPY, "pc.ram+x"], "no offset"],
    [["ram", "read", PRECOPY, "pc.ram+0x2000000"], "is outside pc.ram"],
    [["ram", "read", PRECOPY, "0x8000000"], "no memory at 0x8000000"],
    [["ram", "draw", PRECOPY], "list, extract or read"],
  ])("refuses %j in a line", async (argv, message) => {
    const { code, out, err } = await virtwire(argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
    expect(err.split("\n")).toHaveLength(2);
  });
});
