/**
 * Finds what differs between the memories of two guests, block by block and page by page. Two pages at a time are in memory;
 * what is remembered are runs of pages that differ, at most 24 bytes for each page that one of the streams brought.
 */
import type { ImageBlock, RamImage } from "../../streams/index.js";
import type { Pattern } from "../pattern.js";
import { blockPath, isUnder } from "./block-path.js";
import { PageRuns } from "./page-runs.js";

/** The bytes of a page, lent until the next is asked for; undefined when they cannot be had. */
export type ReadPage = (block: ImageBlock, page: number, code: number) => Uint8Array | "zero" | undefined;

export interface MemorySide {
  readonly image: Pick<RamImage, "blocks" | "block" | "pagesOf" | "codeOf">;
  /** What the configuration says, from which the memory map follows. */
  readonly machine: string | undefined;
  readonly read: ReadPage;
}

/** A block that both have, or one of them. */
export interface BlockDifference {
  readonly name: string;
  readonly first: ImageBlock | undefined;
  readonly second: ImageBlock | undefined;
  /** Pages that at least one of the two streams brought. */
  readonly compared: number;
  readonly changed: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  readonly unread: number;
  /** Empty for a block that one side does not have, and where pages are not of one size. */
  readonly runs: PageRuns;
}

/** In the order of the first; what only the second has comes last. */
export function* compareMemory(
  first: MemorySide,
  second: MemorySide,
  ignored: readonly Pattern[],
): Generator<BlockDifference> {
  const names = new Set([...first.image.blocks, ...second.image.blocks].map(({ name }) => name));
  for (const name of names) {
    if (!isUnder(blockPath(name), ignored)) yield compareBlock(name, first, second);
  }
}

/** Whether anything of the block differs. */
export function isDifferent({ first, second, changed, onlyFirst, onlySecond }: BlockDifference): boolean {
  return (
    first?.usedLength !== second?.usedLength ||
    first?.pageSize !== second?.pageSize ||
    changed + onlyFirst + onlySecond > 0
  );
}

function compareBlock(name: string, first: MemorySide, second: MemorySide): BlockDifference {
  const [one, other] = [first.image.block(name), second.image.block(name)];
  const runs = new PageRuns();
  const counts = { compared: 0, changed: 0, onlyFirst: 0, onlySecond: 0, unread: 0 };
  if (one !== undefined && other !== undefined && one.pageSize === other.pageSize) {
    for (const { page, code, other: otherCode } of pairs(name, first, second)) {
      counts.compared++;
      if (code === undefined) {
        counts.onlySecond++;
        runs.add(page, "only-second");
      } else if (otherCode === undefined) {
        counts.onlyFirst++;
        runs.add(page, "only-first");
      } else {
        const [a, b] = [first.read(one, page, code), second.read(other, page, otherCode)];
        if (a === undefined || b === undefined) {
          counts.unread++;
          runs.add(page, "unread");
        } else if (!sameContent(a, b)) {
          counts.changed++;
          runs.add(page, "changed");
        }
      }
    }
  }
  return { name, first: one, second: other, ...counts, runs };
}

interface Pair {
  readonly page: number;
  /** Of the content on each side; undefined where the stream did not bring the page. */
  readonly code: number | undefined;
  readonly other: number | undefined;
}

/** The pages that one of them has, or both, in order. */
function* pairs(name: string, first: MemorySide, second: MemorySide): Generator<Pair> {
  const [ones, others] = [first.image.pagesOf(name), second.image.pagesOf(name)];
  let one = ones.next().value;
  let other = others.next().value;
  while (one !== undefined || other !== undefined) {
    const page = Math.min(one?.page ?? Number.POSITIVE_INFINITY, other?.page ?? Number.POSITIVE_INFINITY);
    const [code, otherCode] = [
      one?.page === page ? one.code : undefined,
      other?.page === page ? other.code : undefined,
    ];
    yield { page, code, other: otherCode };
    if (code !== undefined) one = ones.next().value;
    if (otherCode !== undefined) other = others.next().value;
  }
}

function sameContent(a: Uint8Array | "zero", b: Uint8Array | "zero"): boolean {
  if (a === "zero") return isZero(b);
  if (b === "zero") return isZero(a);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function isZero(content: Uint8Array | "zero"): boolean {
  return content === "zero" || content.every((byte) => byte === 0);
}

/** What differs within a page. */
export interface PageDifference {
  /** The first byte that does, from the start of the page. */
  readonly at: number;
  readonly bytes: number;
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

/** Undefined when the page cannot be read again as it was. */
export function pageDifference(
  name: string,
  page: number,
  first: MemorySide,
  second: MemorySide,
): PageDifference | undefined {
  const [a, b] = [first, second].map(({ image, read }) => {
    const block = image.block(name);
    if (block === undefined) return undefined;
    const content = read(block, page, image.codeOf(name, page));
    return content === "zero" ? new Uint8Array(block.pageSize) : content;
  });
  if (a === undefined || b === undefined) return undefined;
  let at: number | undefined;
  let bytes = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    at ??= i;
    bytes++;
  }
  return at === undefined ? undefined : { at, bytes, first: a, second: b };
}
