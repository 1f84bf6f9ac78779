/** Tells a person at a terminal that a long read is still going on. */
import type { Io } from "./io.js";

const FIRST_AFTER = 1000;
const EVERY = 200;

export class Progress {
  private readonly size: number | undefined;
  private readonly io: Io;
  private next = Date.now() + FIRST_AFTER;
  private done = 0;
  private shown = false;

  constructor(size: number | undefined, io: Io) {
    this.size = size;
    this.io = io;
  }

  /** `known`: how much is done, from 0 to 1, where bytes do not tell. */
  advance(bytes: number, known?: number): void {
    this.done += bytes;
    if (!this.io.errIsTerminal) return;
    const now = Date.now();
    if (now < this.next) return;
    this.next = now + EVERY;
    this.shown = true;
    const megabytes = Math.floor(this.done / 1e6);
    const done = known ?? (this.size ? this.done / this.size : undefined);
    const share = done === undefined ? "" : ` (${Math.floor(done * 100)} %)`;
    this.io.err(`\r${megabytes} MB${share}\u001b[K`);
  }

  /** Leaves the line as it was. */
  end(): void {
    if (this.shown) this.io.err("\r\u001b[K");
    this.shown = false;
  }
}
