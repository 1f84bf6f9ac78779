/** Standard output and standard error, which wait until their reader has taken what is written: nothing piles up in memory. */
import { writeSync } from "node:fs";
import { EXIT } from "./io.js";

type Write = (text: string | Uint8Array) => void;

/** In milliseconds, between two tries of a reader that is behind. */
const PAUSE = 2;

export function standardOutput(isTerminal: boolean): Write {
  return isTerminal ? toTerminal(process.stdout, stop) : toDescriptor(1, stop);
}

/** Where nobody hears what is wrong, the exit code still says it. */
export function standardError(isTerminal: boolean): Write {
  return isTerminal ? toTerminal(process.stderr, () => {}) : toDescriptor(2, () => {});
}

function stop(error: NodeJS.ErrnoException): void {
  // Whoever read the output has seen enough: that is no error of ours.
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  process.stderr.write(`standard output: ${error.message}\n`);
  process.exit(EXIT.usage);
}

/** As fast as its program; and some systems have encodings of their own for it. */
function toTerminal(stream: NodeJS.WriteStream, onError: (error: NodeJS.ErrnoException) => void): Write {
  stream.on("error", onError);
  return (text) => stream.write(text);
}

/** Not `process.stdout`: it takes what a pipe does not, and keeps it, all of a listing in front of a slow reader. */
function toDescriptor(fd: number, onError: (error: NodeJS.ErrnoException) => void): Write {
  return (text) => {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(fd, bytes, at);
      } catch (error) {
        if (isBehind(error)) pause();
        else return onError(error as NodeJS.ErrnoException);
      }
    }
  };
}

/** Whoever shares a pipe with us may have made it one that does not block. */
function isBehind(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}
