/** What the summary and the records tell of guest memory. */
import type { RamBlock, RamCounts } from "../../streams/qemu/ram/blocks.js";
import type { Cell, Scalar, Table } from "../report.js";

export function ramTable(ramBlocks: Iterable<RamBlock>): Table {
  const blocks = [...ramBlocks];
  const withXbzrle = blocks.some((block) => block.pages.xbzrle > 0);
  return {
    key: "ram",
    title: "guest memory",
    columns: [
      { key: "size", label: "bytes", right: true },
      { key: "normal", label: "pages", right: true },
      { key: "zero", label: "zero", right: true },
      ...(withXbzrle ? [{ key: "xbzrle", label: "xbzrle", right: true }] : []),
      { key: "name", label: "block" },
    ],
    rows: blocks.map((block) => ramRow(block, withXbzrle)),
    weights: blocks.map((block) => block.usedLength),
    briefs: blocks.map(({ name }) => name),
  };
}

function ramRow(block: RamBlock, withXbzrle: boolean): Cell[] {
  const { normal, zero, xbzrle } = block.pages;
  return [
    sizeCell(block.usedLength),
    { value: normal },
    { value: zero },
    ...(withXbzrle ? [{ value: xbzrle }] : []),
    { value: block.name },
  ];
}

export function ramAttributes(counts: RamCounts): Record<string, Scalar> {
  return {
    normal_pages: counts.normal,
    zero_pages: counts.zero,
    ...(counts.xbzrle > 0 ? { xbzrle_pages: counts.xbzrle, xbzrle_bytes: counts.xbzrleBytes } : {}),
    ...(counts.flushes > 0 ? { multifd_flushes: counts.flushes } : {}),
  };
}

/** Of a block that no list has announced, the size is not known. */
function sizeCell(usedLength: number): Cell {
  return Number.isFinite(usedLength) ? { value: usedLength } : { value: undefined, text: "unknown" };
}
