/** The word that a record of the section `ram` begins with: an offset in a block, with flags in its low bits. */
import { RamSaveFlag, type RamSaveWord } from "../../../../generated/qemu/ram.js";

const HIGH = 0x1_0000_0000;
/** The low bits hold flags whatever the page size is. */
const FLAG_RANGE = 1 << 10;

/** In bytes, from the start of the block. */
export function offsetOf({ addressHigh, addressLow }: RamSaveWord): number {
  return addressHigh * HIGH + addressLow * FLAG_RANGE;
}

/** What the record is about, whichever way it names its block. */
export function kindOf({ flags }: RamSaveWord): number {
  return flags & ~RamSaveFlag.RAM_SAVE_FLAG_CONTINUE;
}
