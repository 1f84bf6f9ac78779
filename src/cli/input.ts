/** Opens captures: files, what only flows (pipes, standard input), and what is wrapped in either. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Fault } from "../runtime/index.js";
import type { Wrapper } from "./containers/facts.js";
import { type Source, sourceOf } from "./containers/source.js";
import { type Unwrapping, unwrap } from "./containers/unwrap.js";
import { type Io, UsageError } from "./io.js";

/** Large enough that a system call costs nothing beside the parsing of what it brings, small enough to stay in the cache. */
const CHUNK = 1 << 18;

/** The bytes of a capture, without what they were wrapped in. Offsets and sizes are those of the bytes inside. */
export interface Input extends Source {
  /** What it is called in messages. */
  readonly name: string;
  /** What it was wrapped in, outermost first. Of what only flows, known when the first bytes have been read. */
  readonly wrappers: readonly Wrapper[];
  /** What is wrong with a wrapper, when it ended the bytes too early. Known when all have been read. */
  readonly damage: Fault | undefined;
  /** Where the bytes begin in the file that offsets in them (of mapped-ram) are those of. */
  readonly origin: number;
  /** The last `size` bytes. Undefined where one cannot read backwards. */
  tail(size: number): Uint8Array | undefined;
  close(): void;
}

export interface InputOptions {
  /** Name or id of the snapshot in a qcow2 image. */
  readonly snapshot?: string | undefined;
}

/** `-` is standard input. Throws `UsageError`. */
export function openInput(path: string, io: Io, options: InputOptions = {}): Input {
  if (path === "-") return inputOf("-", flowing(io.stdin), () => {}, options);
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  try {
    return inputOf(path, fileSource(fd), () => closeSync(fd), options);
  } catch (error) {
    closeSync(fd);
    throw error instanceof UsageError ? new UsageError(`${path}: ${error.message}`) : error;
  }
}

function inputOf(name: string, outer: Source, close: () => void, { snapshot }: InputOptions): Input {
  const state: Unwrapping = { wrappers: [], damage: undefined, origin: 0, snapshot };
  const source = unwrap(outer, state);
  return {
    name,
    size: source.size,
    read: source.read,
    chunks: () => source.chunks(),
    get wrappers() {
      return state.wrappers;
    },
    get damage() {
      return state.damage;
    },
    get origin() {
      return state.origin;
    },
    tail(size) {
      if (source.size === undefined) return undefined;
      return source.read?.(Math.max(0, source.size - size), size);
    },
    close,
  };
}

function fileSource(fd: number): Source {
  const stats = fstatSync(fd);
  if (stats.isDirectory()) throw new UsageError("is a directory");
  if (!stats.isFile()) return flowing(readForward(fd));
  return { ...sourceOf(stats.size, (at, size) => readAt(fd, at, size)), chunks: () => readForward(fd, 0) };
}

function flowing(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Source {
  return { size: undefined, read: undefined, chunks: () => chunks };
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

/** One buffer for all chunks. `from`: where to begin, in a file that has places. */
function* readForward(fd: number, from?: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK);
  let position = from ?? null;
  while (true) {
    const got = readSync(fd, buffer, 0, CHUNK, position);
    if (got === 0) return;
    if (position !== null) position += got;
    yield buffer.subarray(0, got);
  }
}
