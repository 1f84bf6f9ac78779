/** Lists memory in hexadecimal, sixteen bytes a line. Lines that repeat the one before are left out, as hexdump does. */

const WIDTH = 16;

export class MemoryDump {
  private readonly write: (text: string) => void;
  private last: string | undefined;
  private repeats = false;
  private next = 0;

  constructor(write: (text: string) => void) {
    this.write = write;
  }

  bytes(at: number, bytes: Uint8Array): void {
    // Lines begin at multiples of sixteen, so that the columns of two listings agree.
    for (let from = 0; from < bytes.length; ) {
      const column = (at + from) % WIDTH;
      const size = Math.min(WIDTH - column, bytes.length - from);
      this.line(at + from, column, bytes.subarray(from, from + size));
      from += size;
    }
    this.next = at + bytes.length;
  }

  /** There are no bytes to be shown, and why. */
  missing(at: number, size: number, why: string): void {
    this.write(`${address(at)}  ${size} bytes: ${why}\n`);
    this.last = undefined;
    this.repeats = false;
    this.next = at + size;
  }

  end(): void {
    this.write(`${address(this.next)}\n`);
  }

  private line(at: number, column: number, bytes: Uint8Array): void {
    const cells = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
    const row = [...new Array<string>(column).fill("  "), ...cells];
    const digits = [row.slice(0, WIDTH / 2), row.slice(WIDTH / 2)].map((half) => half.join(" ")).join("  ");
    const text = [...bytes]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
      .join("");
    const body = `${digits.padEnd(WIDTH * 3)}  ${" ".repeat(column)}|${text}|`;
    const repeats = body === this.last && bytes.length === WIDTH;
    if (!repeats) this.write(`${address(at)}  ${body}\n`);
    else if (!this.repeats) this.write("*\n");
    this.last = body;
    this.repeats = repeats;
  }
}

function address(at: number): string {
  return at.toString(16).padStart(9, "0");
}
