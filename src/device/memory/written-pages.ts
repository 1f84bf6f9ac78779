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

const WORD_BITS = 32;
/** So few that an engine keeps them with its small objects: a lonely page must not cost a buffer of its own. */
const WORDS = 16;
/** Pages that are watched together. */
const CHUNK_PAGES: number = WORDS * WORD_BITS;

/** Chunks that are kept although they are clean: less than a mebibyte. */
const SPARE = 1 << 12;

export class WrittenPages implements WriteObserver {
  /** In bytes, a power of two. */
  readonly pageSize: number;
  readonly ranges: readonly PageRange[];
  /** Bits of the chunks that hold a dirty page, by number of the chunk. */
  private readonly chunks = new Map<number, Uint32Array>();
  /** Bits of chunks that are clean again, for the next ones: pages are written and told in turn, round after round. */
  private readonly spare: Uint32Array[] = [];
  /** Numbers of those chunks in rising order, and of some that are clean by now; undefined when there is a new one. */
  private order: number[] | undefined;
  /** All before this place in the order are clean. */
  private first = 0;

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
    const order = this.ordered();
    for (let i = this.firstFrom(from, order); i < order.length && taken.length < limit; i++) {
      const chunk = order[i] as number;
      if (chunk * CHUNK_PAGES >= to) break;
      this.takeFrom(chunk, from, to, limit, taken);
    }
    while (this.first < order.length && !this.chunks.has(order[this.first] as number)) this.first++;
    return taken;
  }

  private ordered(): readonly number[] {
    if (this.order === undefined) {
      this.order = [...this.chunks.keys()].sort((a, b) => a - b);
      this.first = 0;
    }
    return this.order;
  }

  /** Where the first chunk stands that has pages from `page` on. */
  private firstFrom(page: number, order: readonly number[]): number {
    let low = this.first;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((order[middle] as number) + 1) * CHUNK_PAGES <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private takeFrom(chunk: number, from: number, to: number, limit: number, taken: number[]): void {
    const words = this.chunks.get(chunk);
    if (words === undefined) return;
    let rest = 0;
    for (let index = 0; index < WORDS; index++) {
      let left = words[index] as number;
      let kept = 0;
      while (left !== 0) {
        const bit = left & -left;
        left ^= bit;
        const page = chunk * CHUNK_PAGES + index * WORD_BITS + (WORD_BITS - 1 - Math.clz32(bit));
        if (page < from || page >= to || taken.length >= limit) kept |= bit;
        else taken.push(page * this.pageSize);
      }
      words[index] = kept;
      rest |= kept;
    }
    if (rest !== 0) return;
    this.chunks.delete(chunk);
    if (this.spare.length < SPARE) this.spare.push(words);
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
      words = this.spare.pop() ?? new Uint32Array(WORDS);
      this.chunks.set(chunk, words);
      this.order = undefined;
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
