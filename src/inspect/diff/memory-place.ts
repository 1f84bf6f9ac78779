/** Where differing pages of two memories lie, for the guest too, and what stands around the first bytes that differ. */
import { addressesOf, type MappedRange } from "../../streams/index.js";
import { type BlockDifference, type MemorySide, pageDifference } from "./memory.js";
import type { PageRun } from "./page-runs.js";

/** Bytes of an excerpt: a line of a dump. */
export const EXCERPT = 16;

export interface Place {
  /** From the start of the block. */
  readonly from: number;
  readonly to: number;
  readonly pages: number;
  /** Where the guest sees it; nothing where that is not known. */
  readonly addresses: readonly MappedRange[];
}

export function placeOf(block: BlockDifference, run: PageRun, first: MemorySide, second: MemorySide): Place {
  const pageSize = block.first?.pageSize ?? 0;
  const from = run.first * pageSize;
  // The last page of a block need not be a whole one.
  const length = Math.max(block.first?.usedLength ?? 0, block.second?.usedLength ?? 0);
  const to = Math.min(run.end * pageSize, length);
  return {
    from,
    to,
    pages: run.end - run.first,
    addresses: addressesIn(block.name, from, to, first, second),
  };
}

export interface Excerpt {
  /** The first byte that differs, from the start of the block. */
  readonly at: number;
  readonly address: number | undefined;
  /** How many bytes of the page differ. */
  readonly bytes: number;
  /** The line of a dump that holds the byte, on both sides. */
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

/** Of each page of a run that differs. */
export function* excerptsOf(
  { name, first: block }: BlockDifference,
  run: PageRun,
  first: MemorySide,
  second: MemorySide,
): Generator<Excerpt> {
  for (let page = run.first; page < run.end; page++) {
    const found = pageDifference(name, page, first, second);
    if (found === undefined) continue;
    const start = found.at - (found.at % EXCERPT);
    const at = page * (block?.pageSize ?? 0) + found.at;
    const [place] = addressesIn(name, at, at + 1, first, second);
    yield {
      at,
      address: place?.address,
      bytes: found.bytes,
      first: found.first.subarray(start, start + EXCERPT),
      second: found.second.subarray(start, start + EXCERPT),
    };
  }
}

/** Two machines can see the same bytes at different places: then neither is told. */
function addressesIn(
  name: string,
  from: number,
  to: number,
  first: MemorySide,
  second: MemorySide,
): MappedRange[] {
  const [ones, others] = [first, second].map(({ machine, image }) =>
    addressesOf(machine, image.blocks, name, from, to - from),
  );
  const isSame =
    ones?.length === others?.length && ones?.every((one, i) => one.address === others?.[i]?.address);
  return isSame && ones !== undefined ? ones : [];
}
