/** Finds out how large the pages of the section `ram` are, where nothing in front of the first of them says it. */
import {
  RamSaveFlag,
  readRamSaveWord,
  scanRamBlockEntry,
  scanRamSaveWord,
} from "../../../../generated/qemu/ram.js";
import type { Reader } from "../../../runtime/index.js";
import { lacks, type RamStop, short, wrong } from "./stops.js";
import { kindOf, offsetOf } from "./word.js";

/** Sizes to try: the most common first. */
const PAGE_SIZES = [4096, 8192, 65536, 16384, 1024, 2048, 32768];

/**
 * The size of a page, tried on the record that must stand behind it. Streams of machines with a fixed page size do not
 * carry it before the description at their end.
 */
export function guessPageSize(reader: Reader, ended: boolean): number | RamStop {
  for (const size of PAGE_SIZES) {
    const at = reader.at;
    if (size > reader.end - at && !ended) return lacks(reader, size, "page data", size);
    if (size > reader.end - at) continue;
    reader.at = at + size;
    const known = scanRamSaveWord(reader);
    const wanted = reader.wanted - at;
    reader.at = at + size;
    const isFit = known ? fits(reader, size) : ended;
    reader.at = at;
    if (!known && !ended) return lacks(reader, wanted, "page data", size);
    if (isFit) return size;
  }
  // The input may end inside the very first page.
  const [likely = 0] = PAGE_SIZES;
  if (reader.end - reader.at < likely) return lacks(reader, likely, "page data", likely);
  return wrong(reader, reader.at, "constraint", "no page size makes sense of what follows this record");
}

function fits(reader: Reader, pageSize: number): boolean {
  const word = readRamSaveWord(reader);
  const offset = offsetOf(word);
  const kind = kindOf(word);
  if (kind === RamSaveFlag.RAM_SAVE_FLAG_EOS || kind === RamSaveFlag.RAM_SAVE_FLAG_MULTIFD_FLUSH)
    return offset === 0 && kind === word.flags;
  return (
    (kind === RamSaveFlag.RAM_SAVE_FLAG_PAGE ||
      kind === RamSaveFlag.RAM_SAVE_FLAG_ZERO ||
      kind === RamSaveFlag.RAM_SAVE_FLAG_XBZRLE) &&
    offset % pageSize === 0
  );
}

/**
 * Whether the entry of the block list at `at` says how large its block's pages are. With postcopy it does where they are not
 * of the host's usual size, and nothing in front of it tells. What stands behind an entry without it is another name, whose
 * length is not zero, or a record, whose flags are not.
 */
export function saysPageSize(reader: Reader, at: number): boolean | RamStop {
  if (!scanRamBlockEntry(reader, false, false, false)) return short(reader, at, "block list");
  const behind = reader.at;
  const whole = scanRamSaveWord(reader);
  reader.at = behind;
  if (!whole) {
    const stop = lacks(reader, reader.wanted - at, "block list", 8);
    reader.at = at;
    return stop;
  }
  const word = readRamSaveWord(reader);
  reader.at = at;
  const value = offsetOf(word);
  return word.flags === 0 && value > 0 && Number.isInteger(Math.log2(value)) && value < 2 ** 40;
}
