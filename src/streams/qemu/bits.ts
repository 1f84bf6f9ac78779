/** Bitmaps of pages, as RAM blocks carry them in several places. */

/** How many bits are set. */
export function bitsSet(bytes: Uint8Array): number {
  let bits = 0;
  for (let byte of bytes) {
    for (; byte !== 0; byte &= byte - 1) bits++;
  }
  return bits;
}
