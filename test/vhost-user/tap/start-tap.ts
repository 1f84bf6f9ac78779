/** `virtwire tap` in this process, once it listens. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ran, virtwire } from "../../cli/harness.js";

export interface RunningTap {
  /** Where front-ends connect to. */
  readonly path: string;
  readonly file: string;
  /** As somebody does by Ctrl-C; gives what it said. With `--once` it may have ended by itself. */
  end(): Promise<Ran>;
  /** It has ended by itself. */
  readonly done: Promise<Ran>;
}

export async function startTap(
  path: string,
  backend: string,
  file: string,
  ...options: readonly string[]
): Promise<RunningTap> {
  let interrupt = (): void => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const argv = ["tap", "--listen", path, "--connect", backend, "-o", file, ...options];
  const done = virtwire(argv, { interrupted: () => interrupted });
  let over: Ran | undefined;
  done.then((ran) => {
    over = ran;
  });
  while (!existsSync(path)) {
    if (over !== undefined) throw new Error(`the tap has ended: ${over.err}`);
    await sleep(5);
  }
  const end = async (): Promise<Ran> => {
    interrupt();
    return await done;
  };
  return { path, file, end, done };
}
