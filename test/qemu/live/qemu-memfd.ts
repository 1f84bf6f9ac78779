/** Memory that a QEMU shares with a back-end, read behind their backs. */
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import type { Machine } from "../machine.js";

/** The first `length` bytes of the memfd that has this name; undefined when this QEMU has none. */
export function readMemfd(qemu: Machine, name: string, length: number): Buffer | undefined {
  const folder = `/proc/${qemu.pid}/fd`;
  const found = readdirSync(folder).find((fd) => targetOf(`${folder}/${fd}`).includes(`memfd:${name}`));
  if (found === undefined) return undefined;
  const bytes = Buffer.alloc(length);
  const fd = openSync(`${folder}/${found}`, "r");
  try {
    for (let at = 0; at < length; ) {
      const read = readSync(fd, bytes, at, length - at, at);
      if (read === 0) throw new Error(`${name} is shorter than ${length} bytes`);
      at += read;
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed in between.
    return "";
  }
}
