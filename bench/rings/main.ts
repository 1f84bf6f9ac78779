/**
 * The device's side of virtqueues, and pings through the whole network device: `npm run bench:rings [-- FILTER]`.
 *
 * Everything is in one process, and the guest's side costs next to nothing. Each case runs in a process of its own: what
 * an engine makes of a function depends on all that was called before. The best round counts, because other work on the
 * machine only ever makes rounds longer.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cases } from "./cases.js";
import { RING_SIZE } from "./guest.js";

/** Half of it is for the engine to find out what is hot. */
const MILLISECONDS = 4000;
const ROUNDS = 10;

/** Nanoseconds for each buffer. */
function measure(name: string): number {
  const round = cases[name]?.();
  if (round === undefined) throw new Error(`there is no case ${name}`);
  const start = performance.now();
  const samples: number[] = [];
  while (performance.now() - start < MILLISECONDS) {
    const before = performance.now();
    for (let i = 0; i < ROUNDS; i++) round();
    samples.push(((performance.now() - before) * 1e6) / (ROUNDS * RING_SIZE));
  }
  return Math.min(...samples.slice(samples.length / 2));
}

const [filter = "", only] = process.argv.slice(2);
if (only !== undefined) process.stdout.write(String(measure(only)));
else {
  for (const name of Object.keys(cases).filter((one) => new RegExp(filter).test(one))) {
    const self = fileURLToPath(import.meta.url);
    const child = execFileSync(process.execPath, ["--import", "tsx", self, "", name], { encoding: "utf8" });
    const nanoseconds = Number(child);
    console.log(
      `${name.padEnd(32)} ${nanoseconds.toFixed(0).padStart(6)} ns ${(1e3 / nanoseconds).toFixed(2).padStart(7)} M/s`,
    );
  }
}
