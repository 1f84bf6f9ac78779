/** The buffers that a device has taken and not given back. */

/** Ids are 16 bits wide. */
const MAX_IDS = 1 << 16;

export class OwnedBuffers {
  /** When each id was taken; zero for those that were not. Grows with the largest id, which is mostly below the ring's size. */
  private taken: Float64Array;
  private turn = 0;

  constructor(size: number) {
    this.taken = new Float64Array(size);
  }

  has(id: number): boolean {
    return id < this.taken.length && this.taken[id] !== 0;
  }

  add(id: number): void {
    if (id >= this.taken.length) {
      const grown = new Float64Array(MAX_IDS);
      grown.set(this.taken);
      this.taken = grown;
    }
    this.taken[id] = ++this.turn;
  }

  delete(id: number): void {
    this.taken[id] = 0;
  }

  /** In the order in which they were taken. */
  get ids(): number[] {
    const ids: number[] = [];
    this.taken.forEach((turn, id) => {
      if (turn !== 0) ids.push(id);
    });
    return ids.sort((a, b) => (this.taken[a] as number) - (this.taken[b] as number));
  }
}
