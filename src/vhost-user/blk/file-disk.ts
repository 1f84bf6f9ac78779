/** A disk in a file. Reads and writes go between the file and guest memory without a copy, and without waiting. */
import { type FileHandle, open } from "node:fs/promises";
import type { Disk } from "../../device/index.js";
import { openSystem, type System } from "../system/index.js";

const SECTOR_BYTES = 512;
/** What zeros are written with where a file cannot have holes. @unit bytes */
const ZEROS = new Uint8Array(1 << 20);

export class FileDisk implements Disk {
  readonly length: number;
  private readonly file: FileHandle;
  private readonly system: System;

  private constructor(file: FileHandle, length: number, system: System) {
    this.file = file;
    this.length = length;
    this.system = system;
  }

  /**
   * Nobody else may write to the file while it is a disk, except the other side of a migration.
   * @throws RangeError when it is no file of whole sectors; what `open` throws
   */
  static async open(path: string): Promise<FileDisk> {
    const system = await openSystem();
    const file = await open(path, "r+");
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new RangeError(`${path} is no file`);
      if (stats.size === 0 || stats.size % SECTOR_BYTES !== 0) {
        throw new RangeError(`${path} has ${stats.size} bytes, not whole sectors of ${SECTOR_BYTES}`);
      }
      return new FileDisk(file, stats.size, system);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(at: number, into: readonly Uint8Array[]): Promise<void> {
    await throughout(at, into, async (pieces, from) => (await this.file.readv(pieces, from)).bytesRead);
  }

  async write(at: number, from: readonly Uint8Array[]): Promise<void> {
    await throughout(at, from, async (pieces, to) => (await this.file.writev(pieces, to)).bytesWritten);
  }

  async flush(): Promise<void> {
    await this.file.datasync();
  }

  /** A hole in the file, or zeros where its file system has none. */
  async clear(at: number, length: number): Promise<void> {
    if (length === 0 || this.system.punchHole(this.file.fd, at, length)) return;
    for (let done = 0; done < length; ) {
      const { bytesWritten } = await this.file.write(
        ZEROS,
        0,
        Math.min(ZEROS.length, length - done),
        at + done,
      );
      done += bytesWritten;
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** All of the pieces, however little is transferred at once. */
async function throughout(
  start: number,
  pieces: readonly Uint8Array[],
  transfer: (pieces: readonly Uint8Array[], at: number) => Promise<number>,
): Promise<void> {
  let left = pieces.filter(({ length }) => length > 0);
  for (let at = start; left.length > 0; ) {
    let done = await transfer(left, at);
    if (done === 0) throw new Error("the file has become shorter");
    at += done;
    while (left[0] !== undefined && done >= left[0].length) {
      done -= left[0].length;
      left = left.slice(1);
    }
    const [first, ...others] = left;
    if (first !== undefined && done > 0) left = [first.subarray(done), ...others];
  }
}
