/**
 * The example projects against the package as it would be published: packed, installed, built, and run in every place that
 * each is for. Needs `npm run build` first, and a registry for the example's own tools.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where Debian installs it. */
const CHROMIUM = "/usr/bin/chromium";

/** Put together from the layouts in the specification, not by our encoder. */
const SAMPLE = Buffer.concat([
  bytes(8, (view) => view.setBigUint64(0, 1_700_000_000_000_000n, true)),
  Buffer.from([0x01, 0x00]), // VIRTIO_ID_NET
  Buffer.from([0x04, 0x00]),
  Buffer.from("net0"),
  Buffer.from([48, 0, 0, 0]),
  // virtio_dev_part_hdr: type, flags, reserved, the selector's virtqueue index, length.
  Buffer.from([0x04, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0]),
  // virtio_dev_part_vq_cfg: size, vector, enabled, reserved, three addresses.
  Buffer.from([0x00, 0x01, 0x02, 0x00, 0x01, 0x00, 0x00, 0x00]),
  bytes(24, (view) => [0x1000n, 0x2000n, 0x3000n].forEach((at, i) => view.setBigUint64(8 * i, at, true))),
]);

const EXPECTED = [
  SAMPLE.toString("hex"),
  "net0: VIRTIO_ID_NET",
  "VIRTIO_DEV_PART_VQ_CFG: vqCfg, 32 bytes",
  // The state begins behind time, device, name and its length, and is a byte shorter than that length says.
  "truncated at 20: state",
];

function bytes(size: number, fill: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  fill(view);
  return new Uint8Array(view.buffer);
}

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** A folder with an example in it, installed with the packed package and built. */
function built(example: string): string {
  if (!existsSync(join(ROOT, "dist", "cli.js")))
    throw new Error("there is no dist/: run `npm run build` first");
  const folder = mkdtempSync(join(tmpdir(), "virtwire-consumer-"));
  const copied = (path: string): boolean => !/[\\/](?:node_modules|dist|generated)$/.test(path);
  cpSync(join(ROOT, "examples", example), folder, { recursive: true, filter: copied });
  const packed = run(ROOT, "npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder);
  run(folder, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", `./${packed.trim()}`);
  run(folder, "npm", "run", "build");
  return folder;
}

function removed(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

describe("the example of a live migration, with the packed package", () => {
  let folder = "";

  beforeAll(() => {
    folder = built("live-migration");
  });

  afterAll(() => removed(folder));

  it("moves its guest, with nothing lost", () => {
    const lines = run(folder, "npm", "start", "--silent").trimEnd().split("\n");
    expect(lines[0]).toMatch(/^round 0: \d+ pages, \d+ bytes, \d+ dirty$/);
    expect(lines.filter((line) => line.startsWith("stopped: "))).toHaveLength(1);
    expect(lines.at(-2)).toMatch(/^downtime \d+\.\d ms, \d+ of \d+ requests answered so far$/);
    expect(lines.at(-1)).toBe("1024 requests answered, the disk is what the guest wrote");
  });
});

describe("the example project, with the packed package", () => {
  let folder = "";

  beforeAll(() => {
    folder = built("consumer");
  });

  afterAll(() => removed(folder));

  it("brings none but the compiler's dependencies, and what unpacks captures", () => {
    const { dependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(folder, "node_modules", "virtwire", "package.json"), "utf8"),
    ) as Record<"dependencies" | "optionalDependencies", Record<string, string>>;
    expect(Object.keys(dependencies).sort()).toEqual([
      "chevrotain",
      "citty",
      "fflate",
      "fzstd",
      "unbzip2-stream",
      "xxhash-wasm",
      "xz-decompress",
    ]);
    expect(Object.keys(optionalDependencies)).toEqual(["koffi"]);
  });

  it("generates only its own codecs, which import the shipped ones", () => {
    const text = readFileSync(join(folder, "src", "generated", "sample.ts"), "utf8");
    expect([...text.matchAll(/from "(.*)";/g)].map((match) => match[1]).sort()).toEqual([
      "virtwire/runtime",
      "virtwire/virtio/device-parts",
      "virtwire/virtio/ids",
    ]);
  });

  it.each([
    ["ESM", "dist/main.js"],
    ["CommonJS", "dist/main.cjs"],
  ])("runs on Node as %s", (_, file) => {
    expect(run(folder, process.execPath, file).trimEnd().split("\n")).toEqual(EXPECTED);
  });

  it("fails to build when its schema is wrong, and says where", () => {
    const file = join(folder, "schemas", "sample.wire");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("virtio_device_id device;", "virtio_device_kind device;"));
    try {
      expect(() => run(folder, "npm", "run", "generate")).toThrow(
        /sample\.wire:12:3: error: .*virtio_device_kind/,
      );
    } finally {
      writeFileSync(file, text);
    }
  });

  it("runs in Chromium", (context) => {
    if (!existsSync(CHROMIUM)) {
      process.stderr.write(
        `\nNOT TESTED IN A BROWSER: there is no ${CHROMIUM} (apt-get install chromium)\n\n`,
      );
      context.skip();
    }
    const page = join(folder, "page.html");
    const script = 'console.log = (line) => document.querySelector("pre").append(line + "\\n");';
    writeFileSync(page, `<pre></pre><script>${script}</script><script src="dist/browser.js"></script>`);
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${join(folder, "profile")}`,
    ];
    const dom = run(folder, CHROMIUM, ...flags, "--dump-dom", pathToFileURL(page).href);
    expect(/<pre>(.*?)\n?<\/pre>/s.exec(dom)?.[1]?.split("\n")).toEqual(EXPECTED);
  });
});
