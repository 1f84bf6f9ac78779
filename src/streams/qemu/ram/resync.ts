/** Finds where the records of the section `ram` go on behind damage. */
import {
  RAM_SAVE_WORD_SIZE,
  RamSaveFlag,
  readRamSaveWord,
  scanRamSaveWord,
  scanRamSaveZero,
} from "../../../../generated/qemu/ram.js";
import { readQemuString8, scanQemuString8 } from "../../../../generated/qemu/stream.js";
import type { Reader } from "../../../runtime/index.js";
import type { RamBlock } from "./blocks.js";
import { kindOf, offsetOf } from "./word.js";

/** So many records one behind the other are no accident. */
const CONVINCING = 4;

export interface FoundRecord {
  readonly at: number;
  /** Not 0: so many bytes from `at` on are needed to tell. */
  readonly wanted: number;
}

/** What is known of the guest's memory where records are looked for. */
export interface KnownMemory {
  readonly blocks: ReadonlyMap<string, RamBlock>;
  /** The one that CONTINUE means. */
  readonly block: RamBlock | undefined;
  readonly pageSize: number | undefined;
}

/**
 * The first index from the cursor on, and before `limit`, at which records can be read again. A word alone says little, so
 * several records must follow one another.
 */
export function findRamRecord(
  reader: Reader,
  limit: number,
  ended: boolean,
  known: KnownMemory,
): FoundRecord | undefined {
  const start = reader.at;
  for (let at = start; at < limit; at++) {
    const wanted = chainAt(reader, at, known);
    reader.at = start;
    if (wanted === 0) return { at, wanted: 0 };
    if (wanted > 0 && !ended) return { at, wanted };
  }
  return undefined;
}

/** 0: records follow one another from `at` on. −1: they do not. Else how many bytes it takes to tell. */
function chainAt(reader: Reader, at: number, { blocks, block: last, pageSize }: KnownMemory): number {
  let block = last;
  reader.at = at;
  for (let records = 0; records < CONVINCING; records++) {
    if (!scanRamSaveWord(reader)) return reader.wanted - at;
    reader.at -= RAM_SAVE_WORD_SIZE;
    const word = readRamSaveWord(reader);
    const offset = offsetOf(word);
    const kind = kindOf(word);
    if (records > 0 && offset === 0 && word.flags === RamSaveFlag.RAM_SAVE_FLAG_EOS) return 0;
    if (kind !== RamSaveFlag.RAM_SAVE_FLAG_PAGE && kind !== RamSaveFlag.RAM_SAVE_FLAG_ZERO) return -1;
    if (kind === word.flags) {
      const nameAt = reader.at;
      if (!scanQemuString8(reader)) return reader.wanted - at;
      reader.at = nameAt;
      block = blocks.get(readQemuString8(reader).text);
    }
    if (
      block === undefined ||
      pageSize === undefined ||
      offset >= block.usedLength ||
      offset % pageSize !== 0
    )
      return -1;
    if (kind === RamSaveFlag.RAM_SAVE_FLAG_PAGE) {
      if (pageSize > reader.end - reader.at) return reader.at + pageSize - at;
      reader.at += pageSize;
    } else if (!scanRamSaveZero(reader)) {
      return reader.fault?.code === "truncated" ? reader.wanted - at : -1;
    }
  }
  return 0;
}
