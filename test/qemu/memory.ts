/** The guest's memory in a stream, against what QEMU itself sees at the guest's addresses. */
import { readFileSync, rmSync } from "node:fs";
import { expect } from "vitest";
import { virtwire } from "../cli/harness.js";
import type { Guest } from "./guests.js";
import type { Machine } from "./machine.js";

/** Writes what the guest's memory holds, by QEMU's own account. The guest must not run. */
export async function saveMemory(qemu: Machine, { memory }: Guest, file: string): Promise<void> {
  await qemu.qmp("pmemsave", { val: memory.at, size: memory.size, filename: file });
}

/** The block of the stream in `files`, its main channel first, is what `saved` holds, byte for byte. */
export async function expectMemory(
  files: readonly string[],
  { memory }: Guest,
  saved: string,
): Promise<void> {
  const extracted = `${saved}.extracted`;
  const { code, err } = await virtwire([
    "ram",
    "extract",
    ...files,
    "--block",
    memory.block,
    "-o",
    extracted,
  ]);
  expect([code, err]).toEqual([0, ""]);
  const ours = readFileSync(extracted);
  const theirs = readFileSync(saved);
  rmSync(extracted);
  if (memory.hidden !== undefined) {
    for (const bytes of [ours, theirs]) bytes.fill(0, memory.hidden.from, memory.hidden.to);
  }
  expect([ours.length, ours.equals(theirs)]).toEqual([memory.size, true]);
}
