/** What is read from the disk before a QEMU stream is inspected: the codecs of all kinds together are three times as much. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("inspect of a QEMU stream", () => {
  it("loads no codecs of other kinds of captures", async () => {
    const { metafile } = await build({
      absWorkingDir: ROOT,
      entryPoints: ["src/cli/main.ts"],
      bundle: true,
      splitting: true,
      write: false,
      metafile: true,
      packages: "external",
      platform: "node",
      format: "esm",
      outdir: "dist",
      logLevel: "silent",
    });
    const outputs = new Map(Object.entries(metafile.outputs));
    const read = new Set<string>();
    const wait = [...outputs]
      .filter(([, { entryPoint = "" }]) =>
        ["src/cli/main.ts", "src/cli/inspect.ts", "src/inspect/qemu/inspection.ts"].includes(entryPoint),
      )
      .map(([path]) => path);
    expect(wait).toHaveLength(3);
    const seen = new Set(wait);
    for (const path of seen) {
      const output = outputs.get(path);
      for (const input of Object.keys(output?.inputs ?? {})) read.add(input);
      for (const { kind, path: next } of output?.imports ?? [])
        if (kind === "import-statement" && outputs.has(next)) seen.add(next);
    }
    expect(read).toContain("generated/qemu/stream.ts");
    const foreign = [
      "generated/vhost-user/messages.ts",
      "generated/virtio/device-parts.ts",
      "generated/capture/pcapng.ts",
      "src/inspect/conversation/inspection.ts",
      "src/inspect/detect.ts",
      "src/inspect/explain/index.ts",
      "src/schema/index.ts",
    ];
    expect([...read].filter((path) => foreign.includes(path))).toEqual([]);
  });
});
