/**
 * Records which pages of given ranges a device has written, one bit a page. Taking the records clears them, and costs
 * what is dirty, not what is watched: a range of a tebibyte with three dirty pages is read in no time.
 */
import type { WriteObserver } from "./guest-memory.js";

/** In bytes, from and to a boundary of pages. */
export interface PageRange {
  readonly address: number;
  readonly length: number;
}

/** Pages that are watched together: their bits take 4 KiB, so that sparse dirt needs little memory. */
const CHUNK_PAGES = 1 << 15;
const WORD_BITS = 32;

export class WrittenPages implements WriteObserver {
  /** In bytes, a power of two. */
  readonly pageSize: number;
  readonly ranges: readonly PageRange[];
  /** Bits of the chunks that hold a dirty page, by number of the chunk. */
  private readonly chunks = new Map<number, Uint32Array>();

  /** Throws RangeError when a range is not made of whole pages, or when two overlap. */
  constructor(pageSize: number, ranges: readonly PageRange[]) {
    if (!Number.isSafeInteger(pageSize) || pageSize <= 0 || !Number.isInteger(Math.log2(pageSize))) {
      throw new RangeError(`a page cannot have ${pageSize} bytes`);
    }
    this.pageSize = pageSize;
    this.ranges = [...ranges].sort((a, b) => a.address - b.address);
    let end = 0;
    for (const { address, length } of this.ranges) {
      if (address % pageSize !== 0 || length % pageSize !== 0 || length <= 0) {
        throw new RangeError(`${length} bytes at 0x${address.toString(16)} are not whole pages`);
      }
      if (address < end) throw new RangeError(`the range at 0x${address.toString(16)} overlaps another`);
      end = address + length;
      if (!Number.isSafeInteger(end)) throw new RangeError(`a range cannot end at ${end}`);
    }
  }

  wrote(address: number, length: number): void {
    const first = Math.floor(address / this.pageSize);
    const last = Math.floor((address + length - 1) / this.pageSize);
    for (let page = first; page <= last; page++) if (this.watches(page)) this.mark(page);
  }

  /** How many records there are. */
  get count(): number {
    let count = 0;
    for (const words of this.chunks.values()) for (const word of words) count += bitCount(word);
    return count;
  }

  /**
   * Addresses of dirty pages that begin in the range, in rising order, at most `limit` of them. They are clean
   * afterwards; a page that is written from now on is in the next answer.
   */
  take(range: PageRange, limit: number): number[] {
    const from = Math.ceil(range.address / this.pageSize);
    const to = Math.ceil((range.address + range.length) / this.pageSize);
    const taken: number[] = [];
    for (const chunk of [...this.chunks.keys()].sort((a, b) => a - b)) {
      const base = chunk * CHUNK_PAGES;
      if (base + CHUNK_PAGES <= from || base >= to) continue;
      const words = this.chunks.get(chunk) as Uint32Array;
      for (let i = 0; i < words.length && taken.length < limit; i++) {
        if (words[i] === 0) continue;
        for (let bit = 0; bit < WORD_BITS && taken.length < limit; bit++) {
          const page = base + i * WORD_BITS + bit;
          const mask = 1 << bit;
          if (((words[i] as number) & mask) === 0 || page < from || page >= to) continue;
          words[i] = (words[i] as number) & ~mask;
          taken.push(page * this.pageSize);
        }
      }
      if (words.every((word) => word === 0)) this.chunks.delete(chunk);
      if (taken.length >= limit) break;
    }
    return taken;
  }

  private watches(page: number): boolean {
    const address = page * this.pageSize;
    let low = 0;
    let high = this.ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const range = this.ranges[middle] as PageRange;
      if (address < range.address) high = middle - 1;
      else if (address >= range.address + range.length) low = middle + 1;
      else return true;
    }
    return false;
  }

  private mark(page: number): void {
    const chunk = Math.floor(page / CHUNK_PAGES);
    let words = this.chunks.get(chunk);
    if (words === undefined) {
      words = new Uint32Array(CHUNK_PAGES / WORD_BITS);
      this.chunks.set(chunk, words);
    }
    const at = page % CHUNK_PAGES;
    const index = Math.floor(at / WORD_BITS);
    words[index] = (words[index] as number) | (1 << (at % WORD_BITS));
  }
}

function bitCount(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
