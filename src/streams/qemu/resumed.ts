/**
 * The main channel of a postcopy migration that was taken up again after its connection broke. It has no header: commands
 * ask for the bitmaps of what has been received, then the sections go on.
 */
import { QemuVmCmd, readQemuVmRecord, scanQemuVmRecord } from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";
import type { RamBlock } from "./ram/blocks.js";
import type { Section } from "./sections.js";

/** What the stream before the break has told, and this one goes on from. */
export interface StreamBefore {
  readonly machine: string | undefined;
  /** Of a target page. */
  readonly pageSize: number | undefined;
  readonly blocks: ReadonlyMap<string, RamBlock>;
  /** Those that may have further parts. */
  readonly live: readonly Section[];
}

/** In front of the first request for a bitmap. */
const BEFORE: ReadonlySet<number> = new Set([QemuVmCmd.MIG_CMD_OPEN_RETURN_PATH, QemuVmCmd.MIG_CMD_PING]);

export function isResumedMain(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix);
  while (reader.at < reader.end) {
    const at = reader.at;
    if (!scanQemuVmRecord(reader)) return false;
    const end = reader.at;
    reader.at = at;
    const { head } = readQemuVmRecord(reader);
    reader.at = end;
    if (head.case !== "command") return false;
    const { cmd } = head.value;
    if (cmd === QemuVmCmd.MIG_CMD_RECV_BITMAP) return true;
    if (!BEFORE.has(cmd)) return false;
  }
  return false;
}
