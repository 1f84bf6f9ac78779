/** Tells a person at a terminal how far a long piece of work has come. */
import type { Io } from "./io.js";
import { StatusLine } from "./status-line.js";

/** In ms. What is over sooner needs no display. */
const AFTER = 500;
/** In ms: fast enough for the eye, and no slower than the work. */
const EVERY = 100;
const BAR = 30;

export interface ProgressOptions {
  /** Bytes in all, where that is known. */
  readonly size?: number | undefined;
  /** When it is shown for the first time, in ms. */
  readonly after?: number;
}

export class Progress {
  private readonly size: number | undefined;
  private readonly line: StatusLine;
  private next: number;
  private done = 0;

  constructor(io: Io, { size, after = AFTER }: ProgressOptions = {}) {
    this.size = size;
    this.next = Date.now() + after;
    this.line = new StatusLine(io);
  }

  /** `share`: how much is done, from 0 to 1, where bytes do not tell. */
  advance(bytes: number, share?: number): void {
    this.done += bytes;
    const known = share ?? (this.size ? this.done / this.size : undefined);
    // A number a byte is read for: the text is made when it is shown, not for each chunk.
    if (this.isDue()) this.line.show(barText(`${Math.floor(this.done / 1e6)} MB`, known));
  }

  /** `title`: what is being done; `share`: how much of it, from 0 to 1. */
  show(title: string, share: number): void {
    if (this.isDue()) this.line.show(barText(title, share));
  }

  /** Leaves the line as it was: what is printed next begins there. */
  end(): void {
    this.line.clear();
  }

  private isDue(): boolean {
    const now = Date.now();
    if (now < this.next) return false;
    this.next = now + EVERY;
    return true;
  }
}

/** `812 MB ███████████░░░ 40 %` */
function barText(title: string, share: number | undefined): string {
  if (share === undefined) return title;
  const done = Math.max(0, Math.min(1, share));
  const full = Math.round(done * BAR);
  return `${title} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${Math.floor(done * 100)} %`;
}
