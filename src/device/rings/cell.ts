/**
 * 16-bit words that a device and a driver share and that order what is around them: ring indices, event indices and
 * flags. They are little-endian, and go through Atomics, because the other side may run on another thread: a used
 * element must be visible before the index that announces it is.
 */
import { RingFault } from "./fault.js";

const HOST_IS_BIG = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

export class Cell {
  private readonly words: Uint16Array;

  /** The word at index `at` of `bytes`. */
  constructor(bytes: Uint8Array, at: number) {
    const offset = bytes.byteOffset + at;
    if (offset % Uint16Array.BYTES_PER_ELEMENT !== 0) {
      throw new RingFault("alignment", "a ring's index lies at an odd address");
    }
    this.words = new Uint16Array(bytes.buffer, offset, 1);
  }

  load(): number {
    return inLittle(Atomics.load(this.words, 0));
  }

  store(value: number): void {
    Atomics.store(this.words, 0, inLittle(value & 0xffff));
  }
}

function inLittle(word: number): number {
  return HOST_IS_BIG ? ((word & 0xff) << 8) | (word >>> 8) : word;
}
