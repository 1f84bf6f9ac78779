/** Files that verbs write beside those that they read. */
import { closeSync, existsSync, openSync, statSync, writeFileSync } from "node:fs";
import { type Patch, Patcher } from "../inspect/edit/index.js";
import type { SeekableInput } from "./input.js";
import { UsageError } from "./io.js";

/** The input, with some of its bytes replaced. */
export function rewrite(input: SeekableInput, out: string, patches: readonly Patch[]): Promise<void> {
  return withOutput(out, async (fd) => {
    const patcher = new Patcher(patches, (bytes) => writeFileSync(fd, bytes));
    for await (const chunk of input.chunks()) patcher.push(chunk);
  });
}

/** Opens a file to write to for as long as `use` needs it. */
export async function withOutput<T>(path: string, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = openSync(path, "w");
  try {
    return await use(fd);
  } catch (error) {
    // By its descriptor alone the system cannot say which file is full.
    throw error instanceof Error && WRITING.has(syscallOf(error)) ? Object.assign(error, { path }) : error;
  } finally {
    closeSync(fd);
  }
}

const WRITING: ReadonlySet<unknown> = new Set(["write", "ftruncate"]);

function syscallOf(error: Error): unknown {
  return "syscall" in error ? error.syscall : undefined;
}

/** Throws `UsageError` where to write would destroy what is read. */
export function refuseToOverwrite(inputs: readonly string[], out: string): void {
  if (inputs.some((input) => isSameFile(input, out)))
    throw new UsageError(`${out} is read: write to another file`);
}

function isSameFile(a: string, b: string): boolean {
  if (!existsSync(a) || !existsSync(b)) return false;
  const [one, other] = [statSync(a), statSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}
