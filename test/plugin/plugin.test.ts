/** The build plugin in the real bundlers: each builds the same small project. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { buildSync } from "esbuild";
import { createServer } from "vite";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { virtwire as forVite } from "../../src/plugin/vite.js";
import { bundlers, pluginOptions, type Result } from "./bundlers.js";

const RUNTIME = fileURLToPath(new URL("../../src/runtime/index.ts", import.meta.url));

const SCHEMA = "module first little;\n\nstruct first { le16 x; le32 y; }\n";
const WRONG = SCHEMA.replace("le32", "le33");
const MAIN = `import { decodeFirst } from "./generated/first.ts";
globalThis.decoded = JSON.stringify(decodeFirst(new Uint8Array([1, 2, 3, 4, 5, 6])));
`;
/** Little-endian, by hand. */
const DECODED = { x: 0x0201, y: 0x06050403 };

interface Fixture {
  readonly folder: string;
  readonly save: (text: string) => void;
}

function fixture(): Fixture {
  // Bundlers report real paths, and a temporary folder may stand behind a link.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "virtwire-")));
  // A bundler that is being closed may still be writing.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  const installed = join(folder, "node_modules", "virtwire");
  for (const path of [installed, join(folder, "schemas"), join(folder, "src")])
    mkdirSync(path, { recursive: true });
  const manifest = { name: "virtwire", type: "module", exports: { "./runtime": "./runtime.js" } };
  writeFileSync(join(installed, "package.json"), JSON.stringify(manifest));
  buildSync({ entryPoints: [RUNTIME], bundle: true, format: "esm", outfile: join(installed, "runtime.js") });
  writeFileSync(join(folder, "src", "main.js"), MAIN);
  const save = (text: string): void => writeFileSync(join(folder, "schemas", "first.wire"), text);
  save(SCHEMA);
  return { folder, save };
}

function decoded(result: Result): unknown {
  if ("error" in result) throw new Error(result.error);
  const globals: { decoded?: string; Uint8Array: typeof Uint8Array } = { Uint8Array };
  runInNewContext(result.code, globals);
  return JSON.parse(globals.decoded ?? "null");
}

describe.each(Object.entries(bundlers))("the plugin in %s", (_, bundler) => {
  it("generates codecs before the build needs them", async () => {
    const { folder } = fixture();
    expect(decoded(await bundler.build(folder))).toEqual(DECODED);
  });

  it("fails the build for a mistake in a schema, with its place", async () => {
    const { folder, save } = fixture();
    save(WRONG);
    expect(await bundler.build(folder)).toEqual({
      error: expect.stringMatching(/schemas\/first\.wire:3:24: error: .*`le33`/),
    });
  });

  it("builds again when a schema changes, and goes on after a mistake", async () => {
    const { folder, save } = fixture();
    const results: Result[] = [];
    const stop = await bundler.watch(folder, (result) => results.push(result));
    onTestFinished(stop);
    const last = (): Result => results.at(-1) ?? { error: "nothing has been built" };
    const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 20 });
    // Watchers take two changes within some milliseconds for one, and tell before the second: nobody types that fast.
    const edit = async (text: string) => {
      await new Promise((resolve) => setTimeout(resolve, 250));
      save(text);
    };
    await until(() => expect(decoded(last())).toEqual(DECODED));
    await edit(SCHEMA.replace("le32 y", "be32 y"));
    await until(() => expect(decoded(last())).toEqual({ x: 0x0201, y: 0x03040506 }));
    await edit(WRONG);
    await until(() => expect(last()).toEqual({ error: expect.stringContaining("first.wire:3:24: ") }));
    await edit(SCHEMA.replace("le32 y", "le32 z"));
    await until(() => expect(decoded(last())).toEqual({ x: 0x0201, z: 0x06050403 }));
  });
});

describe("the plugin in Vite's server", () => {
  it("follows changed and new schemas, and reports mistakes", async () => {
    const { folder, save } = fixture();
    const errors: string[] = [];
    const server = await createServer({
      configFile: false,
      root: folder,
      logLevel: "silent",
      server: { middlewareMode: true, ws: false },
      optimizeDeps: { noDiscovery: true },
      plugins: [forVite(pluginOptions(folder))],
    });
    onTestFinished(() => server.close());
    server.config.logger.error = (message) => {
      errors.push(message);
    };
    const served = async (): Promise<string> =>
      (await server.transformRequest("/src/generated/first.ts"))?.code ?? "";
    expect(await served()).toContain("decodeFirst");
    const until = (check: () => unknown) => vi.waitFor(check, { timeout: 10_000, interval: 20 });
    save(WRONG);
    await until(() => expect(errors.join()).toContain("first.wire:3:24: error: "));
    // Vite's watcher takes two changes of a file within some milliseconds for one, and tells before the second.
    await new Promise((resolve) => setTimeout(resolve, 100));
    save(SCHEMA.replace("struct first", "struct other"));
    await until(async () => expect(await served()).toContain("decodeOther"));
    writeFileSync(join(folder, "schemas", "second.wire"), SCHEMA.replaceAll("first", "second"));
    const second = join(folder, "src", "generated", "second.ts");
    await until(() => expect(readFileSync(second, "utf8")).toContain("decodeSecond"));
  });
});
