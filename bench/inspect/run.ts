/** Runs a program to its end, and says what it took. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

export interface Took {
  readonly seconds: number;
  /** The most memory that it had, in bytes. */
  readonly memory: number;
}

/** In milliseconds. The kernel keeps the peak, so only what is taken after the last look is missed. */
const LOOK_EVERY = 5;

/** What it prints goes where `cat` is not slowed down by a reader. */
export async function run(program: string, args: readonly string[]): Promise<Took> {
  const nowhere = openSync("/dev/null", "w");
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", nowhere, "inherit"] });
  let memory = 0;
  const timer = setInterval(() => {
    memory = Math.max(memory, child.pid === undefined ? 0 : peakOf(child.pid));
  }, LOOK_EVERY);
  try {
    const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
    if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${String(code)}`);
    return { seconds: (performance.now() - start) / 1000, memory };
  } finally {
    clearInterval(timer);
    closeSync(nowhere);
  }
}

function peakOf(pid: number): number {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    // It has ended since the last look.
    return 0;
  }
}
