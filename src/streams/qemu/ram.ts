/**
 * Reads the section `ram`. Pages are counted by block and kind and passed over; none is kept, and none is even looked at,
 * so memory does not depend on the size of the guest.
 */
import {
  RAM_SAVE_WORD_SIZE,
  RamSaveFlag,
  readRamBlockEntry,
  readRamSaveWord,
  readRamSaveXbzrle,
  scanRamBlockEntry,
  scanRamSaveWord,
  scanRamSaveXbzrle,
  scanRamSaveZero,
} from "../../../generated/qemu/ram.js";
import { readQemuString8, scanQemuString8 } from "../../../generated/qemu/stream.js";
import type { Fault, FaultCode, Reader } from "../../runtime/index.js";
import { streamFault, under } from "../faults.js";
import { bitsSet } from "./bits.js";

const SCHEMA = "qemu/ram.wire";
/** Names in a block list beyond this are an attack on memory, not a guest. */
const MAX_BLOCKS = 4096;
/** The low bits of the word that hold flags whatever the page size is. */
const FLAG_RANGE = 1 << 10;
/** So many records one behind the other are no accident. */
const CONVINCING = 4;
const WORD_HIGH = 0x1_0000_0000;
/** Page sizes to try where nothing in the stream says which it is: the most common first. */
const PAGE_SIZES = [4096, 8192, 65536, 16384, 1024, 2048, 32768];

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

