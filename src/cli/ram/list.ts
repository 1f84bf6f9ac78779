/** `virtwire ram list`: the blocks of the guest's memory, and where the newest content of their pages lies. */
import { printable } from "../../inspect/index.js";
import type { BlockCoverage, ImageBlock } from "../../streams/index.js";
import { EXIT, type Io } from "../io.js";
import { type GuestMemory, type MigrationFiles, withMemory } from "./memory.js";

type Row = ImageBlock & BlockCoverage;

const COLUMNS = [
  ["usedLength", "bytes"],
  ["plain", "pages"],
  ["zero", "zero"],
  ["packed", "packed"],
  ["changed", "xbzrle"],
  ["missing", "missing"],
] as const;

export function list(files: MigrationFiles, format: string, io: Io): Promise<number> {
  return withMemory(files, io, (memory) => {
    const rows = memory.image.blocks.map((block) => ({ ...block, ...memory.image.coverage(block.name) }));
    io.out(format === "json" ? json(rows, memory) : text(rows, memory));
    return Promise.resolve(memory.faults === 0 ? EXIT.ok : EXIT.malformed);
  });
}

function json(rows: readonly Row[], { machine, sharedIgnored }: GuestMemory): string {
  const blocks = rows.map(({ name, usedLength, pageSize, ...pages }) => ({
    name,
    used_length: usedLength,
    page_size: pageSize,
    pages,
  }));
  return `${JSON.stringify({ machine, shared_ignored: sharedIgnored, blocks }, undefined, 2)}\n`;
}

function text(rows: readonly Row[], { machine, sharedIgnored }: GuestMemory): string {
  // Columns in which there is nothing to say are left out.
  const columns = COLUMNS.filter(([key]) => {
    return key === "usedLength" || key === "plain" || key === "zero" || rows.some((row) => row[key] > 0);
  });
  const cells = [
    columns.map(([, label]) => label),
    ...rows.map((row) => columns.map(([key]) => String(row[key]))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const names = ["block", ...rows.map(({ name }) => printable(name))];
  const lines = cells.map(
    (row, i) => `${row.map((cell, j) => cell.padStart(widths[j] ?? 0)).join("  ")}  ${names[i] ?? ""}`,
  );
  const missing = rows.filter((row) => row.missing > 0);
  const notes = [`machine ${printable(machine ?? "unknown")}, pages of ${rows[0]?.pageSize ?? 0} bytes`, ""];
  const verdict =
    missing.length === 0
      ? "whole: every page of every block is there"
      : sharedIgnored
        ? `${missing.length} blocks have pages that were not sent: x-ignore-shared leaves out what both sides share`
        : `not whole: pages of ${missing.map(({ name }) => printable(name)).join(", ")} were never sent`;
  return `${[...notes, ...lines, "", verdict].join("\n")}\n`;
}
