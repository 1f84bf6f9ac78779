/** The pages on the device tell the truth: the blocks of each are one program, which prints what the page says. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../cli/harness.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe.each(["device.md", "network-device.md"])("docs/%s", (page) => {
  it("runs, and prints what it says", async () => {
    const text = readFileSync(join(root, "docs", page), "utf8");
    const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? "");
    expect(blocks.length).toBeGreaterThan(0);
    const expected = /^```text\n([\s\S]*?)^```$/m.exec(text)?.[1];
    const outfile = join(temporaryFolder(), "page.mjs");
    await build({
      stdin: { contents: blocks.join("\n"), loader: "ts", resolveDir: root },
      alias: { "virtwire/device": join(root, "src/device/index.ts") },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
    });
    const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: "utf8" });
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: expected });
  }, 60_000);
});