function noPages(): RamCounts {
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

/** Why reading stopped: more bytes are wanted, the part is over, or it is damaged. */
export type RamStop =
  | { readonly kind: "wanted"; readonly bytes: number; readonly lacking: Fault }
  | { readonly kind: "done" }
  | { readonly kind: "fault"; readonly fault: Fault };

const DONE: RamStop = { kind: "done" };

export class RamParser {
  /** In the order of the stream. */
  readonly blocks = new Map<string, RamBlock>();
  readonly traits: RamTraits;
  private readonly sink: RamPageSink | undefined;
  /** The page size was found by trying. */
  pageSizeGuessed = false;
  private part: RamCounts = noPages();
  /** CONTINUE means this one, across parts too. */
  private block: RamBlock | undefined;
  /** Bytes of page data still to pass over. */
  private skip = 0;
  /** Bytes of the block list's total that no entry has claimed yet. */
  private listed = 0;
  private inList = false;
  private first = false;
  private mapped:
    | { block: RamBlock; readonly bitmapAt: number; readonly bitmapEnd: number; readonly resumeAt: number }
    | undefined;

  constructor(traits: RamTraits, sink?: RamPageSink) {
    this.traits = traits;
    this.sink = sink;
  }

  /** A part of the section begins; the first one holds the list of blocks. */
  begin(first: boolean): void {
    this.part = noPages();
    this.first = first;
    this.recover();
  }

  /** The cursor stands at a record, whatever came before. */
  recover(): void {
    this.skip = 0;
    this.inList = false;
    this.mapped = undefined;
  }

  /** The contents of a page have not all come yet. */
  get isInsidePage(): boolean {
    return this.skip > 0;
  }

  /** What the part that is being read has brought so far. */
  get counts(): RamCounts {
    return this.part;
  }

  /** Goes on from the reader's cursor. `ended`: no more bytes will come. */
  read(reader: Reader, ended: boolean): RamStop {
    while (true) {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, reader.end - reader.at);
        reader.at += passed;
        this.skip -= passed;
        if (this.skip > 0) return this.lacks(reader, 1, "page data", this.skip);
      }
      const stop =
        this.mapped !== undefined
          ? this.region(reader)
          : this.inList
            ? this.entry(reader)
            : this.record(reader, ended);
      if (stop !== undefined) return stop;
    }
  }

  /**
   * After damage: the first index from the cursor on, and before `limit`, at which records can be read again. A word alone
   * says little, so several records must follow one another. A number: so many bytes from there on are needed to tell.
   */
  findRecord(
    reader: Reader,
    limit: number,
    ended: boolean,
  ): { readonly at: number; readonly wanted: number } | undefined {
    const start = reader.at;
    for (let at = start; at < limit; at++) {
      const wanted = this.chainAt(reader, at);
      reader.at = start;
      if (wanted === 0) return { at, wanted: 0 };
      if (wanted > 0 && !ended) return { at, wanted };
    }
    return undefined;
  }

  /** 0: records follow one another from `at` on. −1: they do not. Else how many bytes it takes to tell. */
  private chainAt(reader: Reader, at: number): number {
    const { pageSize } = this.traits;
    let { block } = this;
    reader.at = at;
    for (let records = 0; records < CONVINCING; records++) {
      if (!scanRamSaveWord(reader)) return reader.wanted - at;
      reader.at -= RAM_SAVE_WORD_SIZE;
      const word = readRamSaveWord(reader);
      const offset = word.addressHigh * WORD_HIGH + word.addressLow * FLAG_RANGE;
      const kind = word.flags & ~RamSaveFlag.RAM_SAVE_FLAG_CONTINUE;
      if (records > 0 && offset === 0 && word.flags === RamSaveFlag.RAM_SAVE_FLAG_EOS) return 0;
      if (kind !== RamSaveFlag.RAM_SAVE_FLAG_PAGE && kind !== RamSaveFlag.RAM_SAVE_FLAG_ZERO) return -1;
      if (kind === word.flags) {
        const nameAt = reader.at;
        if (!scanQemuString8(reader)) return reader.wanted - at;
        reader.at = nameAt;
        block = this.blocks.get(readQemuString8(reader).text);
      }
      if (
        block === undefined ||
        pageSize === undefined ||
        offset >= block.usedLength ||
        offset % pageSize !== 0
      )
        return -1;
      if (kind === RamSaveFlag.RAM_SAVE_FLAG_PAGE) {
        if (pageSize > reader.end - reader.at) return reader.at + pageSize - at;
        reader.at += pageSize;
      } else if (!scanRamSaveZero(reader)) {
        return reader.fault?.code === "truncated" ? reader.wanted - at : -1;
      }
    }
    return 0;
  }

  private record(reader: Reader, ended: boolean): RamStop | undefined {
    const at = reader.at;
    if (!scanRamSaveWord(reader)) return this.short(reader, at, "record");
    reader.at = at;
    const word = readRamSaveWord(reader);
    const { flags } = word;
    const offset = word.addressHigh * WORD_HIGH + word.addressLow * FLAG_RANGE;
    switch (flags & ~RamSaveFlag.RAM_SAVE_FLAG_CONTINUE) {
      case RamSaveFlag.RAM_SAVE_FLAG_PAGE:
      case RamSaveFlag.RAM_SAVE_FLAG_ZERO:
      case RamSaveFlag.RAM_SAVE_FLAG_XBZRLE:
        return this.page(reader, at, flags, offset, ended);
      case RamSaveFlag.RAM_SAVE_FLAG_EOS:
        if (flags !== RamSaveFlag.RAM_SAVE_FLAG_EOS || offset !== 0) break;
        this.sink?.partEnd?.();
        return DONE;
      case RamSaveFlag.RAM_SAVE_FLAG_MULTIFD_FLUSH:
        if (flags !== RamSaveFlag.RAM_SAVE_FLAG_MULTIFD_FLUSH || offset !== 0) break;
        this.part.flushes++;
        this.sink?.flush?.();
        return undefined;
      case RamSaveFlag.RAM_SAVE_FLAG_MEM_SIZE:
        if (flags !== RamSaveFlag.RAM_SAVE_FLAG_MEM_SIZE || !this.first || this.blocks.size > 0) break;
        this.listed = offset;
        this.inList = offset > 0;
        return undefined;
      case RamSaveFlag.RAM_SAVE_FLAG_HOOK:
      case RamSaveFlag.RAM_SAVE_FLAG_COMPRESS_PAGE:
      case RamSaveFlag.RAM_SAVE_FLAG_FULL: {
        const name =
          flags & RamSaveFlag.RAM_SAVE_FLAG_HOOK
            ? "HOOK (RDMA)"
            : flags & RamSaveFlag.RAM_SAVE_FLAG_FULL
              ? "FULL"
              : "COMPRESS_PAGE";
        return this.wrong(reader, at, "tag", `a record of kind ${name} cannot be read from a file`);
      }
    }
    return this.wrong(
      reader,
      at,
      "tag",
      `no record has the flags 0x${flags.toString(16)} at offset 0x${offset.toString(16)}`,
    );
  }

  /** Behind the word of a record about one page. Takes nothing unless the whole head is there. */
  private page(
    reader: Reader,
    at: number,
    flags: number,
    offset: number,
    ended: boolean,
  ): RamStop | undefined {
    let { block } = this;
    if ((flags & RamSaveFlag.RAM_SAVE_FLAG_CONTINUE) === 0) {
      const nameAt = reader.at;
      if (!scanQemuString8(reader)) return this.short(reader, at, "record.block");
      reader.at = nameAt;
      const name = readQemuString8(reader).text;
      block = this.blocks.get(name) ?? this.admit(name);
      if (block === undefined)
        return this.wrong(reader, at, "constraint", `no block is called ${JSON.stringify(name)}`);
    }
    if (block === undefined) return this.wrong(reader, at, "constraint", "CONTINUE without a block before");
    if (offset >= block.usedLength) {
      return this.wrong(
        reader,
        at,
        "constraint",
        `offset 0x${offset.toString(16)} is outside ${block.name} (0x${block.usedLength.toString(16)})`,
      );
    }
    const { pageSize } = this.traits;
    if (pageSize !== undefined && offset % pageSize !== 0) {
      return this.wrong(reader, at, "constraint", `offset 0x${offset.toString(16)} is inside a page`);
    }
    const headAt = reader.at;
    if (flags & RamSaveFlag.RAM_SAVE_FLAG_ZERO) {
      if (!scanRamSaveZero(reader)) return this.short(reader, at, "record.fill");
      this.sink?.zero(block, offset);
      block.pages.zero++;
      this.part.zero++;
    } else if (flags & RamSaveFlag.RAM_SAVE_FLAG_PAGE) {
      const size = pageSize ?? this.guess(reader, ended);
      if (typeof size !== "number") {
        reader.at = at;
        return size;
      }
      this.skip = size;
      this.sink?.page(block, offset, reader.base + reader.at);
      block.pages.normal++;
      this.part.normal++;
    } else {
      if (!scanRamSaveXbzrle(reader)) return this.short(reader, at, "record.xbzrle");
      reader.at = headAt;
      const { length } = readRamSaveXbzrle(reader);
      if (pageSize !== undefined && length > pageSize) {
        return this.wrong(reader, at, "constraint", `${length} bytes of changes to a page of ${pageSize}`);
      }
      this.skip = length;
      this.sink?.changes(block, offset, reader.base + reader.at, length);
      for (const counts of [block.pages, this.part]) {
        counts.xbzrle++;
        counts.xbzrleBytes += length;
      }
    }
    this.block = block;
    return undefined;
  }

  /** A block that no list has announced. */
  private admit(name: string): RamBlock | undefined {
    if (this.traits.anyBlock !== true || name === "" || this.blocks.size === MAX_BLOCKS) return undefined;
    const usedLength = Number.POSITIVE_INFINITY;
    const block = { name, usedLength, pageSize: undefined, mapped: undefined, pages: noPages() };
    this.blocks.set(name, block);
    return block;
  }

  /**
   * The size of a page, tried on the record that must stand behind it. Streams of machines with a fixed page size do not
   * carry it before the description at their end.
   */
  private guess(reader: Reader, ended: boolean): number | RamStop {
    for (const size of PAGE_SIZES) {
      const at = reader.at;
      if (size > reader.end - at && !ended) return this.lacks(reader, size, "page data", size);
      if (size > reader.end - at) continue;
      reader.at = at + size;
      const known = scanRamSaveWord(reader);
      const wanted = reader.wanted - at;
      reader.at = at + size;
      const fits = known ? this.fits(reader, size) : ended && reader.end - at === size;
      reader.at = at;
      if (!known && !ended) return this.lacks(reader, wanted, "page data", size);
      if (fits) {
        this.traits.pageSize = size;
        this.pageSizeGuessed = true;
        return size;
      }
    }
    // The input may end inside the very first page.
    const [likely = 0] = PAGE_SIZES;
    if (reader.end - reader.at < likely) return this.lacks(reader, likely, "page data", likely);
    return {
      kind: "fault",
      fault: this.at(reader, reader.at, "constraint", "no page size makes sense of what follows this record"),
    };
  }

  private fits(reader: Reader, pageSize: number): boolean {
    const word = readRamSaveWord(reader);
    const offset = word.addressHigh * WORD_HIGH + word.addressLow * FLAG_RANGE;
    const kind = word.flags & ~RamSaveFlag.RAM_SAVE_FLAG_CONTINUE;
    if (kind === RamSaveFlag.RAM_SAVE_FLAG_EOS || kind === RamSaveFlag.RAM_SAVE_FLAG_MULTIFD_FLUSH)
      return offset === 0 && kind === word.flags;
    return (
      (kind === RamSaveFlag.RAM_SAVE_FLAG_PAGE ||
        kind === RamSaveFlag.RAM_SAVE_FLAG_ZERO ||
        kind === RamSaveFlag.RAM_SAVE_FLAG_XBZRLE) &&
      offset % pageSize === 0
    );
  }

  private entry(reader: Reader): RamStop | undefined {
    const at = reader.at;
    const { ignoreShared, mappedRam } = this.traits;
    const pageSized = this.pageSized(reader, at);
    if (typeof pageSized !== "boolean") return pageSized;
    if (!scanRamBlockEntry(reader, pageSized, ignoreShared, mappedRam))
      return this.short(reader, at, "block list");
    reader.at = at;
    const entry = readRamBlockEntry(reader, pageSized, ignoreShared, mappedRam);
    const name = entry.idstr.text;
    if (entry.usedLength > this.listed) {
      return this.wrong(
        reader,
        at,
        "constraint",
        `block ${JSON.stringify(name)} of 0x${entry.usedLength.toString(16)} bytes, 0x${this.listed.toString(16)} are left of the total`,
      );
    }
    if (name === "" || this.blocks.has(name)) {
      return this.wrong(
        reader,
        at,
        "constraint",
        name === "" ? "a block without a name" : `a second block ${JSON.stringify(name)}`,
      );
    }
    if (this.blocks.size === MAX_BLOCKS)
      return this.wrong(reader, at, "limit", `more than ${MAX_BLOCKS} blocks`);
    const { origin } = this.traits;
    const mapped = entry.mapped && {
      bitmapOffset: entry.mapped.bitmapOffset - origin,
      pagesOffset: entry.mapped.pagesOffset - origin,
      pageSize: entry.mapped.pageSize,
    };
    const block: RamBlock = {
      name,
      usedLength: entry.usedLength,
      pageSize: entry.pageSize,
      mapped,
      pages: noPages(),
    };
    if (mapped !== undefined) {
      const { bitmapOffset, pagesOffset, pageSize } = mapped;
      const pages = Math.ceil(entry.usedLength / Math.max(1, pageSize));
      const bitmapEnd = bitmapOffset + Math.ceil(pages / 64) * 8;
      if (bitmapOffset < reader.base + reader.at || pagesOffset < bitmapEnd) {
        return this.wrong(
          reader,
          at,
          "constraint",
          "bitmap and pages do not follow one another behind the entry",
        );
      }
      this.traits.pageSize ??= pageSize;
      this.mapped = { block, bitmapAt: bitmapOffset, bitmapEnd, resumeAt: pagesOffset + entry.usedLength };
    }
    this.blocks.set(name, block);
    this.listed -= entry.usedLength;
    this.inList = this.listed > 0;
    return undefined;
  }

  /**
   * Whether the entry at `at` says how large its block's pages are: nothing in front of it does. What stands behind an
   * entry without it is another name, whose length is not zero, or a record, whose flags are not.
   */
  private pageSized(reader: Reader, at: number): boolean | RamStop {
    if (!this.traits.postcopy) return false;
    if (!scanRamBlockEntry(reader, false, false, false)) return this.short(reader, at, "block list");
    const behind = reader.at;
    const whole = scanRamSaveWord(reader);
    reader.at = behind;
    if (!whole) {
      const stop = this.lacks(reader, reader.wanted - at, "block list", 8);
      reader.at = at;
      return stop;
    }
    const word = readRamSaveWord(reader);
    reader.at = at;
    const value = word.addressHigh * WORD_HIGH + word.addressLow * FLAG_RANGE;
    return word.flags === 0 && value > 0 && Number.isInteger(Math.log2(value)) && value < 2 ** 40;
  }

  /**
   * How many bytes from offset `position` on are passed over unseen: behind the bitmap of a mapped-ram block, up to where
   * the records go on. While there is such a block nothing else is being read, not even after damage.
   */
  unseen(position: number): number {
    const { mapped } = this;
    return mapped === undefined || position < mapped.bitmapEnd ? 0 : Math.max(0, mapped.resumeAt - position);
  }

  /** The bitmap of a mapped-ram block says which pages are there; then the pages are passed over. */
  private region(reader: Reader): RamStop | undefined {
    const { mapped } = this;
    if (mapped === undefined) return undefined;
    while (reader.at < reader.end) {
      const position = reader.base + reader.at;
      if (position >= mapped.resumeAt) break;
      const left = reader.end - reader.at;
      if (position < mapped.bitmapAt || position >= mapped.bitmapEnd) {
        const until = position < mapped.bitmapAt ? mapped.bitmapAt : mapped.resumeAt;
        reader.at += Math.min(left, until - position);
      } else {
        const size = Math.min(left, mapped.bitmapEnd - position);
        const bytes = reader.slice(size);
        this.sink?.bitmap?.(mapped.block, (position - mapped.bitmapAt) * 8, bytes);
        const set = bitsSet(bytes);
        mapped.block.pages.normal += set;
        this.part.normal += set;
      }
    }
    const position = reader.base + reader.at;
    if (position >= mapped.resumeAt) {
      this.mapped = undefined;
      return undefined;
    }
    return this.lacks(reader, 1, `pages of ${mapped.block.name}`, mapped.resumeAt - position);
  }

  /** After a scan that failed: more bytes are needed, or they are wrong. Puts the cursor back to `at`. */
  private short(reader: Reader, at: number, path: string): RamStop {
    const fault = under(`ram.${path}`, reader.fault as Fault);
    reader.at = at;
    if (fault.code !== "truncated") return { kind: "fault", fault };
    return { kind: "wanted", bytes: reader.wanted - at, lacking: fault };
  }

  private lacks(reader: Reader, bytes: number, path: string, need: number): RamStop {
    const fault = this.at(reader, reader.at, "truncated", undefined, path, need, reader.end - reader.at);
    return { kind: "wanted", bytes, lacking: fault };
  }

  private wrong(reader: Reader, at: number, code: FaultCode, detail: string): RamStop {
    reader.at = at;
    return { kind: "fault", fault: this.at(reader, at, code, detail) };
  }

  private at(
    reader: Reader,
    at: number,
    code: FaultCode,
    detail: string | undefined,
    path = "record",
    need?: number,
    had?: number,
  ): Fault {
    return streamFault(SCHEMA, code, `ram.${path}`, reader.base + at, detail, need, had);
  }
}
