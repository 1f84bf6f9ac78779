/**
 * The engine under generated push parsers: it is fed with chunks of any size and hands each unit of a stream (a run of
 * fields, an element of an array) to the parser as soon as all of it is there. A unit that lies whole in a chunk is
 * read from the chunk; one that straddles chunks is gathered first. Nothing else is kept, and nothing is scanned again
 * before the bytes have come that the last scan asked for.
 *
 * Here and in the cursors `length` stands where `byteLength` would do: V8 inlines that of typed arrays, and calls a
 * builtin for the other.
 */
import { type Fault, type FaultCode, WireError } from "./errors.js";
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
/** The end of the input, while it is not known. */
const NO_END: number = Number.POSITIVE_INFINITY;

export abstract class PushParser {
  /** Where the generated parser stands in the schema. */
  protected state = 0;
  /** No more bytes will come. */
  protected final = false;
  /** Absolute offset of the end of the innermost range, as far as ranges enclose units. */
  protected rangeEnd: number = NO_END;
  protected readonly lendAbove: number;
  /** Absolute offset of the first byte of the value. */
  protected readonly start: number;
  /** The ends of the ranges around the innermost one. */
  private readonly outer: number[] = [];
  /** Bytes of a lent payload that are still to come. */
  protected left = 0;
  /** Which of the payloads that the parser lends. */
  protected lending = 0;
  private lent = 0;
  private lentAt = 0;
  protected readonly maxUnit: number;
  private readonly reader: Reader;
  /** The start of a unit that is not whole yet. */
  private scratch: Uint8Array = NO_BYTES;
  private held = 0;
  /** Bytes from the start of the unit that are needed before it makes sense to try again. */
  private wanted = 0;
  private offset: number;
  private announced: Announced | undefined;
  private complete = false;
  private busy = false;
  private failed = false;
  private failure: unknown;

  /** Where the stream is declared, for errors that are about no field. */
  private readonly file: string;
  private readonly line: number;

  protected constructor(options: ParserOptions | undefined, file: string, line: number) {
    this.file = file;
    this.line = line;
    this.maxUnit = options?.maxUnit ?? 16 * 1024 * 1024;
    this.lendAbove = options?.lendAbove ?? 64 * 1024;
    this.reader = new Reader(NO_BYTES, { strict: options?.strict ?? false });
    this.start = options?.base ?? 0;
    this.offset = this.start;
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
    this.begin();
    try {
      if (this.final) throw new Error("push() after finish()");
      this.feed(chunk);
    } catch (error) {
      this.fail(error);
    }
    this.busy = false;
  }

  /** Says that there are no more bytes. Throws `truncated` when the value is not complete. */
  finish(): void {
    this.begin();
    try {
      if (!this.final) {
        this.final = true;
        this.runScratch();
      }
    } catch (error) {
      this.fail(error);
    }
    this.busy = false;
  }

  /**
   * Reads as many units as there are, from the cursor on, and leaves the cursor behind the last whole one. Returns
   * right after `more`, `short` or `stuck`, or when it has called `end`.
   */
  protected abstract advance(reader: Reader): void;

  /** Where the next unit begins. What can be read of it ends with the range, the input or the largest unit. */
  protected open(reader: Reader): number {
    const { at } = reader;
    if (this.window(reader) - at > this.maxUnit) {
      reader.end = at + this.maxUnit;
      reader.depth = 0;
    }
    return at;
  }

  /** Bounds the reader to the range and to what there is of it. Gives the end. */
  protected window(reader: Reader): number {
    reader.end = reader.bytes.length;
    reader.depth = 0;
    if (this.rangeEnd !== NO_END && this.rangeEnd - reader.base <= reader.end) {
      reader.end = this.rangeEnd - reader.base;
      reader.depth = 1;
    }
    return reader.end;
  }

  /** Whether nothing can follow: the end of the range is reached, or without a range, that of the input. */
  protected atEnd(reader: Reader): boolean {
    const { at } = reader;
    if (this.rangeEnd !== NO_END) return reader.base + at === this.rangeEnd;
    return this.final && at === reader.bytes.length;
  }

  /** Bytes left in the range; undefined while that cannot be told. */
  protected remaining(reader: Reader): number | undefined {
    if (this.rangeEnd !== NO_END) return this.rangeEnd - reader.base - reader.at;
    return this.final ? reader.bytes.length - reader.at : undefined;
  }

  /** The unit cannot be told from its start before all of its range is there. Returns whether that is so. */
  protected whole(reader: Reader, name = "", index = -1): boolean {
    const at = this.open(reader);
    const range = this.rangeEnd - reader.base;
    const size = range === NO_END ? reader.bytes.length - at : range - at;
    if (size > this.maxUnit) throw this.tooLarge(reader, at, nameOf(name, index));
    if (range <= reader.bytes.length || (this.final && range === NO_END)) return true;
    if (this.final) {
      reader.lacks(nameOf(name, index), at, range - at, this.file, this.line);
      throw this.broken(reader);
    }
    this.wait(reader, at, Math.min(range - at, this.maxUnit + 1));
    return false;
  }

