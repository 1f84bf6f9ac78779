/** A line on a terminal that is written over as things go on, and wiped in the end; nothing where nobody looks. */
import type { Io } from "./io.js";

/** Back to the start of the line, and behind the text nothing of what stood there before. */
const BEGIN = "\r";
const WIPE = "\u001b[K";

export class StatusLine {
  private readonly io: Io;
  private text = "";

  constructor(io: Io) {
    this.io = io;
  }

  show(text: string): void {
    if (!this.io.errIsTerminal) return;
    const shown = this.clipped(text);
    if (shown === this.text) return;
    this.text = shown;
    this.io.err(`${BEGIN}${shown}${WIPE}`);
  }

  /** What is printed next begins where the line began. */
  clear(): void {
    if (this.text !== "") this.io.err(`${BEGIN}${WIPE}`);
    this.text = "";
  }

  /** What runs into a second row of the terminal could not be written over: each update would scroll it. */
  private clipped(text: string): string {
    const columns = this.io.columns();
    if (columns === undefined || text.length < columns) return text;
    return text.slice(0, Math.max(0, columns - 1));
  }
}
