/**
 * The engine under generated push parsers: it is fed with chunks of any size and hands each unit of a stream (a run of
 * fields, an element of an array) to the parser as soon as all of it is there. A unit that lies whole in a chunk is
 * read from the chunk; one that straddles chunks is gathered first. Nothing else is kept, and nothing is scanned again
 * before the bytes have come that the last scan asked for.
 */
import { type Fault, WireError } from "./errors.js";
import { type Leaf, Reader } from "./reader.js";

export interface ParserOptions {
  /**
   * The largest unit that is gathered, in bytes: what a parser retains at most. Larger ones are refused with the code
   * `limit`. The default is 16 MiB.
   */
  readonly maxUnit?: number;
  /**
   * Payloads of more bytes than this are lent to the handler piece by piece, where it has methods for that. The default
   * is 64 KiB.
   */
  readonly lendAbove?: number;
  /** Where the first byte stands in the whole stream: offsets count from there. */
  readonly base?: number;
  /** Refuse reserved fields that are not zero. */
  readonly strict?: boolean;
}

/** Something whose length is known before its bytes have come. A decoder of the whole would miss them right here. */
interface Announced {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly schema: string;
}

const NO_BYTES = new Uint8Array(0);

export abstract class PushParser {
  /** Where the generated parser stands in the schema. */
  protected state = 0;
  /** No more bytes will come. */
  protected final = false;
  /** Absolute offset of the end of the innermost range, as far as ranges enclose units. */
  protected rangeEnd = Number.POSITIVE_INFINITY;
  protected readonly lendAbove: number;
  private readonly maxUnit: number;
  private readonly strict: boolean;
  /** The start of a unit that is not whole yet. */
  private scratch = NO_BYTES;
  private held = 0;
  /** Bytes from the start of the unit that are needed before it makes sense to try again. */
  private wanted = 0;
  private offset: number;
  private announced: Announced | undefined;
  private complete = false;
  private busy = false;
  private failed = false;
  private failure: unknown;

  protected constructor(options: ParserOptions = {}) {
    this.maxUnit = options.maxUnit ?? 16 * 1024 * 1024;
    this.lendAbove = options.lendAbove ?? 64 * 1024;
    this.strict = options.strict ?? false;
    this.offset = options.base ?? 0;
  }

  /** Absolute offset of the first byte that has not been handed to the handler. */
  get consumed(): number {
    return this.offset;
  }

  /** The value is complete: further bytes are refused with the code `trailing`. */
  get done(): boolean {
    return this.complete;
  }

  /**
   * Takes the next bytes. The handler's methods are called from here. Values may hold slices of the chunk: they are
   * good for as long as the caller leaves its memory alone. After an error every further call throws the same one.
   */
  push(chunk: Uint8Array): void {
    this.guarded(() => {
      if (this.final) throw new Error("push() after finish()");
      this.feed(chunk);
    });
  }

  /** Says that there are no more bytes. Throws `truncated` when the value is not complete. */
  finish(): void {
    this.guarded(() => {
      if (this.final) return;
      this.final = true;
      this.run(this.scratch.subarray(0, this.held));
    });
  }

  /**
   * Reads as many units as there are, from the cursor on, and leaves the cursor behind the last whole one. Returns
   * right after `more`, `short` or `stuck`, or when it has called `end`.
   */
  protected abstract advance(reader: Reader): void;

  /** Where the next unit begins. What can be read of it ends with the range, the input or the largest unit. */
  protected open(reader: Reader): number {
    const { at } = reader;
    const range = this.rangeEnd - reader.base;
    const here = reader.bytes.byteLength;
    reader.depth = range <= here ? 1 : 0;
    reader.end = Math.min(range, here);
    if (reader.end - at > this.maxUnit) {
      reader.end = at + this.maxUnit;
      reader.depth = 0;
    }
    return at;
  }

  /** Whether nothing can follow: the end of the range is reached, or the end of the input is known to be. */
  protected atEnd(reader: Reader): boolean {
    const { at } = reader;
    if (reader.base + at === this.rangeEnd) return true;
    return this.final && at === reader.bytes.byteLength;
  }

  /** Bytes left in the range; undefined while that cannot be told. */
  protected remaining(reader: Reader): number | undefined {
    if (this.rangeEnd !== Number.POSITIVE_INFINITY) return this.rangeEnd - reader.base - reader.at;
    return this.final ? reader.bytes.byteLength - reader.at : undefined;
  }

  /** The unit cannot be told from its start before all of its range is there. Returns whether that is so. */
  protected whole(reader: Reader, name = "", index = -1): boolean {
    const at = this.open(reader);
    const range = this.rangeEnd - reader.base;
    const size = range === Number.POSITIVE_INFINITY ? reader.bytes.byteLength - at : range - at;
    if (size > this.maxUnit) throw this.tooLarge(reader, at, size, nameOf(name, index));
    if (this.final || range <= reader.bytes.byteLength) return true;
    this.wait(reader, at, Math.min(range - at, this.maxUnit + 1));
    return false;
  }

  /** The run at the cursor does not fit. */
  protected short(reader: Reader, leaves: readonly Leaf[], file: string): void {
    const { at } = reader;
    reader.short(at, leaves, file);
    this.stuck(reader, at);
  }

  /**
   * The scan of the unit at `at` has failed: for want of bytes that may still come, or for good. `name` and `index` say
   * what the unit is called, as in `Reader.inside`.
   */
  protected stuck(reader: Reader, at: number, name = "", index = -1): void {
    const fault = reader.fault as Fault;
    if (fault.code === "truncated") {
      const need = Math.min(reader.wanted, this.rangeEnd - reader.base) - at;
      if (need > this.maxUnit) throw this.tooLarge(reader, at, need, nameOf(name, index));
      if (!this.final) {
        this.wait(reader, at, need);
        return;
      }
    }
    if (name !== "") reader.inside(name, index);
    throw this.broken(reader);
  }

