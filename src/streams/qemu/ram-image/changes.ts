/** The XBZRLE records of a stream: which content each one changes, and where it lies. Three numbers a record. */

import { readXbzrleRunLength, scanXbzrleRunLength } from "../../../../generated/qemu/ram.js";
import { Reader } from "../../../runtime/index.js";
import type { MapBudget } from "./page-map.js";

const NUMBERS = 3;
const FIRST_ROOM = 1024;

export interface Change {
  /** Code of the content that it changes. */
  readonly base: number;
  /** Of the data, in the main stream. */
  readonly at: number;
  readonly length: number;
}

export class ChangeList {
  private readonly budget: MapBudget;
  private numbers = new Float64Array(0);
  private count = 0;

  constructor(budget: MapBudget) {
    this.budget = budget;
  }

  /** Gives the index of the new entry; undefined when the budget does not allow for it. */
  add({ base, at, length }: Change): number | undefined {
    const from = this.count * NUMBERS;
    if (from === this.numbers.length && !this.grow()) return undefined;
    this.numbers.set([base, at, length], from);
    return this.count++;
  }

  get(index: number): Change {
    const [base = 0, at = 0, length = 0] = this.numbers.subarray(index * NUMBERS, (index + 1) * NUMBERS);
    return { base, at, length };
  }

  private grow(): boolean {
    const numbers = new Float64Array(Math.max(FIRST_ROOM * NUMBERS, this.numbers.length * 2));
    const more = numbers.byteLength - this.numbers.byteLength;
    if (more > this.budget.left) return false;
    this.budget.left -= more;
    numbers.set(this.numbers);
    this.numbers = numbers;
    return true;
  }
}

/**
 * Overwrites what has changed in a page: a run to keep, a run to overwrite, its bytes, and so on. False when the data is no
 * XBZRLE that fits the page, which is left half changed then.
 */
export function applyChanges(page: Uint8Array, data: Uint8Array): boolean {
  const reader = new Reader(data);
  let at = 0;
  while (reader.at < reader.end) {
    const isFirst = reader.at === 0;
    const kept = runLength(reader);
    const changed = runLength(reader);
    if (kept === undefined || changed === undefined || changed === 0 || (kept === 0 && !isFirst))
      return false;
    at += kept;
    if (at + changed > page.length || changed > reader.end - reader.at) return false;
    page.set(reader.slice(changed), at);
    at += changed;
  }
  return true;
}

function runLength(reader: Reader): number | undefined {
  const { at } = reader;
  if (!scanXbzrleRunLength(reader)) return undefined;
  reader.at = at;
  const { low, high } = readXbzrleRunLength(reader);
  return low + (high ?? 0) * 0x80;
}
