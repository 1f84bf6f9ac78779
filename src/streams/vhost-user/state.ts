/** Gathers what goes through the pipe of a transfer of the back-end's state. */
import type { Piece, StateContents } from "./message.js";

/** Larger states are counted and not kept: nobody looks at their fields one by one. */
const MAX_KEPT = 4 << 20;

export class StateTransfers {
  private count = 0;
  private pieces: Uint8Array[] = [];
  private size = 0;
  private first: Piece | undefined;

  push(piece: Piece): void {
    this.first ??= piece;
    this.size += piece.bytes.length;
    // The bytes are lent.
    if (this.size <= MAX_KEPT) this.pieces.push(piece.bytes.slice());
    else this.pieces = [];
  }

  /** What has come since the last call; undefined when nothing has. */
  take(): StateContents | undefined {
    const { first, size, pieces } = this;
    if (first === undefined) return undefined;
    this.first = undefined;
    this.size = 0;
    this.pieces = [];
    const { from, time } = first;
    return {
      index: this.count++,
      from,
      time,
      size,
      bytes: size > MAX_KEPT ? undefined : joined(pieces, size),
    };
  }
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
