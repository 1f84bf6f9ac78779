/** Damage that depends on nothing but the message, so that fast-check can shrink what it finds. */

/** Where to cut a message: everywhere when it is short, else near its ends and here and there. */
export function cutsOf(length: number): number[] {
  const step = Math.max(1, Math.floor(length / 48));
  const cuts: number[] = [];
  for (let cut = 0; cut < length; cut += cut < 16 || cut > length - 16 ? 1 : step) cuts.push(cut);
  return cuts;
}

export class Noise {
  private state: number;

  constructor(seed: Uint8Array) {
    this.state = seed.reduce((sum, byte) => (Math.imul(sum, 31) + byte + 1) | 0, 0x9e3779b9);
  }

  /** A number below `limit`. */
  below(limit: number): number {
    // xorshift32
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }

  /** A copy with some bytes changed, and perhaps some cut off or added at the end. */
  spoil(bytes: Uint8Array): Uint8Array {
    const grown = [0, 0, 0, -1, 1, 7][this.below(6)] ?? 0;
    const spoilt = new Uint8Array(Math.max(0, bytes.length + grown));
    spoilt.set(bytes.subarray(0, spoilt.length));
    if (spoilt.length === 0) return spoilt;
    const changes = this.below(8) === 0 ? spoilt.length : 1 + this.below(3);
    for (let i = 0; i < changes; i++) {
      const at = changes === spoilt.length ? i : this.below(spoilt.length);
      spoilt[at] = [0, 1, 0xff, 0x80][this.below(8)] ?? this.below(256);
    }
    return spoilt;
  }
}
