/** Cuts pushed bytes into lines of text. Holds one line at most, and no line longer than a cap. */

/** A message of 4 KiB is written with four characters a byte at most, and names beside it. */
const MAX_LINE = 1 << 20;

/** `at`: where the line begins in the file. `text` is undefined for a line that is longer than the cap. */
export type TakeLine = (text: string | undefined, at: number, number: number) => void;

export class Lines {
  private readonly take: TakeLine;
  private readonly decoder = new TextDecoder();
  private text = "";
  /** In bytes, the part that is not kept included. */
  private size = 0;
  private at = 0;
  private number = 1;

  constructor(take: TakeLine) {
    this.take = take;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    while (true) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end < 0) break;
      this.hold(chunk.subarray(from, end));
      this.finishLine(1);
      from = end + 1;
    }
    this.hold(chunk.subarray(from));
  }

  end(): void {
    if (this.size > 0) this.finishLine(0);
  }

  private hold(bytes: Uint8Array): void {
    this.size += bytes.length;
    if (this.size <= MAX_LINE) this.text += this.decoder.decode(bytes, { stream: true });
  }

  private finishLine(newline: number): void {
    const { size } = this;
    const text = this.text + this.decoder.decode();
    this.take(size <= MAX_LINE ? text : undefined, this.at, this.number);
    this.at += size + newline;
    this.number++;
    this.text = "";
    this.size = 0;
  }
}

const NEWLINE = 0x0a;