  /** The run at the cursor does not fit. */
  protected short(reader: Reader, leaves: readonly Leaf[], file: string): void {
    const { at } = reader;
    reader.short(at, leaves, file);
    this.starved(reader, at, "");
  }

  /** A member of `size` bytes at the cursor does not fit. */
  protected lacks(reader: Reader, path: string, size: number, file: string, line: number): void {
    const { at } = reader;
    reader.lacks(path, at, size, file, line);
    this.starved(reader, at, path);
  }

  /**
   * The scan of the unit at `at` has failed: for want of bytes that may still come, or for good. `name` and `index` say
   * what the unit is called, as in `Reader.inside`.
   */
  protected stuck(reader: Reader, at: number, name: string, index = -1): void {
    reader.inside(name, index);
    this.starved(reader, at, nameOf(name, index));
  }

  private starved(reader: Reader, at: number, unit: string): void {
    if (reader.fault?.code === "truncated") {
      const need = Math.min(reader.wanted, this.rangeEnd - reader.base) - at;
      if (need > this.maxUnit) throw this.tooLarge(reader, at, unit);
      if (!this.final) {
        this.wait(reader, at, need);
        return;
      }
    }
    throw this.broken(reader);
  }

  /** Whether the unit at `at`, of `need` bytes, is just not whole yet. Otherwise the scanner has to say what is wrong. */
  protected awaits(reader: Reader, at: number, need: number): boolean {
    if (this.final || need > this.maxUnit || need > this.rangeEnd - reader.base - at) return false;
    this.wait(reader, at, need);
    return true;
  }

  /** What a reader has thrown, as the scanner says it. Memory that has changed in between may scan clean. */
  protected explained(error: unknown, sound: boolean, reader: Reader, name: string, index: number): unknown {
    if (!(error instanceof WireError) || sound) return error;
    reader.inside(name, index);
    return this.broken(reader);
  }

  /** At least one more byte is needed to go on. */
  protected more(reader: Reader): void {
    this.wait(reader, reader.at, reader.bytes.length - reader.at + 1);
  }

  /** Bounds what follows to `length` bytes. */
  protected enterRange(reader: Reader, length: number, path: string, file: string, line: number): void {
    this.expect(reader, length, path, file, line);
    this.outer.push(this.rangeEnd);
    this.rangeEnd = reader.base + reader.at + length;
  }

  /** The end of a range, which must have been used up. */
  protected leaveRange(reader: Reader, path: string, file: string, line: number): void {
    if (reader.base + reader.at !== this.rangeEnd)
      throw this.wrong(reader, "trailing", path, reader.at, file, line);
    this.rangeEnd = this.outer.pop() ?? NO_END;
    this.met();
  }

  /** What was announced has come. */
  protected met(): void {
    if (this.rangeEnd === NO_END) this.announced = undefined;
  }

  /** Anything that is wrong besides missing bytes, as an error to throw. */
  protected wrong(
    reader: Reader,
    code: FaultCode,
    path: string,
    at: number,
    file: string,
    line: number,
    detail?: string,
  ): WireError {
    reader.fail(code, path, at, file, line, detail);
    return this.broken(reader);
  }

  /** At least `size` bytes must follow in this range. If they never come, that is the error, and not what came last. */
  protected expect(reader: Reader, size: number, path: string, file: string, line: number): void {
    const { at } = reader;
    const left = this.rangeEnd - reader.base - at;
    if (size > left) {
      reader.rewind(at, at + left, 1).lacks(path, at, size, file, line);
      throw this.broken(reader);
    }
    if (this.rangeEnd !== NO_END) return;
    this.announced = { path, offset: reader.base + at, size, schema: `${file}:${line}` };
  }

  /** Whether a payload of `length` bytes that begins `head` bytes behind the cursor is to be lent. */
  protected lends(reader: Reader, head: number, length: number): boolean {
    return length > this.lendAbove && reader.base + reader.at + head + length <= this.rangeEnd;
  }

  /** The scan that follows must see the head alone. */
  protected headOnly(reader: Reader, size: number): void {
    reader.end = reader.at + size;
    reader.depth = 0;
  }

  /** The scan of a head has failed. Goes on when that is only because what follows the head is not there. */
  protected refuseHead(reader: Reader, name: string, index: number): void {
    if (reader.fault?.code === "truncated") return;
    reader.inside(name, index);
    throw this.broken(reader);
  }

  /** Lending begins behind `head` bytes, which have been checked. */
  protected beginLending(reader: Reader, head: number, length: number, lending = 0): void {
    this.lending = lending;
    reader.at += head;
    this.lentAt = reader.base + reader.at;
    this.lent = length;
    this.left = length;
  }

