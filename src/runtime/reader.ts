/**
 * The cursor that generated decoders share. It reads one DataView, bounded by `end`; a nested range lowers `end` for
 * a while. Two kinds of generated functions use it: `read…` makes values and throws, `scan…` checks in place, allocates
 * nothing while all is well, and leaves a fault behind and returns false when it is not.
 */
import { type Fault, type FaultCode, WireError } from "./errors.js";

/** What decoders take: bytes, or a reader to go on from. */
export type Source = Uint8Array | ArrayBuffer | DataView | Reader;

export interface ReaderOptions {
  /** Where byte 0 of the source stands in the whole stream; offsets in errors count from there. */
  readonly base?: number;
  /** Refuse reserved fields that are not zero. */
  readonly strict?: boolean;
}

/**
 * A field of a run of constant size: path, offset in the run, size, schema line, and the schema file when it is another
 * than the one of the struct.
 */
export type Leaf = readonly [path: string, offset: number, size: number, line: number, file?: string];

export class Reader {
  /** What is read; `aim` turns to other bytes. */
  bytes: Uint8Array;
  view: DataView;
  /** Where index 0 stands in the whole stream. */
  base: number;
  readonly strict: boolean;
  /** Index of the next byte. */
  at = 0;
  /** Index after the last byte that may be read. */
  end: number;
  /** How many ranges enclose the cursor. Running out of bytes is `overrun` inside one and `truncated` outside. */
  depth = 0;
  /** After a `scan…` returned false: why. */
  fault: Fault | undefined;
  /** After a `truncated` fault: the index up to which bytes are needed before it makes sense to try again. */
  wanted = 0;

  constructor(source: Uint8Array | ArrayBuffer | DataView, options?: ReaderOptions) {
    this.bytes = bytesOf(source);
    this.view =
      source instanceof DataView
        ? source
        : new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.end = this.bytes.length;
    this.base = options?.base ?? 0;
    this.strict = options?.strict ?? false;
  }

  /** Starts over at the beginning of other bytes. A stream has many chunks and needs but one reader. */
  aim(bytes: Uint8Array, base: number): this {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.base = base;
    this.fault = undefined;
    return this.rewind(0, bytes.length, 0);
  }

  /** Takes `size` bytes and gives the index of the first. Throws when they are not there. */
  take(size: number): number {
    const at = this.at;
    if (size > this.end - at) throw this.outOfBytes(at, size);
    this.at = at + size;
    return at;
  }

  /** A slice of `size` bytes: a view of the input, not a copy. */
  slice(size: number): Uint8Array {
    const at = this.take(size);
    return this.bytes.subarray(at, at + size);
  }

  /** What is left of the range, as a slice. */
  rest(): Uint8Array {
    return this.slice(this.end - this.at);
  }

  /** `size` reserved bytes at `at`: undefined when all are zero, as they nearly always are. */
  reserved(at: number, size: number): Uint8Array | undefined {
    if (this.isZero(at, size)) return undefined;
    if (this.strict) throw this.error("reserved", "", at);
    return this.bytes.subarray(at, at + size);
  }

  isZero(at: number, size: number): boolean {
    for (let i = 0; i < size; i++) if (this.bytes[at + i] !== 0) return false;
    return true;
  }

  /** Bounds what follows to `length` bytes and gives the end to return to. Throws when they are not there. */
  enter(length: number): number {
    const end = this.end;
    if (length > end - this.at) throw this.outOfBytes(this.at, length);
    this.end = this.at + length;
    this.depth++;
    return end;
  }

  /** Leaves a range, which must have been used up. */
  leave(end: number): void {
    if (this.at !== this.end) throw this.error("trailing", "", this.at);
    this.end = end;
    this.depth--;
  }

  /** Refuses bytes after a value that was to be the whole input. */
  finish(): void {
    if (this.at !== this.end) throw this.error("trailing", "", this.at);
  }

  /** For the first line of a public function's catch: back to where the value began. */
  rewind(at: number, end: number, depth: number): this {
    this.at = at;
    this.end = end;
    this.depth = depth;
    return this;
  }

  error(code: FaultCode, path: string, at: number, detail?: string): WireError {
    this.fail(code, path, at, "", 0, detail);
    return new WireError(this.fault as Fault);
  }

  /**
   * Scanning: the run at `at` does not fit. Names the first of its fields that is not whole. Always false, so that the
   * caller can return it.
   */
  short(at: number, leaves: readonly Leaf[], file: string): false {
    const had = this.end - at;
    for (const [path, offset, size, line, leafFile] of leaves) {
      if (offset + size > had)
        return this.lacks(path, at + offset, size, leafFile ?? file, line, at + endOf(leaves));
    }
    throw new RangeError("short() called on a run that fits");
  }

  /** Scanning: a field of `size` bytes at `at` does not fit. `wanted`: see the field of that name. */
  lacks(
    path: string,
    at: number,
    size: number,
    file: string,
    line: number,
    wanted: number = at + size,
  ): false {
    this.wanted = wanted;
    this.fault = {
      code: this.depth > 0 ? "overrun" : "truncated",
      path,
      offset: this.base + at,
      need: size,
      had: Math.max(0, this.end - at),
      detail: undefined,
      schema: `${file}:${line}`,
    };
    return false;
  }

  /** Scanning: anything else that is wrong. Always false. */
  fail(code: FaultCode, path: string, at: number, file: string, line: number, detail?: string): false {
    this.fault = {
      code,
      path,
      offset: this.base + at,
      need: undefined,
      had: undefined,
      detail,
      schema: `${file}:${line}`,
    };
    return false;
  }

  /** Scanning: passes on a fault of something nested, which does not know what it is called here. Always false. */
  inside(name: string, index = -1): false {
    const fault = this.fault as Fault;
    const here = index < 0 ? name : `${name}[${index}]`;
    const path =
      fault.path === "" ? here : fault.path.startsWith("[") ? here + fault.path : `${here}.${fault.path}`;
    this.fault = { ...fault, path };
    return false;
  }

  private outOfBytes(at: number, size: number): WireError {
    this.lacks("", at, size, "", 0);
    return new WireError(this.fault as Fault);
  }
}

export function readerOf(source: Source): Reader {
  // Not `instanceof`: V8 calls a builtin for that more often than not, which takes as long as decoding twelve integers.
  return "strict" in source ? source : new Reader(source);
}

/**
 * What a public decoder throws. Readers do not keep track of the path while all is well; a second pass by the scanner
 * says which field it was. Memory that a peer changed in between may scan clean: then the first error stands.
 */
export function explain(error: unknown, scannedClean: boolean, reader: Reader): unknown {
  if (!(error instanceof WireError) || scannedClean || reader.fault === undefined) return error;
  return new WireError(reader.fault);
}

function bytesOf(source: Uint8Array | ArrayBuffer | DataView): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (source instanceof DataView) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return new Uint8Array(source);
}

function endOf(leaves: readonly Leaf[]): number {
  const last = leaves[leaves.length - 1];
  return last === undefined ? 0 : last[1] + last[2];
}
