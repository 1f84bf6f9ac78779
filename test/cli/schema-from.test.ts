/** `--schema-from`, in the verbs that read captures. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder, virtwire } from "./harness.js";

const X86 = fileURLToPath(new URL("../captures/x86-q35-net-blk.bin", import.meta.url));
const VMSTATE = fileURLToPath(new URL("../captures/x86-q35.vmstate.json.gz", import.meta.url));
const QSD = fileURLToPath(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url));
const TICKS = "sections[timer].cpu_ticks_offset";

/** The capture without its description, which begins where its JSON does, less type and length. */
function cutOff(): { path: string; bytes: Buffer } {
  const whole = readFileSync(X86);
  const bytes = whole.subarray(0, whole.lastIndexOf('{"configuration"') - 5);
  const path = join(temporaryFolder(), "cut.bin");
  writeFileSync(path, bytes);
  return { path, bytes };
}

describe("--schema-from", () => {
  it("gives get, hex and diff the fields of devices", async () => {
    const { path } = cutOff();
    const own = await virtwire(["get", X86, TICKS]);
    expect((await virtwire(["get", path, TICKS])).out).toBe("");
    expect((await virtwire(["get", path, TICKS, "--schema-from", X86])).out).toBe(own.out);
    expect((await virtwire(["hex", path, TICKS, "--schema-from", X86])).out).toBe(
      (await virtwire(["hex", X86, TICKS])).out,
    );
    const diff = await virtwire(["diff", path, X86, "--schema-from", X86]);
    expect(diff.out).toContain("only in the second");
    expect(diff.out).not.toContain("sections[");
  });

  it("takes what is packed or comes through a pipe", async () => {
    const { path } = cutOff();
    const packed = join(temporaryFolder(), "whole.gz");
    writeFileSync(packed, gzipSync(readFileSync(X86), { level: 1 }));
    const { out, code } = await virtwire(["inspect", path, "--schema-from", packed]);
    // The description that is missing is still missing.
    expect(code).toBe(4);
    expect(out).toContain(`described by  ${packed}\n`);
    const piped = await virtwire(["inspect", path, "--schema-from", "-"], { input: [readFileSync(X86)] });
    expect(piped.out).toContain("described by  standard input\n");
  });

  it("takes a file of -dump-vmstate, packed too", async () => {
    const { path } = cutOff();
    const { out } = await virtwire(["inspect", path, "--schema-from", VMSTATE]);
    expect(out).toMatch(/^note +sections read as .*vmstate.json.gz describes them: 20$/m);
    const value = await virtwire([
      "get",
      "--raw",
      path,
      "sections[serial].state.divider",
      "--schema-from",
      VMSTATE,
    ]);
    expect(value.out).toBe((await virtwire(["get", "--raw", X86, "sections[serial].state.divider"])).out);
    const other = join(temporaryFolder(), "other.json");
    writeFileSync(other, "{}");
    const refused = await virtwire(["inspect", path, "--schema-from", other]);
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("no -dump-vmstate file")]);
  });

  it("gives 2 where nothing can be borrowed", async () => {
    const { path } = cutOff();
    for (const other of [path, QSD]) {
      const { code, err } = await virtwire(["inspect", X86, "--schema-from", other]);
      expect([code, err]).toEqual([2, expect.stringContaining(`--schema-from ${other}: no QEMU stream`)]);
    }
    expect((await virtwire(["inspect", "-", "--schema-from", "-"])).code).toBe(2);
    expect(
      (await virtwire(["inspect", "--compat", "analyze-migration", path, "--schema-from", X86])).code,
    ).toBe(2);
  });
});
