/** What a decoder costs those who bundle it, and where the generated code runs. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

/** `contents` bundled with the goldens and the runtime that it imports. */
async function bundle(contents: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("../goldens", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

describe("a bundle", () => {
  it("of one decoder, with its runtime, takes 2 kB", async () => {
    const bytes = await bundle('export { decodeVqCfg } from "./fixed.js";');
    expect(gzipSync(bytes).length).toBeLessThanOrEqual(2000);
  });

  it("of one decoder holds nothing of the others", async () => {
    const text = new TextDecoder().decode(await bundle('export { decodeVqCfg } from "./fixed.js";'));
    expect(text).toContain("queue_size");
    expect(text).not.toContain("idstr");
    expect(text).not.toContain("misfit");
  });

  it("runs where code cannot be made from strings", async () => {
    const source = `
      import { decodeContext, encodeContext, checkContext } from "./tagged.js";
      const bytes = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 232, 3, 0, 0);
      const value = decodeContext(bytes);
      console.log(JSON.stringify([value, [...encodeContext(value)], checkContext(bytes.subarray(0, 22))?.message]));
    `;
    const text = new TextDecoder().decode(await bundle(source));
    const flags = ["--disallow-code-generation-from-strings", "--input-type=module", "-e"];
    const output = execFileSync(process.execPath, [...flags, text], { encoding: "utf8" });
    expect(JSON.parse(output)).toEqual([
      { fields: [{ type: 0, value: { case: "speed", value: 1000 } }] },
      [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 232, 3, 0, 0],
      "truncated: fields[0].value at 0x14: needs 4 bytes, has 2 (tagged.wire:10)",
    ]);
  });
});
