/** `virtwire diff --memory`: compares what the pages of two guests hold, whatever kinds of streams brought them. */
import {
  type BlockDifference,
  blockPath,
  compareMemory,
  isDifferent,
  isUnder,
  type MemorySide,
  writeBlockJson,
  writeBlockText,
} from "../../inspect/diff/index.js";
import type { Pattern } from "../../inspect/pattern.js";
import type { ImageBlock } from "../../streams/index.js";
import { Batch, EXIT, type Io } from "../io.js";
import { type GuestMemory, withMemory } from "../ram/memory.js";
import { PageContents } from "../ram/page-contents.js";

export interface MemoryFiles {
  /** The main stream and other channels of one migration, in any order. */
  readonly first: readonly string[];
  readonly second: readonly string[];
  /** Of qcow2 images. */
  readonly snapshot: string | undefined;
}

export interface MemoryOptions {
  readonly detailed: boolean;
  readonly format: string;
}

export function diffMemory(
  { first, second, snapshot }: MemoryFiles,
  ignored: readonly Pattern[],
  options: MemoryOptions,
  io: Io,
): Promise<number> {
  const isWanted = ({ name }: ImageBlock): boolean => !isUnder(blockPath(name), ignored);
  return withMemory({ files: first, snapshot }, io, (one) =>
    withMemory({ files: second, snapshot }, io, async (other) => {
      const batch = new Batch(io.out);
      if (options.format === "text") batch.write(`- ${first.join(" ")}\n+ ${second.join(" ")}\n`);
      const contents = await PageContents.open(one, isWanted, io);
      try {
        const others = await PageContents.open(other, isWanted, io);
        try {
          const sides = [sideOf(one, contents), sideOf(other, others)] as const;
          const totals = compare(sides, ignored, options, batch);
          if (one.faults + other.faults + totals.unread > 0) return EXIT.malformed;
          return totals.blocks > 0 ? EXIT.differs : EXIT.ok;
        } finally {
          others.close();
        }
      } finally {
        contents.close();
      }
    }),
  );
}

function sideOf({ image, machine }: GuestMemory, contents: PageContents): MemorySide {
  return { image, machine, read: (block, _, code) => contents.read(block, code) };
}

interface Totals {
  /** Blocks of which anything differs. */
  blocks: number;
  compared: number;
  changed: number;
  onlyFirst: number;
  onlySecond: number;
  unread: number;
  /** Pages that neither stream brought. */
  absent: number;
  /** Blocks that only one of them has. */
  alone: number;
}

function compare(
  [first, second]: readonly [MemorySide, MemorySide],
  ignored: readonly Pattern[],
  { detailed, format }: MemoryOptions,
  batch: Batch,
): Totals {
  const totals = {
    blocks: 0,
    compared: 0,
    changed: 0,
    onlyFirst: 0,
    onlySecond: 0,
    unread: 0,
    absent: 0,
    alone: 0,
  };
  for (const block of compareMemory(first, second, ignored)) {
    if (isDifferent(block)) totals.blocks++;
    totals.compared += block.compared;
    totals.changed += block.changed;
    totals.onlyFirst += block.onlyFirst;
    totals.onlySecond += block.onlySecond;
    totals.unread += block.unread;
    totals.absent += absentPages(block);
    if (block.first === undefined || block.second === undefined) totals.alone++;
    const write = format === "text" ? writeBlockText : writeBlockJson;
    write(block, first, second, { detailed }, batch.write);
  }
  batch.write(format === "text" ? `${verdict(totals)}\n` : `${summary(totals)}\n`);
  batch.flush();
  return totals;
}

/** Of a block that both have: pages without content on either side are the same, but nobody knows what they hold. */
function absentPages({ first, second, compared }: BlockDifference): number {
  if (first === undefined || second === undefined || first.pageSize !== second.pageSize) return 0;
  return Math.ceil(Math.max(first.usedLength, second.usedLength) / first.pageSize) - compared;
}

function verdict({
  blocks,
  compared,
  changed,
  onlyFirst,
  onlySecond,
  unread,
  absent,
  alone,
}: Totals): string {
  const lines = [
    blocks === 0
      ? `no differences in ${compared} pages`
      : `${changed + onlyFirst + onlySecond} of ${compared} pages differ: ${changed} changed, ${onlyFirst} only in the first, ${onlySecond} only in the second`,
  ];
  if (alone > 0) lines.push(`note: ${counted(alone, "block")} in one of them only`);
  if (unread > 0) lines.push(`note: ${counted(unread, "page")} cannot be read`);
  if (absent > 0) lines.push(`note: ${counted(absent, "page")} in neither stream`);
  return lines.join("\n");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function summary({ blocks, compared, changed, onlyFirst, onlySecond, unread, absent }: Totals): string {
  return JSON.stringify({
    change: "summary",
    blocks,
    compared,
    changed,
    only_first: onlyFirst,
    only_second: onlySecond,
    unread,
    absent,
  });
}