  /** At least one more byte is needed to go on. */
  protected more(reader: Reader): void {
    this.wait(reader, reader.at, reader.bytes.byteLength - reader.at + 1);
  }

  /** Bounds what follows to `length` bytes. `outer` goes back into `leaveRange`. */
  protected enterRange(reader: Reader, length: number, path: string, file: string, line: number): void {
    this.expect(reader, length, path, file, line);
    this.rangeEnd = reader.base + reader.at + length;
  }

  /** The end of a range, which must have been used up. */
  protected leaveRange(reader: Reader, outer: number, path: string, file: string, line: number): void {
    if (reader.base + reader.at !== this.rangeEnd) {
      reader.fail("trailing", path, reader.at, file, line);
      throw this.broken(reader);
    }
    this.rangeEnd = outer;
    if (outer === Number.POSITIVE_INFINITY) this.announced = undefined;
  }

  /** At least `size` bytes must follow in this range. If they never come, that is the error, and not what came last. */
  protected expect(reader: Reader, size: number, path: string, file: string, line: number): void {
    const { at } = reader;
    const left = this.rangeEnd - reader.base - at;
    if (size > left) {
      reader.rewind(at, at + left, 1).lacks(path, at, size, file, line);
      throw this.broken(reader);
    }
    if (this.rangeEnd !== Number.POSITIVE_INFINITY) return;
    this.announced = { path, offset: reader.base + at, size, schema: `${file}:${line}` };
  }

  /** Takes up to `size` bytes of a payload that is lent: a slice of what was pushed. */
  protected lend(reader: Reader, size: number): Uint8Array {
    const at = reader.at;
    reader.at = Math.min(at + size, reader.bytes.byteLength);
    return reader.bytes.subarray(at, reader.at);
  }

  /** A payload that is lent has not come to its end. */
  protected lending(reader: Reader, left: number, path: string, file: string, line: number): void {
    if (this.final) {
      reader.rewind(reader.at, reader.bytes.byteLength, 0).lacks(path, reader.at, left, file, line);
      throw this.broken(reader);
    }
    this.more(reader);
  }

  /** The last unit has been read. */
  protected end(reader: Reader): void {
    this.complete = true;
    if (reader.at !== reader.bytes.byteLength) throw reader.error("trailing", "", reader.at);
  }

  /** The fault as an error, unless a length that was announced earlier is the reason for it. */
  protected broken(reader: Reader): WireError {
    const fault = reader.fault as Fault;
    const { announced } = this;
    if (fault.code !== "truncated" || announced === undefined) return new WireError(fault);
    const had = reader.base + reader.bytes.byteLength - announced.offset;
    if (had >= announced.size) return new WireError(fault);
    const { path, offset, size, schema } = announced;
    return new WireError({ code: "truncated", path, offset, need: size, had, detail: undefined, schema });
  }

  private wait(reader: Reader, at: number, need: number): void {
    reader.at = at;
    this.wanted = need;
  }

  private tooLarge(reader: Reader, at: number, size: number, path: string): WireError {
    return reader.error("limit", path, at, `${size} bytes or more, at most ${this.maxUnit} are gathered`);
  }

  private feed(chunk: Uint8Array): void {
    let from = 0;
    while (this.held > 0) {
      const to = Math.min(from + this.wanted - this.held, chunk.byteLength);
      this.gather(chunk, from, to);
      from = to;
      if (this.held < this.wanted) return;
      this.run(this.scratch.subarray(0, this.held));
    }
    if (from < chunk.byteLength) this.run(from === 0 ? chunk : chunk.subarray(from));
  }

  /** Reads what can be read of `bytes` and holds on to the rest. */
  private run(bytes: Uint8Array): void {
    const reader = new Reader(bytes, { base: this.offset, strict: this.strict });
    if (this.complete) this.end(reader);
    else this.advance(reader);
    const { at } = reader;
    this.offset += at;
    const rest = bytes.byteLength - at;
    if (at === 0 && bytes.buffer === this.scratch.buffer) return;
    // Values that have been handed out may hold slices of the old memory: it is never written to again.
    this.scratch = NO_BYTES;
    this.held = 0;
    if (rest > 0) this.gather(bytes, at, bytes.byteLength);
  }

  private gather(bytes: Uint8Array, from: number, to: number): void {
    const size = this.held + to - from;
    if (size > this.scratch.byteLength) {
      // A length that somebody claims is no reason to allocate as much before anything has come of it.
      const room = new Uint8Array(Math.min(this.wanted, Math.max(size, 2 * this.scratch.byteLength, 4096)));
      room.set(this.scratch.subarray(0, this.held));
      this.scratch = room;
    }
    if (to - from === 1) this.scratch[this.held] = bytes[from] as number;
    else this.scratch.set(bytes.subarray(from, to), this.held);
    this.held = size;
  }

  private guarded(work: () => void): void {
    if (this.failed) throw this.failure;
    if (this.busy) throw new Error("a handler must not call the parser that calls it");
    this.busy = true;
    try {
      work();
    } catch (error) {
      this.failed = true;
      this.failure = error;
      throw error;
    } finally {
      this.busy = false;
    }
  }
}

function nameOf(name: string, index: number): string {
  return index < 0 ? name : `${name}[${index}]`;
}
