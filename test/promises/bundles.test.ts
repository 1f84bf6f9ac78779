/** What generated code costs and needs: bundles of it are small, hold nothing else, and run where no code may be made of text. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "virtwire-"));

afterAll(() => rmSync(folder, { recursive: true }));

/** A program, with all that it imports, as it would be shipped. */
async function bundle(program: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}

function shipped(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

describe("a bundle of one decoder", () => {
  it("takes at most 2048 bytes, the runtime included", async () => {
    const code = await bundle('export { decodeVirtioPciCommonCfg } from "./generated/virtio/pci.js";');
    expect(code).toContain("queue_notify_off");
    expect(shipped(code)).toBeLessThanOrEqual(2048);
  });

  it("holds nothing of other structs and of other features", async () => {
    const code = await bundle('export { decodeVirtioPciCommonCfg } from "./generated/virtio/pci.js";');
    // Fields of other structs of the same file, which errors would name.
    for (const name of ["cap_vndr", "offset_hi", "notify_off_multiplier", "bar"])
      expect(code).not.toContain(`"${name}"`);
    expect(code).not.toMatch(/\bclass extends\b(?! Error)/);
    for (const name of ["setUint16", "le16", "unexpected"]) expect(code).not.toContain(name);
  });

  it("grows only with what is imported", async () => {
    const one = await bundle('export { decodeVirtioPciCommonCfg } from "./generated/virtio/pci.js";');
    const two = await bundle(
      'export { decodeVirtioPciCommonCfg, decodeVirtioPciNotifyCap } from "./generated/virtio/pci.js";',
    );
    const all = await bundle('export * from "./generated/virtio/pci.js";');
    expect(shipped(two)).toBeGreaterThan(shipped(one));
    expect(shipped(two) - shipped(one)).toBeLessThan(shipped(all) / 4);
  });
});

describe("where code cannot be made of text", () => {
  const program = `
    import * as context from "./generated/virtio/device-context.js";
    import { Reader } from "./src/runtime/index.js";
    const NET = 1;
    const bytes = Uint8Array.from([1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 0, 1]);
    const value = context.decodeVirtioDevCtx(bytes, NET);
    const again = context.encodeVirtioDevCtx(value, NET);
    if (again.join() !== bytes.join()) throw new Error("encode");
    if (context.checkVirtioDevCtx(bytes, NET) !== undefined) throw new Error("check");
    if (new context.VirtioDevCtxView(bytes, 0, NET).fieldsCount !== 1) throw new Error("view");
    const names = [];
    const visitor = { open() {}, close() {}, fault() {}, field: (site) => names.push(site.name) };
    context.walkVirtioDevCtx(new Reader(bytes), visitor, NET);
    if (!names.includes("dev_avail_idx")) throw new Error("walk");
    let heard = 0;
    const parser = new context.VirtioDevCtxParser(NET, { fields: () => heard++ });
    for (const byte of bytes) parser.push(Uint8Array.of(byte));
    parser.finish();
    if (heard !== 1) throw new Error("push");
    let refused = false;
    try { new Function("return 1")(); } catch { refused = true; }
    if (!refused) throw new Error("the flag does nothing");
    console.log("done");
  `;

  it("everything that is generated works", async () => {
    const file = join(folder, "program.mjs");
    writeFileSync(file, await bundle(program));
    const out = execFileSync(process.execPath, ["--disallow-code-generation-from-strings", file], {
      encoding: "utf8",
    });
    expect(out).toBe("done\n");
  });
});
