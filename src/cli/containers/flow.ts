/** Bytes that only flow, with a look at those that come first. */
import type { Source } from "./source.js";

export class Flow implements Source {
  readonly size = undefined;
  readonly read = undefined;
  private readonly iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  private head: Uint8Array = new Uint8Array(0);
  private ended = false;

  constructor(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.iterator = Symbol.asyncIterator in bytes ? bytes[Symbol.asyncIterator]() : bytes[Symbol.iterator]();
  }

  /** The first `size` bytes, fewer where there are no more. */
  async peek(size: number): Promise<Uint8Array> {
    while (this.head.length < size) {
      const chunk = await this.next();
      if (chunk === undefined) break;
      const joined = new Uint8Array(this.head.length + chunk.length);
      joined.set(this.head);
      joined.set(chunk, this.head.length);
      this.head = joined;
    }
    return this.head.subarray(0, size);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      if (this.head.length > 0) yield this.head;
      while (true) {
        const chunk = await this.next();
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      // Whoever has seen enough gives up what unpacks, too.
      await this.iterator.return?.();
    }
  }

  private async next(): Promise<Uint8Array | undefined> {
    if (this.ended) return undefined;
    const { done, value } = await this.iterator.next();
    this.ended = done === true;
    return done === true ? undefined : value;
  }
}
