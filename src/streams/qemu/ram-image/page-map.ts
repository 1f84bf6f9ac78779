/**
 * For each page of a block, where its newest content lies: eight bytes a page, in pieces that are made when the first page
 * in them is heard of. Sizes of blocks come from the file, so nothing is taken for what they merely claim.
 */

/** Pages in a piece. */
const PIECE = 1 << 12;
const VALUE_BYTES = 8;
const ROUND_BYTES = 4;

/** What all maps of an image may take together, in bytes. */
export interface MapBudget {
  left: number;
}

interface Piece {
  /** 0 where nothing is known. */
  readonly values: Float64Array;
  /** In which round the page came; only where several channels carry pages. */
  readonly rounds: Uint32Array | undefined;
}

export class PageMap {
  private readonly pieces = new Map<number, Piece>();
  private readonly budget: MapBudget;
  private readonly withRounds: boolean;

  constructor(budget: MapBudget, withRounds: boolean) {
    this.budget = budget;
    this.withRounds = withRounds;
  }

  get(page: number): number {
    return this.pieces.get(Math.floor(page / PIECE))?.values[page % PIECE] ?? 0;
  }

  /** Whether what is known of a page came in that round or after it. */
  isNewer(page: number, round: number): boolean {
    const piece = this.pieces.get(Math.floor(page / PIECE));
    const at = page % PIECE;
    return piece !== undefined && (piece.values[at] ?? 0) !== 0 && (piece.rounds?.[at] ?? 0) >= round;
  }

  /** Forgets the pages from `first` to before `end`. */
  clear(first: number, end: number): void {
    for (const { first: from, values } of this.filled()) {
      values.fill(0, Math.max(0, first - from), Math.max(0, end - from));
    }
  }

  /** False when the budget does not allow for it. */
  set(page: number, value: number, round: number): boolean {
    const index = Math.floor(page / PIECE);
    const piece = this.pieces.get(index) ?? this.make(index);
    if (piece === undefined) return false;
    piece.values[page % PIECE] = value;
    if (piece.rounds !== undefined) piece.rounds[page % PIECE] = round;
    return true;
  }

  /** The pieces that there are, in order: the first page of each, and its values. */
  *filled(): Generator<{ readonly first: number; readonly values: Float64Array }> {
    for (const index of [...this.pieces.keys()].sort((a, b) => a - b)) {
      const piece = this.pieces.get(index);
      if (piece !== undefined) yield { first: index * PIECE, values: piece.values };
    }
  }

  private make(index: number): Piece | undefined {
    const size = PIECE * (this.withRounds ? VALUE_BYTES + ROUND_BYTES : VALUE_BYTES);
    if (size > this.budget.left) return undefined;
    this.budget.left -= size;
    const rounds = this.withRounds ? new Uint32Array(PIECE) : undefined;
    const piece = { values: new Float64Array(PIECE), rounds };
    this.pieces.set(index, piece);
    return piece;
  }
}
