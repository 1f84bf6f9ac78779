/** Gives bytes that only flow a place each: they go to a temporary file, which vanishes with the process. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Memory is mostly zeroes: what is aligned like this and holds nothing else is left a hole. */
const HOLE = 4096;
const ZEROES = new Uint8Array(HOLE);

export class Spool {
  readonly fd: number;
  private length = 0;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "virtwire-"));
    try {
      this.fd = openSync(join(folder, "spool"), "wx+", 0o600);
    } finally {
      // Its name goes at once: whatever happens to the process, nothing is left behind.
      rmSync(folder, { recursive: true, force: true });
    }
  }

  append(chunk: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < chunk.length; ) {
      const end = Math.min(chunk.length, at + HOLE - ((this.length + at) % HOLE));
      if (end - at === HOLE && Buffer.compare(chunk.subarray(at, end), ZEROES) === 0) {
        this.put(chunk.subarray(from, at), this.length + from);
        from = end;
      }
      at = end;
    }
    this.put(chunk.subarray(from), this.length + from);
    this.length += chunk.length;
  }

  /** A hole at the end is no part of the file yet. */
  finish(): void {
    ftruncateSync(this.fd, this.length);
  }

  close(): void {
    closeSync(this.fd);
  }

  put(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length; )
      at += writeSync(this.fd, bytes, at, bytes.length - at, position + at);
  }

  /** Fewer bytes where the file ends. */
  read(position: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const got = readSync(this.fd, bytes, at, size - at, position + at);
      if (got === 0) break;
      at += got;
    }
    return bytes.subarray(0, at);
  }
}
