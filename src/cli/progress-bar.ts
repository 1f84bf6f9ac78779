/** A bar on a terminal that fills as work is done; nothing where nobody looks. */
import type { Io } from "./io.js";

const WIDTH = 30;
/** In ms: fast enough for the eye, and no slower than the work. */
const EVERY = 50;

export class ProgressBar {
  private readonly io: Io;
  private next = 0;
  private shown = false;

  constructor(io: Io) {
    this.io = io;
  }

  /** `title`: what is being done; `share`: how much of it, from 0 to 1. */
  show(title: string, share: number): void {
    const now = Date.now();
    if (!this.io.errIsTerminal || now < this.next) return;
    this.next = now + EVERY;
    this.shown = true;
    const full = Math.round(Math.min(1, share) * WIDTH);
    const bar = `${"█".repeat(full)}${"░".repeat(WIDTH - full)}`;
    this.io.err(`\r${title} ${bar} ${Math.floor(share * 100)} %\u001b[K`);
  }

  /** Leaves the line as it was: what is printed next begins there. */
  clear(): void {
    if (this.shown) this.io.err("\r\u001b[K");
    this.shown = false;
    this.next = 0;
  }
}
