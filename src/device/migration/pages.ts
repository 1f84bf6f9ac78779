/** The pages of a guest on their way: which there are, which to send, and where those that come belong. */
import { GuestAddressError, type GuestMemory, type Segment } from "../memory/guest-memory.js";
import { type PageRange, WrittenPages } from "../memory/written-pages.js";
import { MigrationError } from "./migration-error.js";

/** As large as a message of pages gets, as far as pages are smaller. */
const RUN_BYTES = 1 << 16;
const EVERYTHING: PageRange = { address: 0, length: Number.MAX_SAFE_INTEGER };

/** The regions of a memory as ranges of pages. @throws MigrationError mismatch when one is not made of whole pages. */
export function rangesOf(memory: GuestMemory, pageSize: number): readonly PageRange[] {
  if (!Number.isInteger(Math.log2(pageSize))) {
    throw new MigrationError("mismatch", `pages cannot have ${pageSize} bytes`);
  }
  return memory.regions.map(({ guestAddress, bytes }) => {
    if (guestAddress % pageSize !== 0 || bytes.length % pageSize !== 0) {
      throw new MigrationError(
        "mismatch",
        `the region of ${bytes.length} bytes at 0x${guestAddress.toString(16)} is not made of pages of ${pageSize}`,
      );
    }
    return { address: guestAddress, length: bytes.length };
  });
}

export function memorySize(memory: GuestMemory): number {
  return memory.regions.reduce((size, { bytes }) => size + bytes.length, 0);
}

/** A set of pages that costs what is in it, however large the guest is. */
export class PageSet {
  private readonly pages: WrittenPages;

  constructor(pageSize: number, ranges: readonly PageRange[]) {
    this.pages = new WrittenPages(pageSize, ranges);
  }

  get size(): number {
    return this.pages.count;
  }

  add(address: number, length = 1): void {
    this.pages.wrote(address, length);
  }

  /** All of them, in rising order; the set is empty afterwards. */
  take(): number[] {
    return this.pages.take(EVERYTHING, Number.POSITIVE_INFINITY);
  }
}

export function* allPages(ranges: readonly PageRange[], pageSize: number): Generator<number> {
  for (const { address, length } of ranges) {
    for (let at = 0; at < length; at += pageSize) yield address + at;
  }
}

/** Neighbouring pages, as they were when they were read. */
export interface PageRun {
  readonly address: number;
  readonly pages: number;
  readonly bytes: Uint8Array;
  /** There is nothing in them but zeros. */
  readonly zero: boolean;
}

/** Reads pages, and gathers neighbours that are alike. */
export function* pageRuns(
  memory: GuestMemory,
  pages: Iterable<number>,
  pageSize: number,
): Generator<PageRun> {
  let start = 0;
  let length = 0;
  for (const page of pages) {
    if (length > 0 && (page !== start + length || length >= RUN_BYTES)) {
      yield* split(memory, start, length, pageSize);
      length = 0;
    }
    if (length === 0) start = page;
    length += pageSize;
  }
  if (length > 0) yield* split(memory, start, length, pageSize);
}

function* split(memory: GuestMemory, address: number, length: number, pageSize: number): Generator<PageRun> {
  const bytes = memory.read(address, length);
  const pageAt = (at: number): Uint8Array => bytes.subarray(at, at + pageSize);
  for (let from = 0; from < length; ) {
    const zero = isZero(pageAt(from));
    let to = from + pageSize;
    while (to < length && isZero(pageAt(to)) === zero) to += pageSize;
    yield { address: address + from, pages: (to - from) / pageSize, bytes: bytes.subarray(from, to), zero };
    from = to;
  }
}

/** A page of a copy that begins on a boundary of words, compared a word at a time. */
function isZero({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  const words = new Uint32Array(buffer, byteOffset, byteLength / Uint32Array.BYTES_PER_ELEMENT);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

/** Takes pages into a memory that was empty, and can make it so again. */
export class ArrivingPages {
  readonly pageSize: number;
  private readonly memory: GuestMemory;
  private readonly arrived: PageSet;

  constructor(memory: GuestMemory, pageSize: number, ranges: readonly PageRange[]) {
    this.memory = memory;
    this.pageSize = pageSize;
    this.arrived = new PageSet(pageSize, ranges);
  }

  /** @throws MigrationError limit when they are not whole pages, or lie in no memory. */
  put(address: number, bytes: Uint8Array): void {
    this.fill(address, bytes.length, (part, at) => part.set(bytes.subarray(at, at + part.length)));
  }

  /** @throws MigrationError limit when they are not whole pages, or lie in no memory. */
  putZeros(address: number, length: number): void {
    this.fill(address, length, (part) => part.fill(0));
  }

  private fill(address: number, length: number, write: (part: Uint8Array, at: number) => void): void {
    const { memory, pageSize } = this;
    if (address % pageSize !== 0 || length % pageSize !== 0 || length === 0) {
      throw new MigrationError("limit", `${length} bytes at 0x${address.toString(16)} are not whole pages`);
    }
    for (const { address: start, region, at, length: size } of this.segments(address, length)) {
      write(region.bytes.subarray(at, at + size), start - address);
      memory.wrote(start, size);
    }
    this.arrived.add(address, length);
  }

  private segments(address: number, length: number): readonly Segment[] {
    try {
      return this.memory.segments(address, length);
    } catch (error) {
      if (!(error instanceof GuestAddressError)) throw error;
      throw new MigrationError("limit", error.message, { cause: error });
    }
  }

  /** As if nothing had come. */
  clear(): void {
    const zeros = new Uint8Array(this.pageSize);
    for (const page of this.arrived.take()) this.memory.write(page, zeros);
  }
}
