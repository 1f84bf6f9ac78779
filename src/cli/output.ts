/** Files that verbs write beside those that they read. */
import { closeSync, existsSync, openSync, statSync, writeSync } from "node:fs";
import { type Patch, Patcher } from "../inspect/edit/index.js";
import type { SeekableInput } from "./input.js";

/** The input, with some of its bytes replaced. */
export async function rewrite(input: SeekableInput, out: string, patches: readonly Patch[]): Promise<void> {
  const fd = openSync(out, "w");
  try {
    const patcher = new Patcher(patches, (bytes) => writeAll(fd, bytes));
    for await (const chunk of input.chunks()) patcher.push(chunk);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done);
}

/** Whether to write to one would destroy the other. */
export function isSameFile(a: string, b: string): boolean {
  if (!existsSync(a) || !existsSync(b)) return false;
  const [one, other] = [statSync(a), statSync(b)];
  return one.dev === other.dev && one.ino === other.ino;
}
