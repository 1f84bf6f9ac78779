/**
 * JSON text as bytes, in one buffer that is written out whenever it is full. An inspection prints members by the hundred
 * thousand: as strings they would be made to be joined, encoded and thrown away.
 */

/** The bytes are lent. */
export type WriteBytes = (bytes: Uint8Array) => void;

const SIZE = 1 << 16;
/** Bytes that one member takes at most besides its texts. */
const ROOM = 64;
const DIGITS = "0123456789abcdef";
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

const encoder = new TextEncoder();

/** Puts commas where they belong: between the members of an object and the elements of a list. */
export class JsonBytes {
  private readonly out: WriteBytes;
  private readonly buffer: Uint8Array<ArrayBuffer>;
  private at = 0;
  /** Nothing precedes what comes next in its list or object. */
  private isFirst = true;

  /** `size`: of the buffer, in bytes. */
  constructor(out: WriteBytes, size: number = SIZE) {
    this.out = out;
    this.buffer = new Uint8Array(size);
  }

  /** Punctuation between values; what follows it begins anew. ASCII. */
  plain(text: string): void {
    this.ascii(text);
    this.isFirst = true;
  }

  /** `{` or `[` */
  open(bracket: "{" | "["): void {
    this.separate();
    this.ascii(bracket);
    this.isFirst = true;
  }

  close(bracket: "}" | "]"): void {
    this.ascii(bracket);
    this.isFirst = false;
  }

  key(name: string): void {
    this.text(name);
    this.ascii(":");
    this.isFirst = true;
  }

  text(value: string): void {
    this.separate();
    if (!this.asciiText(value)) this.encode(JSON.stringify(value));
  }

  number(value: number | bigint): void {
    this.separate();
    if (typeof value === "number" && value >>> 0 === value) this.digits(value);
    else this.ascii(String(value));
  }

  boolean(value: boolean): void {
    this.separate();
    this.ascii(value ? "true" : "false");
  }

  none(): void {
    this.separate();
    this.ascii("null");
  }

  /** As text of hexadecimal digits. */
  bytes(value: Uint8Array): void {
    this.separate();
    this.ascii('"');
    for (const byte of value) {
      this.reserve(2);
      this.buffer[this.at++] = DIGITS.charCodeAt(byte >> 4);
      this.buffer[this.at++] = DIGITS.charCodeAt(byte & 15);
    }
    this.ascii('"');
  }

  /** Writes out what is in the buffer. */
  flush(): void {
    if (this.at > 0) this.out(this.buffer.subarray(0, this.at));
    this.at = 0;
  }

  private separate(): void {
    this.reserve(ROOM);
    if (!this.isFirst) this.buffer[this.at++] = COMMA;
    this.isFirst = false;
  }

  private reserve(size: number): void {
    if (this.at + size > this.buffer.length) this.flush();
  }

  private ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.buffer[this.at++] = text.charCodeAt(i);
  }

  /** False, and nothing written, for what is long or has to be escaped. */
  private asciiText(value: string): boolean {
    const { length } = value;
    if (length + 2 > this.buffer.length) return false;
    this.reserve(length + 2);
    const { buffer } = this;
    let { at } = this;
    buffer[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) return false;
      buffer[at++] = code;
    }
    buffer[at++] = QUOTE;
    this.at = at;
    return true;
  }

  private encode(text: string): void {
    const bytes = encoder.encode(text);
    this.reserve(bytes.length);
    if (bytes.length > this.buffer.length) {
      this.out(bytes);
      return;
    }
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  private digits(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) size++;
    this.at += size;
    let rest = value;
    for (let at = this.at - 1; size > 0; size--) {
      const next = Math.floor(rest / 10);
      this.buffer[at--] = ZERO + (rest - next * 10);
      rest = next;
    }
  }
}
