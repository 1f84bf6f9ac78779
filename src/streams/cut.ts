/**
 * Cuts bytes into buffers of one size, as commands with a fixed buffer carry them: what is written straddles them. The
 * buffers are slices of the bytes, the last one may be shorter.
 */
export function* cutIntoBuffers(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`a buffer of ${size} bytes`);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
