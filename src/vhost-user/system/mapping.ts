/**
 * A mapping of shared memory. Views do not own it, and touching one after `close` ends the process: whoever hands out
 * `windows` has to take them back first.
 */
import { fstatSync } from "node:fs";
import type { Descriptor } from "./descriptor.js";
import type { Closable, System } from "./system.js";

/** Node 20 has no longer ArrayBuffers, and koffi ends the process for one. A multiple of all page sizes. @unit bytes */
const WINDOW = 2 ** 32;

/** A piece of a mapping. */
export interface Window {
  /** From the start of the mapping. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class Mapping implements Closable {
  /** In bytes. */
  readonly length: number;
  private readonly system: System;
  private readonly address: bigint;
  private readonly mappedLength: number;
  private pieces: readonly Window[];

  private constructor(system: System, address: bigint, offset: number, length: number) {
    this.system = system;
    this.address = address;
    this.length = length;
    this.mappedLength = offset + length;
    this.pieces = Array.from({ length: Math.ceil(length / WINDOW) }, (_, i) => {
      const at = i * WINDOW;
      const size = Math.min(WINDOW, length - at);
      return { offset: at, bytes: new Uint8Array(system.native.view(address + BigInt(offset + at), size)) };
    });
  }

  /** See System.map. */
  static of(system: System, descriptor: Descriptor, offset: number, length: number): Mapping {
    const end = offset + length;
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(end) || offset < 0 || length <= 0) {
      throw new RangeError(`${length} bytes at ${offset} cannot be mapped`);
    }
    // Beyond the end of a file mmap works, and the first access ends the process.
    const stat = fstatSync(descriptor.fd);
    if (!stat.isFile()) throw new RangeError("only a file can be mapped");
    if (stat.size < end) throw new RangeError(`a file of ${stat.size} bytes, mapped are ${end}`);
    // From the start, because an offset would have to be a multiple of the page size, which for huge pages varies.
    return new Mapping(system, system.native.mmap(descriptor.fd, end), offset, length);
  }

  /** The memory, in pieces of at most 4 GiB; none once it is closed. */
  get windows(): readonly Window[] {
    return this.pieces;
  }

  /** The memory of a mapping of at most 4 GiB. Throws RangeError for a larger one, and for one that is closed. */
  get bytes(): Uint8Array {
    const [only] = this.pieces;
    if (only === undefined || this.pieces.length > 1) throw new RangeError("not one piece of memory");
    return only.bytes;
  }

  /** May be called again. */
  close(): void {
    if (this.pieces.length === 0) return;
    this.pieces = [];
    this.system.disown(this);
    this.system.native.munmap(this.address, this.mappedLength);
  }
}
