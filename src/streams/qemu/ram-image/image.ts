/**
 * The guest's memory as the streams of a migration leave it: for each page of each block, where its newest content lies. No
 * content is kept: 8 bytes a page, 12 where several channels carry pages, and 24 for each XBZRLE record. A guest of 64 GiB
 * with pages of 4 KiB takes 128 MiB.
 */
import type { Fault, FaultCode } from "../../../runtime/index.js";
import { streamFault } from "../../faults.js";
import { type Change, ChangeList } from "./changes.js";
import {
  changedCode,
  isMissing,
  locationOf,
  MAX_INPUTS,
  MAX_OFFSET,
  type PageLocation,
  plainCode,
} from "./location.js";
import { type MapBudget, PageMap } from "./page-map.js";

const SCHEMA = "qemu/ram.wire";
const DEFAULT_MAX_BYTES = 1 << 30;
/** What remembering a range of discarded pages takes, about. */
const DISCARD_BYTES = 64;

export interface RamImageOptions {
  /** Multifd channels bring pages too: then it matters in which round each came. */
  readonly channels: boolean;
  readonly onFault: (fault: Fault) => void;
  /** What the image may take, in bytes. */
  readonly maxBytes?: number;
}

export interface ImageBlock {
  readonly name: string;
  /** In bytes. */
  readonly usedLength: number;
  readonly pageSize: number;
}

/** Pages of a block by where their newest content lies. */
export interface BlockCoverage {
  plain: number;
  zero: number;
  packed: number;
  changed: number;
  missing: number;
}

interface Discard {
  readonly first: number;
  readonly end: number;
  readonly round: number;
}

interface Block extends ImageBlock {
  readonly map: PageMap;
  readonly discarded: Discard[];
}

/** In which round a page came, and whether it takes the place of another of the same round. */
export interface Arrival {
  readonly round: number;
  readonly wins: boolean;
}

export class RamImage {
  private readonly known = new Map<string, Block>();
  private readonly options: RamImageOptions;
  private readonly budget: MapBudget;
  private readonly changes: ChangeList;
  private full = false;

  constructor(options: RamImageOptions) {
    this.options = options;
    this.budget = { left: options.maxBytes ?? DEFAULT_MAX_BYTES };
    this.changes = new ChangeList(this.budget);
  }

  /** In the order of the stream. */
  get blocks(): readonly ImageBlock[] {
    return [...this.known.values()];
  }

  block(name: string): ImageBlock | undefined {
    return this.known.get(name);
  }

  declare(name: string, usedLength: number, pageSize: number): void {
    if (this.known.has(name)) return;
    const map = new PageMap(this.budget, this.options.channels);
    this.known.set(name, { name, usedLength, pageSize, map, discarded: [] });
  }

  /** `at`: where the stream says so, for the fault when there is no such page. */
  put(name: string, offset: number, code: number, arrival: Arrival, at: number): void {
    const block = this.known.get(name);
    if (block === undefined || offset >= block.usedLength) {
      const detail =
        block === undefined
          ? `no block is called ${JSON.stringify(name)}`
          : `offset 0x${offset.toString(16)} is outside ${name} (0x${block.usedLength.toString(16)})`;
      this.fault("constraint", "ram.page", at, detail);
      return;
    }
    const page = Math.floor(offset / block.pageSize);
    const { round, wins } = arrival;
    if (!wins && (block.map.isNewer(page, round) || isDiscarded(block, page, round))) return;
    if (!block.map.set(page, code, round)) this.overflow(at);
  }

  /** A page whose content lies at `at` of an input. */
  putPlain(name: string, offset: number, input: number, at: number, arrival: Arrival): void {
    if (at >= MAX_OFFSET || input >= MAX_INPUTS) this.overflow(at);
    else this.put(name, offset, plainCode(input, at), arrival, at);
  }

  /** Changes to what the page was before, `length` bytes at `at` of the main stream. */
  change(name: string, offset: number, at: number, length: number, arrival: Arrival): void {
    const block = this.known.get(name);
    const base = block?.map.get(Math.floor(offset / block.pageSize)) ?? 0;
    if (isMissing(base)) {
      const detail = `changes to page 0x${offset.toString(16)} of ${name}, which was not sent before`;
      this.fault("constraint", "ram.xbzrle", at, detail);
      return;
    }
    const index = this.changes.add({ base, at, length });
    if (index === undefined) this.overflow(at);
    else this.put(name, offset, changedCode(index), arrival, at);
  }

  /** The destination forgets what it has of these pages. */
  discard(name: string, start: number, length: number, round: number): void {
    const block = this.known.get(name);
    if (block === undefined) return;
    const first = Math.floor(start / block.pageSize);
    const end = Math.ceil((start + length) / block.pageSize);
    block.map.clear(first, end);
    // Channels are read after the main stream: what they sent before is forgotten, too.
    if (!this.options.channels) return;
    if (this.budget.left < DISCARD_BYTES) {
      this.overflow(start);
      return;
    }
    this.budget.left -= DISCARD_BYTES;
    block.discarded.push({ first, end, round });
  }

  /** The code of a page's content: see location.ts. */
  codeOf(name: string, page: number): number {
    return this.known.get(name)?.map.get(page) ?? 0;
  }

  /** Pages with content or zeroes, in order. */
  *pagesOf(name: string): Generator<{ readonly page: number; readonly code: number }> {
    for (const { first, values } of this.known.get(name)?.map.filled() ?? []) {
      for (let i = 0; i < values.length; i++) {
        const code = values[i] ?? 0;
        if (!isMissing(code)) yield { page: first + i, code };
      }
    }
  }

  locate(code: number): PageLocation {
    return locationOf(code);
  }

  changeAt(index: number): Change {
    return this.changes.get(index);
  }

  coverage(name: string): BlockCoverage {
    const counts: BlockCoverage = { plain: 0, zero: 0, packed: 0, changed: 0, missing: 0 };
    const block = this.known.get(name);
    if (block === undefined) return counts;
    for (const { code } of this.pagesOf(name)) counts[locationOf(code).kind]++;
    const { plain, zero, packed, changed } = counts;
    counts.missing = Math.ceil(block.usedLength / block.pageSize) - plain - zero - packed - changed;
    return counts;
  }

  private overflow(at: number): void {
    if (this.full) return;
    this.full = true;
    const limit = this.options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.fault("limit", "ram", at, `more pages than an index of ${limit} bytes can hold`);
  }

  fault(code: FaultCode, path: string, at: number, detail: string): void {
    this.options.onFault(streamFault(SCHEMA, code, path, at, detail));
  }
}

function isDiscarded(block: Block, page: number, round: number): boolean {
  return block.discarded.some(({ first, end, round: then }) => page >= first && page < end && then >= round);
}
