/** Opens captures: files, what only flows (pipes, standard input), and what is wrapped in either. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Fault } from "../runtime/index.js";
import type { Wrapper } from "./containers/facts.js";
import { type Source, sourceOf } from "./containers/source.js";
import { Spool } from "./containers/spool.js";
import { type Unwrapping, unwrap } from "./containers/unwrap.js";
import { type Io, UsageError } from "./io.js";
import { Progress } from "./progress.js";

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

/** An input that can be read at any place, and again. */
export interface SeekableInput extends Input {
  readonly size: number;
  readonly read: NonNullable<Source["read"]>;
}

/** `-` is standard input. Throws `UsageError`. */
export function openInput(path: string, io: Io, options: InputOptions = {}): Input {
  const { source, close } = openOuter(path, io);
  const state = unwrapping(options);
  return inputOf(titleOf(path), unwrapped(path, source, state, close), state, close);
}

/**
 * For verbs that look at a capture twice, or back into it: what only flows, as pipes and compressed files do, is put into a
 * temporary file first. Throws `UsageError`.
 */
export async function openSeekable(path: string, io: Io, options: InputOptions = {}): Promise<SeekableInput> {
  let { source, close } = openOuter(path, io);
  const state = unwrapping(options);
  source = unwrapped(path, source, state, close);
  // Again and again, for a qcow2 image can come through a pipe, and hold something compressed.
  while (!isSeekable(source)) {
    const spool = await spooled(source, close, io);
    close = () => spool.close();
    source = unwrapped(path, fileSource(spool.fd), state, close);
  }
  const { size, read } = source;
  // Assigned, not spread: what an input tells only later has to stay a getter.
  return Object.assign(inputOf(titleOf(path), source, state, close), { size, read });
}

/** Throws `UsageError` when what can be read once only is named twice. */
export function refuseToReadTwice(paths: readonly (string | undefined)[]): void {
  if (paths.indexOf("-") !== paths.lastIndexOf("-"))
    throw new UsageError("standard input (-) can be read once only");
}

function titleOf(path: string): string {
  return path === "-" ? "standard input" : path;
}

interface Outer {
  readonly source: Source;
  readonly close: () => void;
}

function openOuter(path: string, io: Io): Outer {
  if (path === "-") return { source: flowing(io.stdin), close: () => {} };
  const fd = openSync(path, "r");
  const close = (): void => closeSync(fd);
  return { source: guarded(path, close, () => fileSource(fd)), close };
}

function unwrapping({ snapshot }: InputOptions): Unwrapping {
  return { wrappers: [], damage: undefined, origin: 0, snapshot };
}

function unwrapped(path: string, source: Source, state: Unwrapping, close: () => void): Source {
  return guarded(path, close, () => unwrap(source, state));
}

/** Closes what is open when it turns out to be of no use, and says of what that is said. */
function guarded(path: string, close: () => void, open: () => Source): Source {
  try {
    return open();
  } catch (error) {
    close();
    throw error instanceof UsageError ? new UsageError(`${titleOf(path)}: ${error.message}`) : error;
  }
}

type SeekableSource = Source & Pick<SeekableInput, "size" | "read">;

function isSeekable(source: Source): source is SeekableSource {
  return source.read !== undefined && source.size !== undefined;
}

async function spooled(source: Source, close: () => void, io: Io): Promise<Spool> {
  const spool = new Spool();
  const progress = new Progress(io, { size: source.size });
  try {
    for await (const chunk of source.chunks()) {
      progress.advance(chunk.length);
      spool.append(chunk);
    }
    spool.finish();
    return spool;
  } catch (error) {
    spool.close();
    throw error;
  } finally {
    progress.end();
    close();
  }
}

function inputOf(name: string, source: Source, state: Unwrapping, close: () => void): Input {
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
