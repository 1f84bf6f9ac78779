/** Writes what differs between two memories for programs, an object a line. */
import { printPath } from "../path.js";
import { digitsOf } from "../values.js";
import { blockPath } from "./block-path.js";
import type { BlockDifference, MemorySide } from "./memory.js";
import { EXCERPT, excerptsOf, placeOf } from "./memory-place.js";
import type { MemoryTextOptions } from "./memory-text.js";

type Write = (text: string) => void;

/** Rows of ranges come behind the row of their block, which is there for blocks that are the same, too. */
export function writeBlockJson(
  block: BlockDifference,
  first: MemorySide,
  second: MemorySide,
  { detailed }: MemoryTextOptions,
  write: Write,
): void {
  const { name, compared, changed, onlyFirst, onlySecond, unread, runs } = block;
  const path = printPath(blockPath(name));
  const row = (value: Readonly<Record<string, unknown>>): void => write(`${JSON.stringify(value)}\n`);
  row({
    change: "block",
    path,
    first: block.first && { size: block.first.usedLength, page_size: block.first.pageSize },
    second: block.second && { size: block.second.usedLength, page_size: block.second.pageSize },
    compared,
    changed,
    only_first: onlyFirst,
    only_second: onlySecond,
    unread,
    ranges: runs.length,
  });
  for (const run of runs) {
    const { from, to, pages, addresses } = placeOf(block, run, first, second);
    row({ change: run.change, path, offset: from, size: to - from, pages, addresses });
    if (!detailed || run.change !== "changed") continue;
    for (const { at, address, bytes, ...sides } of excerptsOf(block, run, first, second)) {
      const [one, other] = [digits(sides.first), digits(sides.second)];
      row({ change: "bytes", path, offset: at, address, bytes, first: one, second: other });
    }
  }
}

function digits(bytes: Uint8Array): string {
  return digitsOf(bytes, EXCERPT).replaceAll(" ", "");
}
