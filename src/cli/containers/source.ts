/** Where the bytes of a capture come from: a file, a pipe, or something that was unwrapped. */

export interface Source {
  /** In bytes; undefined where that shows only at the end. */
  readonly size: number | undefined;
  /**
   * Bytes from anywhere: `size` of them from `at` on, fewer where the end comes before. Undefined where bytes only flow.
   */
  readonly read: ((at: number, size: number) => Uint8Array) | undefined;
  /** From the first byte to the last, once. A chunk is valid until the next is asked for. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** How much is read from a source at once. */
const CHUNK = 1 << 18;

/** A source that can be read anywhere, by how that is done. */
export function sourceOf(size: number, read: (at: number, size: number) => Uint8Array): Source {
  return {
    size,
    read: (at, length) => read(at, Math.max(0, Math.min(length, size - at))),
    *chunks() {
      for (let at = 0; at < size; ) {
        const chunk = read(at, Math.min(CHUNK, size - at));
        if (chunk.length === 0) return;
        at += chunk.length;
        yield chunk;
      }
    },
  };
}

/** What is left of a source behind its first `size` bytes. */
export function behind(source: Source, size: number): Source {
  const { read } = source;
  if (read !== undefined && source.size !== undefined) {
    return sourceOf(Math.max(0, source.size - size), (at, length) => read(size + at, length));
  }
  return {
    size: undefined,
    read: undefined,
    async *chunks() {
      let left = size;
      for await (const chunk of source.chunks()) {
        const rest = chunk.subarray(Math.min(left, chunk.length));
        left -= chunk.length - rest.length;
        if (rest.length > 0) yield rest;
      }
    },
  };
}