  /** The next piece of the payload: a slice of what was pushed. Empty when all has been lent that there is so far. */
  protected lend(reader: Reader): Uint8Array {
    const { at } = reader;
    const size = Math.min(this.left, reader.bytes.length - at);
    this.left -= size;
    if (this.final && this.left === NO_END) this.left = 0;
    reader.at = at + size;
    return reader.bytes.subarray(at, at + size);
  }

  /** Hands a piece of the payload number `lending` to the handler. Parsers that lend override it. */
  protected pass(_slice: Uint8Array, _at: number): void {}

  /** The payload that is being lent goes on in the next chunk. Throws when there will be none. */
  protected lendMore(reader: Reader, path: string, file: string, line: number, name = "", index = -1): void {
    if (this.final) {
      reader.rewind(reader.at, reader.bytes.length, 0);
      reader.lacks(path, this.lentAt - reader.base, this.lent, file, line);
      if (name !== "") reader.inside(name, index);
      throw this.broken(reader);
    }
    this.more(reader);
  }

  /** The last unit has been read. */
  protected end(reader: Reader): void {
    this.complete = true;
    if (reader.at === reader.bytes.length) return;
    reader.fail("trailing", "", reader.at, this.file, this.line);
    throw this.broken(reader);
  }

  /** The fault as an error, unless a length that was announced earlier is the reason for it. */
  protected broken(reader: Reader): WireError {
    const fault = reader.fault as Fault;
    const { announced } = this;
    if (fault.code !== "truncated" || announced === undefined) return new WireError(fault);
    const had = reader.base + reader.bytes.length - announced.offset;
    if (had >= announced.size) return new WireError(fault);
    const { path, offset, size, schema } = announced;
    return new WireError({ code: "truncated", path, offset, need: size, had, detail: undefined, schema });
  }

  private wait(reader: Reader, at: number, need: number): void {
    reader.at = at;
    this.wanted = need;
  }

  /** How much more would be needed is not said: at this point that depends on how the input was cut. */
  private tooLarge(reader: Reader, at: number, path: string): WireError {
    reader.fail("limit", path, at, this.file, this.line, `more than ${this.maxUnit} bytes would be gathered`);
    return this.broken(reader);
  }

  private feed(chunk: Uint8Array): void {
    // The middle of a lent payload needs no reader: to make one takes longer than everything else.
    if (this.left > chunk.length && this.held === 0) {
      const at = this.offset;
      this.left -= chunk.length;
      this.offset += chunk.length;
      if (chunk.length > 0) this.pass(chunk, at);
      return;
    }
    const base = this.offset + this.held;
    let from = 0;
    while (this.held > 0) {
      const to = Math.min(from + this.wanted - this.held, chunk.length);
      this.gather(chunk, from, to);
      from = to;
      if (this.held < this.wanted) return;
      this.runScratch();
    }
    if (from === chunk.length) return;
    const reader = this.reader.aim(chunk, base);
    reader.at = from;
    this.run(reader);
    if (reader.at < chunk.length) this.gather(chunk, reader.at, chunk.length);
  }

  /** Reads what has been gathered, and goes on gathering what is left of it. */
  private runScratch(): void {
    const { scratch, held } = this;
    const bytes = held === scratch.length ? scratch : scratch.subarray(0, held);
    const reader = this.reader.aim(bytes, this.offset);
    this.run(reader);
    if (reader.at === 0) return;
    // Values that have been handed out may hold slices of the old memory: it is never written to again.
    this.scratch = NO_BYTES;
    this.held = 0;
    if (reader.at < held) this.gather(bytes, reader.at, held);
  }

  private run(reader: Reader): void {
    const from = reader.at;
    if (this.complete) this.end(reader);
    else this.advance(reader);
    this.offset += reader.at - from;
  }

  private gather(bytes: Uint8Array, from: number, to: number): void {
    const size = this.held + to - from;
    if (size > this.scratch.length) {
      // A length that somebody claims is no reason to allocate as much before anything has come of it.
      const room = new Uint8Array(Math.min(this.wanted, Math.max(size, 2 * this.scratch.length, 4096)));
      if (this.held > 0) room.set(this.scratch.subarray(0, this.held));
      this.scratch = room;
    }
    if (to - from === 1) this.scratch[this.held] = bytes[from] as number;
    else this.scratch.set(bytes.subarray(from, to), this.held);
    this.held = size;
  }

  private begin(): void {
    if (this.failed) throw this.failure;
    if (this.busy) throw new Error("a handler must not call the parser that calls it");
    this.busy = true;
  }

  /** After an error there is no place to go on from: every further call throws the same one. */
  private fail(error: unknown): never {
    this.busy = false;
    this.failed = true;
    this.failure = error;
    throw error;
  }
}

function nameOf(name: string, index: number): string {
  return index < 0 ? name : `${name}[${index}]`;
}
