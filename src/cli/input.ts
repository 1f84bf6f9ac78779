/** Reads captures: files, and what only flows (pipes, standard input). */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type Io, UsageError } from "./io.js";

/** Large enough that a system call costs nothing beside the parsing of what it brings, small enough to stay in the cache. */
const CHUNK = 1 << 18;

export interface Input {
  /** What it is called in messages. */
  readonly name: string;
  /** In bytes; undefined where that shows only at the end. */
  readonly size: number | undefined;
  /** The last `size` bytes. Undefined where one cannot read backwards. */
  tail(size: number): Uint8Array | undefined;
  /** From the first byte to the last. A chunk is valid until the next is asked for. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  close(): void;
}

/** `-` is standard input. */
export function openInput(path: string, io: Io): Input {
  if (path === "-") return standardInput(io.stdin);
  try {
    return openFile(path);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Throws what the file system throws. */
function openFile(path: string): Input {
  const fd = openSync(path, "r");
  const stats = fstatSync(fd);
  if (stats.isDirectory()) {
    closeSync(fd);
    throw new Error(`${path} is a directory`);
  }
  const seekable = stats.isFile();
  return {
    name: path,
    size: seekable ? stats.size : undefined,
    tail: (size) =>
      seekable ? readAt(fd, Math.max(0, stats.size - size), Math.min(size, stats.size)) : undefined,
    chunks: () => readChunks(fd, seekable),
    close: () => closeSync(fd),
  };
}

function standardInput(stdin: AsyncIterable<Uint8Array>): Input {
  return { name: "-", size: undefined, tail: () => undefined, chunks: () => stdin, close: () => {} };
}

function readAt(fd: number, position: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let read = 0;
  while (read < size) {
    const got = readSync(fd, bytes, read, size - read, position + read);
    if (got === 0) break;
    read += got;
  }
  return bytes.subarray(0, read);
}

function* readChunks(fd: number, seekable: boolean): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK);
  let position = 0;
  while (true) {
    const got = readSync(fd, buffer, 0, CHUNK, seekable ? position : null);
    if (got === 0) return;
    position += got;
    yield buffer.subarray(0, got);
  }
}
