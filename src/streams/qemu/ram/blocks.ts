/** What the section `ram` is about: blocks of the guest's memory, and who is told where the contents of their pages lie. */

export interface RamCounts {
  /** Pages sent as they are. */
  normal: number;
  zero: number;
  xbzrle: number;
  /** Bytes of XBZRLE data. */
  xbzrleBytes: number;
  /** Barriers for multifd channels. */
  flushes: number;
}

export interface RamBlock {
  readonly name: string;
  /** In bytes. */
  readonly usedLength: number;
  /** Of the host memory behind it, where the stream says so. */
  readonly pageSize: number | undefined;
  /** Where its pages lie in a mapped-ram file, by offsets in the stream, and how large each is by the header there. */
  readonly mapped:
    | { readonly bitmapOffset: number; readonly pagesOffset: number; readonly pageSize: number }
    | undefined;
  readonly pages: RamCounts;
}

export function noPages(): RamCounts {
  return { normal: 0, zero: 0, xbzrle: 0, xbzrleBytes: 0, flushes: 0 };
}

export interface RamTraits {
  /** In bytes, where something before the section said so. */
  pageSize: number | undefined;
  /** The capabilities that change the block list. */
  ignoreShared: boolean;
  mappedRam: boolean;
  postcopy: boolean;
  /** No list of blocks comes: whatever block a record names is one, of unknown length. */
  anyBlock?: boolean;
  /** Where the stream begins in the file that the offsets of mapped-ram are those of. */
  origin: number;
}

/**
 * Is told where the contents of pages lie, in the order of the stream, as soon as the heads of their records have been read.
 * Offsets in the stream are absolute.
 */
export interface RamPageSink {
  /** The contents of a page begin at `at`. */
  page(block: RamBlock, offset: number, at: number): void;
  zero(block: RamBlock, offset: number): void;
  /** What has changed in a page since it was sent last: `length` bytes of XBZRLE at `at`. */
  changes(block: RamBlock, offset: number, at: number, length: number): void;
  /** A piece of the bitmap of a mapped-ram block; its first bit stands for page `first`. Lent. */
  bitmap?(block: RamBlock, first: number, bytes: Uint8Array): void;
  /** A barrier for the multifd channels. */
  flush?(): void;
  /** A part of the section is over. */
  partEnd?(): void;
}
