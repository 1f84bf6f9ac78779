/**
 * A push parser for the channel of the capability postcopy-preempt: pages that were asked for overtake those of the main
 * channel here. It is nothing but records of pages, and EOS, without a header or a list of blocks. By itself, any name is
 * one, and the size of a page is found by trying.
 *
 * Memory: a page and the head of the record behind it, besides one chunk.
 */
import {
  RamSaveFlag,
  readRamSavePageHead,
  readRamSaveWord,
  scanRamSavePageHead,
  scanRamSaveWord,
  scanRamSaveZero,
} from "../../../generated/qemu/ram.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { Window } from "../window.js";
import type { RamBlock } from "./ram/blocks.js";
import { RamParser } from "./ram/parser.js";

/** The head of a page has been read; its content follows. */
export interface PreemptPageEvent {
  readonly kind: "page";
  readonly block: string;
  /** In the block, in bytes. */
  readonly offset: number;
  /** Where the content begins; undefined for a page of zeroes. */
  readonly at: number | undefined;
}

export type PreemptEvent =
  | PreemptPageEvent
  /** Bytes that were not looked at, behind a fault. */
  | { readonly kind: "gap"; readonly at: number; readonly size: number }
  | { readonly kind: "fault"; readonly fault: Fault };

/** What the main channel has told. */
export interface PreemptOptions {
  /** Of a target page. */
  readonly pageSize?: number | undefined;
  readonly blocks?: ReadonlyMap<string, RamBlock>;
}

export class PreemptParser {
  private readonly listener: (event: PreemptEvent) => void;
  private readonly ram: RamParser;
  private readonly window = new Window();
  private gapAt: number | undefined;
  private ended = false;

  constructor(listener: (event: PreemptEvent) => void, { pageSize, blocks }: PreemptOptions = {}) {
    this.listener = listener;
    const page = (block: RamBlock, offset: number, at: number | undefined): void =>
      listener({ kind: "page", block: block.name, offset, at });
    const anyBlock = blocks === undefined;
    this.ram = new RamParser(
      { pageSize, ignoreShared: false, mappedRam: false, postcopy: true, origin: 0, anyBlock },
      {
        page,
        zero: (block, offset) => page(block, offset, undefined),
        // Postcopy sends none.
        changes: () => {},
      },
    );
    for (const [name, block] of blocks ?? []) this.ram.blocks.set(name, block);
    this.ram.begin(false);
  }

  /** The contents of a page have not all come yet. */
  get isInsidePage(): boolean {
    return this.ram.isInsidePage;
  }

  /** Of a target page, once it is known. */
  get pageSize(): number | undefined {
    return this.ram.traits.pageSize;
  }

  push(chunk: Uint8Array): void {
    this.window.push(chunk, (reader) => this.parse(reader));
  }

  /** The input is over. */
  end(): void {
    this.ended = true;
    this.window.finish((reader) => this.parse(reader));
    if (this.gapAt !== undefined && this.window.at > this.gapAt) {
      this.listener({ kind: "gap", at: this.gapAt, size: this.window.at - this.gapAt });
    }
  }

  private parse(reader: Reader): number {
    while (this.gapAt === undefined) {
      // The channel may end behind any record, with EOS or without.
      if (reader.at === reader.end && !this.ram.isInsidePage) return 1;
      const stop = this.ram.read(reader, this.ended);
      if (stop.kind === "done") continue;
      const isOver = this.ended && reader.at === reader.end && !this.ram.isInsidePage;
      if (isOver) return 1;
      if (stop.kind === "wanted" && !this.ended) return stop.bytes;
      this.gapAt = reader.base + reader.at;
      this.listener({ kind: "fault", fault: stop.kind === "wanted" ? stop.lacking : stop.fault });
    }
    reader.at = reader.end;
    return 1;
  }
}

/** Whether a capture could be such a channel: it begins with a page of a named block. */
export function isPreemptChannel(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix);
  if (!scanRamSavePageHead(reader)) return false;
  reader.at = 0;
  const { word, block } = readRamSavePageHead(reader);
  if (block === undefined || !/^[\x21-\x7e]+$/.test(block.text) || reader.at >= prefix.length) return false;
  if (word.flags === RamSaveFlag.RAM_SAVE_FLAG_PAGE) return true;
  // A page of zeroes is too short to be told by itself.
  if (word.flags !== RamSaveFlag.RAM_SAVE_FLAG_ZERO || !scanRamSaveZero(reader)) return false;
  if (reader.at === reader.end) return true;
  const at = reader.at;
  if (!scanRamSaveWord(reader)) return false;
  reader.at = at;
  const kind = readRamSaveWord(reader).flags & ~RamSaveFlag.RAM_SAVE_FLAG_CONTINUE;
  return kind === RamSaveFlag.RAM_SAVE_FLAG_PAGE || kind === RamSaveFlag.RAM_SAVE_FLAG_ZERO;
}
