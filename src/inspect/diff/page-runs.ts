/** Runs of neighbouring pages to which the same has happened. Three numbers a run, in one array: there may be millions. */

/** `unread`: one side should hold the page, and it could not be had. */
export type PageChange = "changed" | "only-first" | "only-second" | "unread";

export interface PageRun {
  readonly first: number;
  /** The page behind the last one. */
  readonly end: number;
  readonly change: PageChange;
}

const CHANGES: readonly PageChange[] = ["changed", "only-first", "only-second", "unread"];
const NUMBERS = 3;
const FIRST_ROOM = 64 * NUMBERS;

export class PageRuns implements Iterable<PageRun> {
  private numbers = new Float64Array(FIRST_ROOM);
  private used = 0;

  get length(): number {
    return this.used / NUMBERS;
  }

  /** Pages come in order. */
  add(page: number, change: PageChange): void {
    const { numbers, used } = this;
    const code = CHANGES.indexOf(change);
    if (used > 0 && numbers[used - 2] === page && numbers[used - 1] === code) {
      numbers[used - 2] = page + 1;
      return;
    }
    if (used === numbers.length) {
      this.numbers = new Float64Array(used * 2);
      this.numbers.set(numbers);
    }
    this.numbers.set([page, page + 1, code], used);
    this.used += NUMBERS;
  }

  *[Symbol.iterator](): Generator<PageRun> {
    for (let at = 0; at < this.used; at += NUMBERS) {
      const [first = 0, end = 0, code = 0] = this.numbers.subarray(at, at + NUMBERS);
      yield { first, end, change: CHANGES[code] ?? "changed" };
    }
  }
}
