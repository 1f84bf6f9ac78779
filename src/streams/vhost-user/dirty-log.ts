/**
 * The dirty log: one bit for each page of guest-physical memory from address 0, in memory that both sides share. The
 * back-end marks pages while the front-end takes them, so bits change by atomic operations only.
 */
import { VHOST_LOG_PAGE } from "../../../generated/vhost-user/messages.js";

/** In bytes; 64-bit, as memory regions give it. */
export interface GuestRange {
  readonly guestPhysAddr: bigint;
  readonly memorySize: bigint;
}

const PAGE = BigInt(VHOST_LOG_PAGE);
const BITS = 8;

/**
 * How many bytes a log of all these ranges takes at least. QEMU makes its logs a multiple of 8. Used rings that are logged
 * outside of all regions are ranges as well.
 */
export function dirtyLogSize(ranges: readonly GuestRange[]): bigint {
  let end = 0n;
  for (const { guestPhysAddr, memorySize } of ranges) {
    if (memorySize > 0n && guestPhysAddr + memorySize > end) end = guestPhysAddr + memorySize;
  }
  const pages = (end + PAGE - 1n) / PAGE;
  return (pages + BigInt(BITS) - 1n) / BigInt(BITS);
}

/** A view of a log. The bitmap should lie in a SharedArrayBuffer or in memory that is mapped on both sides. */
export class DirtyLog {
  readonly bitmap: Uint8Array;

  constructor(bitmap: Uint8Array) {
    this.bitmap = bitmap;
  }

  /** Marks the pages that `length` bytes at a guest-physical address touch. Throws RangeError outside of the log. */
  mark(address: bigint, length = 1): void {
    if (address < 0n || !Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`${length} bytes at ${address}`);
    }
    if (length === 0) return;
    const first = address / PAGE;
    const last = (address + BigInt(length) - 1n) / PAGE;
    if (last >= BigInt(this.bitmap.length) * BigInt(BITS)) {
      throw new RangeError(`page ${last} is outside of a log of ${this.bitmap.length} bytes`);
    }
    for (let page = Number(first); page <= Number(last); page++) {
      Atomics.or(this.bitmap, Math.floor(page / BITS), 1 << (page % BITS));
    }
  }

  isDirty(address: bigint): boolean {
    const page = address / PAGE;
    if (address < 0n || page >= BigInt(this.bitmap.length) * BigInt(BITS)) return false;
    return (
      (Atomics.load(this.bitmap, Number(page / BigInt(BITS))) & (1 << Number(page % BigInt(BITS)))) !== 0
    );
  }

  /** The dirty pages, by number, in rising order. */
  *pages(): Generator<number> {
    for (let byte = 0; byte < this.bitmap.length; byte++)
      yield* bitsOf(Atomics.load(this.bitmap, byte), byte);
  }

  /** The same, and clears them: a page that is marked in the meantime is in this round or the next, never lost. */
  *take(): Generator<number> {
    for (let byte = 0; byte < this.bitmap.length; byte++) {
      // Most of a log is clean: no page of it is written for nothing.
      if (Atomics.load(this.bitmap, byte) === 0) continue;
      yield* bitsOf(Atomics.exchange(this.bitmap, byte, 0), byte);
    }
  }
}

function* bitsOf(value: number, byte: number): Generator<number> {
  for (let bit = 0; bit < BITS; bit++) if ((value & (1 << bit)) !== 0) yield byte * BITS + bit;
}
