/** What a block device keeps its sectors on. */

/**
 * A disk. What takes a while gives a promise, and is done when that resolves; nothing else is changed before. A failure,
 * thrown or rejected, is an I/O error to the driver. Places and lengths have been checked.
 */
export interface Disk {
  /** In bytes: whole sectors. */
  readonly length: number;
  /** Reads into pieces, one after the other, from a place on. They are the guest's memory. */
  read(at: number, into: readonly Uint8Array[]): Promise<void> | undefined;
  write(at: number, from: readonly Uint8Array[]): Promise<void> | undefined;
  /** What was written before survives a crash of the host. */
  flush(): Promise<void> | undefined;
  /** Reads as zeros from now on, and may give up its space. */
  clear(at: number, length: number): Promise<void> | undefined;
}

/** A disk in memory: everything is done at once. */
export class MemoryDisk implements Disk {
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get length(): number {
    return this.bytes.length;
  }

  read(at: number, into: readonly Uint8Array[]): undefined {
    let from = at;
    for (const piece of into) {
      piece.set(this.bytes.subarray(from, from + piece.length));
      from += piece.length;
    }
  }

  write(at: number, from: readonly Uint8Array[]): undefined {
    let to = at;
    for (const piece of from) {
      this.bytes.set(piece, to);
      to += piece.length;
    }
  }

  flush(): undefined {}

  clear(at: number, length: number): undefined {
    this.bytes.fill(0, at, at + length);
  }
}
