/**
 * `virtwire inspect` as a whole process against others: `npm run bench:inspect`, after `npm run build`. Linux, python3.
 *
 * 100 MB of pages behind few devices and behind many, against QEMU's analyze-migration.py when ANALYZE_MIGRATION names it;
 * and 4 GB of holes in a mapped-ram file against `cat`. Ratios are the other's by ours, so above 1 is better than the
 * other. `--gate` holds the promises that are made of them, with exit 1.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, type Took } from "./run.js";
import { type Devices, writePrecopy, writeSparse } from "./streams.js";

/** The least of them counts: other work on the machine only ever adds to it. */
const TRIES = 5;
/** How often a promise that is not held is looked at once more. */
const AGAIN = 2;
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
/** About as many pages of either sort as a Linux guest of 160 MiB sends. */
const PAGES = 23_800;
const ZERO_PAGES = 17_500;
const SPARSE_SIZE = 4 * 2 ** 30;

const FORMS: Readonly<Record<string, readonly string[]>> = {
  inspect: [],
  "inspect --format json": ["--format", "json"],
  "inspect --compat": ["--compat", "analyze-migration"],
};

interface Promised {
  readonly devices: Devices;
  readonly form: string;
  /** At least so many times better than the script. */
  readonly time: number;
  readonly memory: number;
}

const PROMISED: readonly Promised[] = [
  { devices: "many", form: "inspect", time: 4, memory: 4 },
  { devices: "many", form: "inspect --format json", time: 2, memory: 4 },
  { devices: "many", form: "inspect --compat", time: 3, memory: 3 },
];

const script = process.env["ANALYZE_MIGRATION"];
const isGate = process.argv.includes("--gate");
if (isGate && script === undefined) throw new Error("the gate needs ANALYZE_MIGRATION");
const folder = mkdtempSync(join(tmpdir(), "virtwire-bench-"));
const broken: string[] = [];
try {
  for (const devices of ["few", "many"] as const) await againstScript(devices);
  await againstCat();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const text of broken) console.log(`broken: ${text}`);
if (isGate && broken.length > 0) process.exitCode = 1;

async function againstScript(devices: Devices): Promise<void> {
  const file = join(folder, `${devices}.mig`);
  writePrecopy(file, devices, PAGES, ZERO_PAGES);
  console.log(`100 MB, ${devices} devices`);
  if (script === undefined) console.log("  analyze-migration.py: ANALYZE_MIGRATION does not name it");
  const theirs = async (): Promise<Took | undefined> =>
    script === undefined
      ? undefined
      : least("analyze-migration.py -d state", "python3", [script, "-d", "state", "-f", file]);
  let other = await theirs();
  for (const [form, args] of Object.entries(FORMS)) {
    const measure = (): Promise<Took> =>
      least(form, process.execPath, [CLI, "inspect", file, ...args], other);
    let ours = await measure();
    const promised = PROMISED.find((one) => one.devices === devices && one.form === form);
    if (other === undefined || promised === undefined) continue;
    // What else the machine does has met one of them alone.
    for (let again = 0; again < AGAIN && breach(promised, other, ours) !== undefined; again++) {
      other = (await theirs()) ?? other;
      ours = await measure();
    }
    const text = breach(promised, other, ours);
    if (text !== undefined) broken.push(text);
  }
  rmSync(file);
}

async function againstCat(): Promise<void> {
  const file = join(folder, "sparse.mig");
  writeSparse(file, SPARSE_SIZE);
  console.log("4 GB of holes");
  const cat = await least("cat", "cat", [file]);
  await least("inspect", process.execPath, [CLI, "inspect", file], cat);
}

async function least(name: string, program: string, args: readonly string[], other?: Took): Promise<Took> {
  const tries: Took[] = [];
  for (let i = 0; i < TRIES; i++) tries.push(await run(program, args));
  const of = (key: keyof Took): number => Math.min(...tries.map((took) => took[key]));
  // Of memory the most counts: that much has to be there.
  const memory = Math.max(...tries.map((took) => took.memory));
  const took = { seconds: of("seconds"), elapsed: of("elapsed"), memory };
  const figures = `${took.seconds.toFixed(2)} s of processors, ${took.elapsed.toFixed(2)} s, ${Math.round(took.memory / 2 ** 20)} MiB`;
  console.log(`  ${name.padEnd(32)} ${figures}${other === undefined ? "" : ratios(other, took)}`);
  return took;
}

function ratios(other: Took, ours: Took): string {
  const of = (key: keyof Took): string => `${(other[key] / ours[key]).toFixed(2)}×`;
  return `: ${of("seconds")} of processors, ${of("elapsed")} in time, ${of("memory")} in memory`;
}

/** What of the promise is not held, if anything. */
function breach({ devices, form, time, memory }: Promised, theirs: Took, ours: Took): string | undefined {
  const what = `${form}, ${devices} devices`;
  if (theirs.seconds < time * ours.seconds) return `${what}: not ${time} times as fast as the script`;
  return theirs.memory < memory * ours.memory ? `${what}: more than 1/${memory} of its memory` : undefined;
}
