/** The example is what its README says: it runs against the sources as it would against the package. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { temporaryFolder } from "../cli/harness.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

it("moves a guest under load, and its disk is what it wrote", async () => {
  const outfile = join(temporaryFolder(), "main.mjs");
  await build({
    entryPoints: [join(root, "examples/live-migration/src/main.ts")],
    alias: { "virtwire/device": join(root, "src/device/index.ts") },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^round 0: 1024 pages, \d+ bytes, \d+ dirty$/);
  expect(lines.at(-3)).toMatch(/^stopped: \d+ pages, \d+ bytes, 0 dirty$/);
  expect(lines.at(-2)).toMatch(/^downtime [\d.]+ ms, \d+ of \d+ requests answered so far$/);
  expect(lines.at(-1)).toBe("1024 requests answered, the disk is what the guest wrote");
}, 120_000);
