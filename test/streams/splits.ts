/** Feeds the same bytes cut in many ways. */
import fc from "fast-check";

export interface Fed {
  push(chunk: Uint8Array): void;
  end(): void;
}

/** Pushes pieces between the cuts. Each piece is memory of its own that is spoilt afterwards: nothing lent may be kept. */
export function feed(parser: Fed, bytes: Uint8Array, cuts: readonly number[]): void {
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.slice(from, cut);
    parser.push(piece);
    piece.fill(0xaa);
    from = cut;
  }
  parser.end();
}

export function evenCuts(length: number, step: number): number[] {
  return Array.from({ length: Math.max(0, Math.ceil(length / step) - 1) }, (_, i) => (i + 1) * step);
}

export function anyCuts(length: number, maxCuts = 40): fc.Arbitrary<number[]> {
  return fc
    .array(fc.integer({ min: 0, max: length }), { maxLength: maxCuts })
    .map((cuts) => cuts.sort((a, b) => a - b));
}
