/** Runs a program to its end, and says what it took. */
import { spawn } from "node:child_process";

export interface Took {
  /** Of processors, by the program and what it started. */
  readonly seconds: number;
  /** By the clock: other work on the machine counts. */
  readonly elapsed: number;
  /** The most memory that it had, in bytes. */
  readonly memory: number;
}

/** The kernel keeps all of it, but tells it only to who has waited for the program: Node does not pass it on. */
const MEASURE = `
import json, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "seconds": used.ru_utime + used.ru_stime,
    "elapsed": time.monotonic() - start,
    "memory": used.ru_maxrss * 1024,
}))
sys.exit(code)
`;

/** What it prints goes where nobody slows it down. Needs python3, as the script that is compared with does. */
export async function run(program: string, args: readonly string[]): Promise<Took> {
  const child = spawn("python3", ["-c", MEASURE, program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit ${String(code)}`);
  return JSON.parse(text) as Took;
}
