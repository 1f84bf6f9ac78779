/** The memory of a guest's stream, summed up: neighbouring messages are one record, and each round is a row. */
import { elementPath } from "../path.js";
import type { Sink, Table } from "../report.js";
import type { GuestOrder } from "./order.js";

/** Rows that the summary can choose from: a guest that never rests has any number of rounds. */
const MAX_ROWS = 1000;

interface Counts {
  pages: number;
  zeroPages: number;
}

interface Run extends Counts {
  readonly at: number;
  readonly round: number;
  size: number;
  messages: number;
  lowest: number;
  highest: number;
}

interface Round extends Counts {
  readonly round: number;
  readonly stateBytes: number;
}

export class MemoryRuns {
  private readonly sink: Sink;
  private run: Run | undefined;
  private index = 0;
  private counts: Counts = { pages: 0, zeroPages: 0 };
  private stateBytes = 0;
  private readonly rows: Round[] = [];

  constructor(sink: Sink) {
    this.sink = sink;
  }

  /** A message of `size` bytes at `at`: pages at an address of the guest. */
  add(
    { begin, rounds }: GuestOrder,
    at: number,
    size: number,
    address: number,
    length: number,
    zero: boolean,
  ): void {
    const pages = length / (begin?.pageSize ?? length);
    this.run ??= {
      at,
      round: rounds,
      size: 0,
      messages: 0,
      pages: 0,
      zeroPages: 0,
      lowest: address,
      highest: 0,
    };
    const { run } = this;
    run.size += size;
    run.messages++;
    run.lowest = Math.min(run.lowest, address);
    run.highest = Math.max(run.highest, address + length);
    for (const counts of [run, this.counts]) {
      if (zero) counts.zeroPages += pages;
      else counts.pages += pages;
    }
  }

  addState(bytes: number): void {
    this.stateBytes += bytes;
  }

  /** Something else follows. */
  flush(): void {
    const { run } = this;
    if (run === undefined) return;
    this.run = undefined;
    const { at, size, round, messages, pages, zeroPages, lowest, highest } = run;
    this.sink.record({
      record: "memory",
      name: `round ${round}`,
      path: elementPath("memory", this.index++),
      at,
      size,
      attributes: { round, messages, pages, zero_pages: zeroPages, from: lowest, to: highest },
      fields: undefined,
      faults: [],
    });
  }

  roundEnd(round: number): void {
    const { counts, stateBytes } = this;
    this.counts = { pages: 0, zeroPages: 0 };
    this.stateBytes = 0;
    if (this.rows.length < MAX_ROWS) this.rows.push({ round, stateBytes, ...counts });
  }

  table(): Table {
    const { rows } = this;
    return {
      key: "rounds",
      title: "rounds",
      columns: [
        { key: "round", label: "round", right: true },
        { key: "pages", label: "pages", right: true },
        { key: "zero_pages", label: "of zeroes", right: true },
        { key: "state_bytes", label: "bytes of states", right: true },
      ],
      rows: rows.map(({ round, pages, zeroPages, stateBytes }) => [
        { value: round },
        { value: pages + zeroPages },
        { value: zeroPages },
        { value: stateBytes },
      ]),
      weights: rows.map(({ round }) => -round),
      briefs: rows.map(({ round }) => `round ${round}`),
    };
  }
}
