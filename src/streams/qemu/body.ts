/** Collects the body of a section up to a cap: beyond it the bytes are let go, and only their number is known. */
import type { Reader } from "../../runtime/index.js";

const FIRST_SIZE = 64 << 10;

export class Body {
  private readonly max: number;
  private buffer = new Uint8Array(0);
  private length = 0;
  private tooLarge = false;
  private lent: Uint8Array | undefined;

  constructor(max: number) {
    this.max = max;
  }

  /** Undefined when the body is larger than the cap. */
  get bytes(): Uint8Array | undefined {
    if (this.tooLarge) return undefined;
    return this.lent ?? this.buffer.subarray(0, this.length);
  }

  /** The whole body lies in the reader's bytes, from its cursor to `end`: no copy is needed. */
  lend(reader: Reader, end: number): void {
    this.lent = reader.bytes.subarray(reader.at, end);
    reader.at = end;
  }

  /** Takes the reader's bytes from its cursor to `end`, an index, and moves the cursor there. */
  take(reader: Reader, end: number): void {
    const bytes = reader.bytes.subarray(reader.at, end);
    reader.at = end;
    if (this.tooLarge || bytes.length === 0) return;
    this.append(bytes);
  }

  clear(): void {
    this.length = 0;
    this.lent = undefined;
    this.tooLarge = false;
    // One large device shall not hold its memory for as long as the stream goes on.
    if (this.buffer.length > 1 << 20) this.buffer = new Uint8Array(0);
  }

  private append(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (length > this.max) {
      this.tooLarge = true;
      this.buffer = new Uint8Array(0);
      return;
    }
    if (length > this.buffer.length) {
      const buffer = new Uint8Array(Math.min(this.max, Math.max(length, this.buffer.length * 2, FIRST_SIZE)));
      buffer.set(this.buffer.subarray(0, this.length));
      this.buffer = buffer;
    }
    this.buffer.set(bytes, this.length);
    this.length = length;
  }
}
