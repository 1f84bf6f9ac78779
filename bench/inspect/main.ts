/**
 * `virtwire inspect` as a whole process against others: `npm run bench:inspect`, after `npm run build`. Linux only.
 *
 * On 4 GB of holes in a mapped-ram file against `cat`; and on 100 MB of pages against QEMU's analyze-migration.py, when
 * ANALYZE_MIGRATION names it. Each ratio is the other's time or memory by ours, so above 1 is better than the other.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, type Took } from "./run.js";
import { writePrecopy, writeSparse } from "./streams.js";

/** The middle one is shown: other work on the machine comes and goes. */
const TRIES = 3;
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** About as many pages of either sort as a Linux guest of 160 MiB sends. */
const PAGES = 23_800;
const ZERO_PAGES = 17_500;
const SPARSE_SIZE = 4 * 2 ** 30;

async function middle(name: string, program: string, args: readonly string[]): Promise<Took> {
  const tries: Took[] = [];
  for (let i = 0; i < TRIES; i++) tries.push(await run(program, args));
  const of = (key: keyof Took): number =>
    tries.map((took) => took[key]).sort((a, b) => a - b)[Math.floor(TRIES / 2)] ?? 0;
  const took = { seconds: of("seconds"), memory: of("memory") };
  console.log(`${name.padEnd(32)} ${took.seconds.toFixed(2)} s ${Math.round(took.memory / 2 ** 20)} MiB`);
  return took;
}

function ratios(other: Took, ours: Took): void {
  const time = (other.seconds / ours.seconds).toFixed(2);
  console.log(`  time ${time}×, memory ${(other.memory / ours.memory).toFixed(2)}×`);
}

const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-"));
try {
  const sparse = join(folder, "sparse.mig");
  writeSparse(sparse, SPARSE_SIZE);
  const cat = await middle("cat, 4 GB of holes", "cat", [sparse]);
  ratios(cat, await middle("inspect, 4 GB of holes", process.execPath, [CLI, "inspect", sparse]));

  const precopy = join(folder, "precopy.mig");
  writePrecopy(precopy, PAGES, ZERO_PAGES);
  const inspect = await middle("inspect, 100 MB", process.execPath, [CLI, "inspect", precopy]);
  const script = process.env["ANALYZE_MIGRATION"];
  if (script === undefined) console.log("analyze-migration.py: ANALYZE_MIGRATION does not name it");
  else ratios(await middle("analyze-migration.py, 100 MB", "python3", [script, "-f", precopy]), inspect);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
