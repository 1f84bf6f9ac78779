/**
 * 16-bit words that a device and a driver share and that order what is around them: ring indices, event indices and
 * flags. They are little-endian, and go through Atomics, because the other side may run on another thread: a used
 * element must be visible before the index that announces it is.
 */
import { RingFault } from "./fault.js";

const HOST_IS_BIG = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;
const WORD = Uint16Array.BYTES_PER_ELEMENT;

/** The words of an area, each at an index in bytes. */
export class Words {
  private readonly words: Uint16Array;

  constructor(bytes: Uint8Array) {
    if (bytes.byteOffset % WORD !== 0) {
      throw new RingFault("alignment", "a ring's index lies at an odd address");
    }
    this.words = new Uint16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD));
  }

  load(at: number): number {
    return inLittle(Atomics.load(this.words, at / WORD));
  }

  store(at: number, value: number): void {
    Atomics.store(this.words, at / WORD, inLittle(value & 0xffff));
  }
}

/** One of them. */
export class Cell {
  private readonly words: Words;

  /** The word at index `at` of `bytes`. */
  constructor(bytes: Uint8Array, at: number) {
    this.words = new Words(bytes.subarray(at, at + WORD));
  }

  load(): number {
    return this.words.load(0);
  }

  store(value: number): void {
    this.words.store(0, value);
  }
}

function inLittle(word: number): number {
  return HOST_IS_BIG ? ((word & 0xff) << 8) | (word >>> 8) : word;
}
