/**
 * Which files of a migration were written after a break of its connection. Their streams go on from the one before them,
 * so that they are read in that order.
 */
import { statSync } from "node:fs";
import { DETECTION_SIZE, magicKind } from "../inspect/kinds.js";
import { isResumedMain } from "../streams/qemu/resumed.js";
import { openInput } from "./input.js";
import type { Io } from "./io.js";

export interface BrokenMigration {
  readonly ordered: readonly string[];
  /** Those behind a break, in the order in which they were given. */
  readonly resumed: readonly string[];
}

export async function afterBreaks(
  files: readonly string[],
  io: Io,
  snapshot: string | undefined,
): Promise<BrokenMigration> {
  const resumed: string[] = [];
  const mains: string[] = [];
  for (const file of files) {
    // What comes through a pipe can be looked at only once.
    if (!isFile(file)) continue;
    const prefix = await prefixOf(file, io, snapshot);
    if (isResumedMain(prefix)) resumed.push(file);
    else if (magicKind(prefix) === "qemu-stream") mains.push(file);
  }
  if (resumed.length === 0) return { ordered: files, resumed };
  const first = new Set([...mains, ...resumed]);
  return { ordered: [...first, ...files.filter((file) => !first.has(file))], resumed };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function prefixOf(file: string, io: Io, snapshot: string | undefined): Promise<Uint8Array> {
  const input = openInput(file, io, { snapshot });
  try {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of input.chunks()) {
      pieces.push(chunk.slice(0, DETECTION_SIZE - size));
      size += chunk.length;
      if (size >= DETECTION_SIZE) break;
    }
    return Buffer.concat(pieces);
  } finally {
    input.close();
  }
}
