/** Replaces ranges of a stream while it flows by: what is between them is passed on as it is, whatever its length. */

export interface Patch {
  readonly at: number;
  readonly size: number;
  /** What stands there instead. Undefined: nothing. `old` is lent until it returns. */
  readonly replace: ((old: Uint8Array) => Uint8Array) | undefined;
}

/** Two patches want the same bytes. */
export class OverlapError extends Error {}

/** In the order of the stream. Throws `OverlapError`. */
export function ordered(patches: readonly Patch[]): readonly Patch[] {
  const sorted = [...patches].sort((a, b) => a.at - b.at);
  sorted.forEach((patch, i) => {
    const before = sorted[i - 1];
    if (before !== undefined && before.at + before.size > patch.at)
      throw new OverlapError(`two changes of the byte at 0x${patch.at.toString(16)}`);
  });
  return sorted;
}

/**
 * Pushed the chunks of a stream, writes the patched stream. Memory: the bytes of one patch that replaces something; what
 * is only taken out is not kept.
 */
export class Patcher {
  private readonly patches: readonly Patch[];
  private readonly write: (bytes: Uint8Array) => void;
  private at = 0;
  private next = 0;
  private kept: Uint8Array | undefined;

  /** `patches`: as `ordered` gives them. */
  constructor(patches: readonly Patch[], write: (bytes: Uint8Array) => void) {
    this.patches = patches;
    this.write = write;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.length) {
      const patch = this.patches[this.next];
      const here = this.at + from;
      if (patch === undefined || here < patch.at) {
        const to = Math.min(chunk.length, patch === undefined ? chunk.length : from + patch.at - here);
        this.write(chunk.subarray(from, to));
        from = to;
        continue;
      }
      const done = here - patch.at;
      const size = Math.min(patch.size - done, chunk.length - from);
      this.take(patch, chunk.subarray(from, from + size), done);
      from += size;
    }
    this.at += chunk.length;
  }

  private take(patch: Patch, bytes: Uint8Array, done: number): void {
    const isWhole = done + bytes.length === patch.size;
    if (isWhole) this.next++;
    if (patch.replace === undefined) return;
    if (isWhole && done === 0) {
      this.write(patch.replace(bytes));
      return;
    }
    this.kept ??= new Uint8Array(patch.size);
    this.kept.set(bytes, done);
    if (!isWhole) return;
    const old = this.kept;
    this.kept = undefined;
    this.write(patch.replace(old));
  }
}
