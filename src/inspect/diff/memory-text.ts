/** Writes what differs between two memories for people: a line for each range of pages, and the bytes when asked to. */
import { printPath } from "../path.js";
import { hex } from "../report.js";
import { digitsOf } from "../values.js";
import { blockPath } from "./block-path.js";
import { type BlockDifference, isDifferent, type MemorySide } from "./memory.js";
import { EXCERPT, excerptsOf, placeOf } from "./memory-place.js";
import type { PageChange } from "./page-runs.js";

/** Ranges of a block that are shown where not all were asked for. */
const SHOWN_RANGES = 16;

const SAID: Readonly<Record<PageChange, readonly [one: string, several: string]>> = {
  changed: ["differs", "differ"],
  "only-first": ["only in the first", "only in the first"],
  "only-second": ["only in the second", "only in the second"],
  unread: ["cannot be read", "cannot be read"],
};

export interface MemoryTextOptions {
  /** Every range, and of each page that differs the first bytes that do. */
  readonly detailed: boolean;
}

type Write = (text: string) => void;

/** Nothing is written of a block that is the same. */
export function writeBlockText(
  block: BlockDifference,
  first: MemorySide,
  second: MemorySide,
  { detailed }: MemoryTextOptions,
  write: Write,
): void {
  if (!isDifferent(block) && block.unread === 0) return;
  const path = printPath(blockPath(block.name));
  const only =
    block.first === undefined ? block.second : block.second === undefined ? block.first : undefined;
  if (only !== undefined) {
    write(`${block.first === undefined ? "+" : "-"} ${path}: a block of ${only.usedLength} bytes\n`);
    return;
  }
  write(`~ ${path}: ${headline(block)}\n`);
  let shown = 0;
  for (const run of block.runs) {
    if (shown === SHOWN_RANGES && !detailed) {
      write(`    and ${block.runs.length - shown} more ranges\n`);
      break;
    }
    shown++;
    const { from, to, pages, addresses } = placeOf(block, run, first, second);
    const [one, several] = SAID[run.change];
    const guest = addresses.map(({ address, size }) => `${hex(address)}..${hex(address + size)}`).join(", ");
    const count = pages === 1 ? `1 page ${one}` : `${pages} pages ${several}`;
    write(`    ${hex(from)}..${hex(to)}: ${count}${guest === "" ? "" : ` (guest ${guest})`}\n`);
    if (!detailed || run.change !== "changed") continue;
    for (const { at, address, bytes, ...sides } of excerptsOf(block, run, first, second)) {
      const differ = bytes === 1 ? "1 byte differs" : `${bytes} bytes differ, the first`;
      write(`      ${differ} at ${hex(at)}${address === undefined ? "" : ` (guest ${hex(address)})`}\n`);
      write(`      - ${dumpLine(sides.first)}\n      + ${dumpLine(sides.second)}\n`);
    }
  }
}

function headline({ first, second, compared, runs, ...counts }: BlockDifference): string {
  const { changed, onlyFirst, onlySecond, unread } = counts;
  const parts: string[] = [];
  if (first?.usedLength !== second?.usedLength)
    parts.push(`${first?.usedLength} -> ${second?.usedLength} bytes`);
  if (first?.pageSize !== second?.pageSize)
    return [...parts, `pages of ${first?.pageSize} -> ${second?.pageSize} bytes are not compared`].join("; ");
  const differing = changed + onlyFirst + onlySecond;
  const ranges = runs.length === 1 ? "1 range" : `${runs.length} ranges`;
  const verb = differing === 1 ? "differs" : "differ";
  parts.push(`${differing} of ${compared} pages ${verb}${differing === 0 ? "" : `, in ${ranges}`}`);
  if (unread > 0) parts.push(`${unread} cannot be read`);
  return parts.join("; ");
}

/** A line of a dump as it is on one side. */
function dumpLine(bytes: Uint8Array): string {
  const shown = [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
  return `${digitsOf(bytes, EXCERPT)}  |${shown.join("")}|`;
}
