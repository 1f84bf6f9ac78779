/**
 * Lets a parser see pushed chunks as one run of bytes. Whole chunks are parsed where they lie; only what a parser cannot use
 * yet is copied, until the bytes that it asks for are there.
 */
import { Reader } from "../runtime/index.js";

/**
 * Takes what it can from the reader's cursor on, and says how many bytes must be there, counted from the cursor it
 * leaves, before it makes sense to call again.
 */
export type Parse = (reader: Reader) => number;

/** A parser whose `step` makes progress and returns 0, or says how many bytes it needs. */
export function inSteps(step: Parse): Parse {
  return (reader) => {
    while (true) {
      const wanted = step(reader);
      if (wanted > 0) return wanted;
    }
  };
}

/** How much of a chunk is copied behind bytes that were held, when the parser asks for less. */
const STEP = 4096;
/** A larger buffer is given back once it is empty. */
const KEEP = 1 << 20;

export class Window {
  /** Absolute offset of the next byte that the parser has not taken. */
  at = 0;
  private buffer = new Uint8Array(STEP * 2);
  private start = 0;
  private end = 0;
  private wanted = 1;

  /** Bytes that are kept until more arrive. */
  get held(): number {
    return this.end - this.start;
  }

  push(chunk: Uint8Array, parse: Parse): void {
    let used = 0;
    while (this.held > 0 && used < chunk.length) {
      const before = this.held;
      const taken = Math.min(chunk.length - used, Math.max(this.wanted - before, STEP));
      this.append(chunk.subarray(used, used + taken), this.wanted);
      used += taken;
      if (this.held < this.wanted) return;
      const consumed = this.run(this.buffer.subarray(this.start, this.end), parse);
      if (consumed >= before) {
        // Nothing of what was held is left: go on where the rest lies.
        used -= this.held - consumed;
        this.clear();
      } else {
        this.start += consumed;
      }
    }
    if (used < chunk.length) {
      const rest = chunk.subarray(used);
      this.append(rest.subarray(this.run(rest, parse)), this.wanted);
    }
  }

  /** Passes over up to `bytes` that are never pushed, and says how many: none while some are held that stand before them. */
  skip(bytes: number): number {
    if (this.held > 0 || bytes <= 0) return 0;
    this.at += bytes;
    return bytes;
  }

  /** What is held will never be complete. */
  forget(): void {
    this.at += this.held;
    this.wanted = 1;
    this.clear();
  }

  /** No more will come: the parser gets what is left, and must make do with it. */
  finish(parse: Parse): void {
    const consumed = this.run(this.buffer.subarray(this.start, this.end), parse);
    this.start += consumed;
  }

  private run(bytes: Uint8Array, parse: Parse): number {
    const reader = new Reader(bytes, { base: this.at });
    this.wanted = Math.max(1, parse(reader));
    this.at += reader.at;
    return reader.at;
  }

  /** `expected`: how many bytes the buffer will have to hold soon. */
  private append(bytes: Uint8Array, expected: number): void {
    if (bytes.length > this.buffer.length - this.end) this.makeRoom(bytes.length, expected);
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  private makeRoom(size: number, expected: number): void {
    const held = this.held;
    // What is asked for comes from the file: memory is taken for it only as fast as bytes arrive.
    const room = Math.max(held + size, Math.min(expected + STEP, this.buffer.length * 2));
    const target = held + size > this.buffer.length ? new Uint8Array(room) : this.buffer;
    if (target === this.buffer) target.copyWithin(0, this.start, this.end);
    else target.set(this.buffer.subarray(this.start, this.end));
    this.buffer = target;
    this.start = 0;
    this.end = held;
  }

  private clear(): void {
    this.start = 0;
    this.end = 0;
    if (this.buffer.length > KEEP) this.buffer = new Uint8Array(STEP * 2);
  }
}
