/**
 * `npm run fuzz -- TARGET [SECONDS]`: feeds a target with what libFuzzer finds, until it fails or the time is over. The
 * fuzzer, `@jazzer.js/core`, is not among the dependencies: its native part needs a newer C library than some systems have
 * (glibc 2.38), and would stand in the way of `npm install` there.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { seeds } from "./seeds.js";
import { targets } from "./targets.js";

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(here, "../../.cache/fuzz");
const DEFAULT_SECONDS = 60;
const MAX_LENGTH = 1 << 16;

const NEEDED = `The fuzzer is not installed. It is not a dependency of this package:

  npm install --no-save @jazzer.js/core@4.0.0

Where the C library is older than glibc 2.38, VIRTWIRE_FUZZ_NODE names a node that runs on a newer one, with all its
arguments: "…/ld-linux-x86-64.so.2 --library-path … /usr/bin/node".
`;

async function fuzz(name: string, seconds: number): Promise<number> {
  const jazzer = fuzzer();
  if (jazzer === undefined) {
    process.stderr.write(NEEDED);
    return 2;
  }
  const corpus = join(folder, `${name}-corpus`);
  mkdirSync(corpus, { recursive: true });
  (seeds[name]?.() ?? []).forEach((seed, i) => {
    writeFileSync(join(corpus, `seed-${i}`), seed);
  });
  const bundle = join(folder, `${name}.cjs`);
  // One file of JavaScript: the fuzzer looks at which of its branches are taken.
  await build({
    stdin: {
      contents: `import { targets } from "./targets.js"; export const fuzz = (data) => targets[${JSON.stringify(name)}](new Uint8Array(data));`,
      resolveDir: here,
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: bundle,
    logLevel: "warning",
  });
  const [node = process.execPath, ...before] = (process.env["VIRTWIRE_FUZZ_NODE"] ?? process.execPath).split(
    " ",
  );
  const limits = [`-max_total_time=${seconds}`, `-max_len=${MAX_LENGTH}`, "-timeout=10"];
  const { status } = spawnSync(node, [...before, jazzer, bundle, corpus, "--sync", "--", ...limits], {
    stdio: "inherit",
    cwd: folder,
  });
  return status ?? 1;
}

/** The script that starts it. */
function fuzzer(): string | undefined {
  try {
    return join(
      dirname(createRequire(import.meta.url).resolve("@jazzer.js/core/package.json")),
      "dist/cli.js",
    );
  } catch {
    return undefined;
  }
}

const [name = "", seconds = String(DEFAULT_SECONDS)] = process.argv.slice(2);
if (!Object.hasOwn(targets, name) || !/^[1-9]\d*$/.test(seconds)) {
  process.stderr.write(`npm run fuzz -- TARGET [SECONDS], of ${Object.keys(targets).join(", ")}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await fuzz(name, Number(seconds));
}
