/**
 * Reads the section `ram`. Pages are counted by block and kind and passed over; none is kept, and none is even looked at,
 * so memory does not depend on the size of the guest.
 */
import {
  RamSaveFlag,
  readRamBlockEntry,
  readRamSaveWord,
  readRamSaveXbzrle,
  scanRamBlockEntry,
  scanRamSaveWord,
  scanRamSaveXbzrle,
  scanRamSaveZero,
} from "../../../../generated/qemu/ram.js";
import { readQemuString8, scanQemuString8 } from "../../../../generated/qemu/stream.js";
import type { Reader } from "../../../runtime/index.js";
import { bitsSet } from "../bits.js";
import { noPages, type RamBlock, type RamCounts, type RamPageSink, type RamTraits } from "./blocks.js";
import { guessPageSize, saysPageSize } from "./page-size.js";
import { type FoundRecord, findRamRecord } from "./resync.js";
import { DONE, lacks, type RamStop, short, wrong } from "./stops.js";
import { offsetOf } from "./word.js";

/** Names in a block list beyond this are an attack on memory, not a guest. */
const MAX_BLOCKS = 4096;

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

  /** Blocks that a stream before this one has listed. */
  adopt(blocks: Iterable<RamBlock>): void {
    for (const block of blocks) this.blocks.set(block.name, { ...block, pages: noPages() });
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
        if (this.skip > 0) return lacks(reader, 1, "page data", this.skip);
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

  /** After damage: see `findRamRecord`. */
  findRecord(reader: Reader, limit: number, ended: boolean): FoundRecord | undefined {
    const { blocks, block, traits } = this;
    return findRamRecord(reader, limit, ended, { blocks, block, pageSize: traits.pageSize });
  }

  private record(reader: Reader, ended: boolean): RamStop | undefined {
    const at = reader.at;
    if (!scanRamSaveWord(reader)) return short(reader, at, "record");
    reader.at = at;
    const word = readRamSaveWord(reader);
    const { flags } = word;
    const offset = offsetOf(word);
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
        return wrong(reader, at, "tag", `a record of kind ${name} cannot be read from a file`);
      }
    }
    return wrong(
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
      if (!scanQemuString8(reader)) return short(reader, at, "record.block");
      reader.at = nameAt;
      const name = readQemuString8(reader).text;
      block = this.blocks.get(name) ?? this.admit(name);
      if (block === undefined)
        return wrong(reader, at, "constraint", `no block is called ${JSON.stringify(name)}`);
    }
    if (block === undefined) return wrong(reader, at, "constraint", "CONTINUE without a block before");
    if (offset >= block.usedLength) {
      return wrong(
        reader,
        at,
        "constraint",
        `offset 0x${offset.toString(16)} is outside ${block.name} (0x${block.usedLength.toString(16)})`,
      );
    }
    const { pageSize } = this.traits;
    if (pageSize !== undefined && offset % pageSize !== 0) {
      return wrong(reader, at, "constraint", `offset 0x${offset.toString(16)} is inside a page`);
    }
    const headAt = reader.at;
    if (flags & RamSaveFlag.RAM_SAVE_FLAG_ZERO) {
      if (!scanRamSaveZero(reader)) return short(reader, at, "record.fill");
      this.sink?.zero(block, offset);
      block.pages.zero++;
      this.part.zero++;
    } else if (flags & RamSaveFlag.RAM_SAVE_FLAG_PAGE) {
      const size = pageSize ?? guessPageSize(reader, ended);
      if (typeof size !== "number") {
        reader.at = at;
        return size;
      }
      if (pageSize === undefined) {
        this.traits.pageSize = size;
        this.pageSizeGuessed = true;
      }
      this.skip = size;
      this.sink?.page(block, offset, reader.base + reader.at);
      block.pages.normal++;
      this.part.normal++;
    } else {
      if (!scanRamSaveXbzrle(reader)) return short(reader, at, "record.xbzrle");
      reader.at = headAt;
      const { length } = readRamSaveXbzrle(reader);
      if (pageSize !== undefined && length > pageSize) {
        return wrong(reader, at, "constraint", `${length} bytes of changes to a page of ${pageSize}`);
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

  private entry(reader: Reader): RamStop | undefined {
    const at = reader.at;
    const { ignoreShared, mappedRam } = this.traits;
    const pageSized = this.traits.postcopy && saysPageSize(reader, at);
    if (typeof pageSized !== "boolean") return pageSized;
    if (!scanRamBlockEntry(reader, pageSized, ignoreShared, mappedRam))
      return short(reader, at, "block list");
    reader.at = at;
    const entry = readRamBlockEntry(reader, pageSized, ignoreShared, mappedRam);
    const name = entry.idstr.text;
    if (entry.usedLength > this.listed) {
      return wrong(
        reader,
        at,
        "constraint",
        `block ${JSON.stringify(name)} of 0x${entry.usedLength.toString(16)} bytes, 0x${this.listed.toString(16)} are left of the total`,
      );
    }
    if (name === "" || this.blocks.has(name)) {
      return wrong(
        reader,
        at,
        "constraint",
        name === "" ? "a block without a name" : `a second block ${JSON.stringify(name)}`,
      );
    }
    if (this.blocks.size === MAX_BLOCKS) return wrong(reader, at, "limit", `more than ${MAX_BLOCKS} blocks`);
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
        return wrong(reader, at, "constraint", "bitmap and pages do not follow one another behind the entry");
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
    return lacks(reader, 1, `pages of ${mapped.block.name}`, mapped.resumeAt - position);
  }
}
