/** Copies between guest memory and the device, most of them of a few dozen bytes. */

/** Below this a loop is faster than what `set` takes to begin, and the view of the source that it needs. */
const SHORT = 128;

/** Copies `length` bytes. The caller has made sure that they are there, and that the two do not overlap. */
export function copyBytes(from: Uint8Array, at: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > SHORT) {
    to.set(from.subarray(at, at + length), toAt);
    return;
  }
  for (let i = 0; i < length; i++) to[toAt + i] = from[at + i] as number;
}
