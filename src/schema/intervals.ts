/** Ranges of integers of which none may overlap another: the values of an enum, the labels of a switch. */

interface Claimed<T> {
  readonly from: bigint;
  readonly to: bigint;
  readonly owner: T;
}

export class Intervals<T> {
  /** In ascending order. Generated schemas have tens of thousands of values: each is found by bisection. */
  private readonly claimed: Claimed<T>[] = [];

  /** Takes the integers from `from` to `to`, or takes none and gives the owner of some of them. */
  claim(from: bigint, to: bigint, owner: T): T | undefined {
    const index = this.firstNotBelow(from);
    const next = this.claimed[index];
    if (next !== undefined && next.from <= to) return next.owner;
    this.claimed.splice(index, 0, { from, to, owner });
    return undefined;
  }

  /** Whether one claim has all of them. */
  covers(from: bigint, to: bigint): boolean {
    const found = this.claimed[this.firstNotBelow(from)];
    return found !== undefined && found.from <= from && found.to >= to;
  }

  /** How many integers are claimed. */
  count(): bigint {
    return this.claimed.reduce((sum, { from, to }) => sum + (to - from + 1n), 0n);
  }

  /** The index of the first claim that does not end before `value`. */
  private firstNotBelow(value: bigint): number {
    let low = 0;
    let high = this.claimed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { to } = this.claimed[middle] as Claimed<T>;
      if (to < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
