/** Copies between guest memory and the device: many a second, of a dozen to some thousand bytes. */

/** Up to here a loop is faster than making the view of the source that `set` needs. */
const SHORT = 16;

/** Copies `length` bytes. The caller has made sure that they are there, and that the two do not overlap. */
export function copyBytes(from: Uint8Array, at: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > SHORT) to.set(from.subarray(at, at + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[at + i] as number;
}
