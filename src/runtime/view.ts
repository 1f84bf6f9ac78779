/**
 * What generated views extend: a place in memory that is shared with whoever else writes there. Fields are read when
 * they are asked for; nothing is copied and nothing is kept but where the value lies.
 */
import { type Fault, type FaultCode, WireError } from "./errors.js";
import { rawS64, rawU64 } from "./integers.js";
import { type Reader, readerOf, type Source } from "./reader.js";

/** Names that start with `$` are the view's own: no field of a schema can have one. */
export abstract class View {
  /** The memory, shared by all views made from this one. */
  readonly $view: DataView;
  /** Index in `$view` of the first byte of the value. */
  $at = 0;
  /** Index in `$view` after the last byte of the value. */
  $end = 0;
  protected readonly $reader: Reader;
  /** The view never looks at or behind this index. */
  private readonly limit: number;

  /** A reader as the source lends its DataView, and bounds the view by its own end. */
  protected constructor(source: Source) {
    const reader = readerOf(source);
    this.$reader = reader;
    this.$view = reader.view;
    this.limit = reader.end;
  }

  /**
   * Aims at the value that begins at `at`, after checking it as `check…` would; the bytes behind it do not matter.
   * Throws WireError and stays where it was when there is no such value.
   */
  abstract moveTo(at: number): this;

  /** The reader, set to scan from `at`. */
  protected $aim(at: number): Reader {
    this.$holds(at, 0);
    return this.$reader.rewind(at, this.limit, 0);
  }

  /** Whether `size` bytes are there at `at`. */
  protected $holds(at: number, size: number): boolean {
    // A negative index plus the offset of a field can fall into the memory again, on somebody else's bytes.
    if (!Number.isSafeInteger(at) || at < 0) throw new RangeError(`a view cannot begin at ${at}`);
    return size <= this.limit - at;
  }

  /** What the scan has found wrong. */
  protected $refused(): WireError {
    return new WireError(this.$reader.fault as Fault);
  }

  /** The reader as the source of a view of something inside this one, which must not look behind `end`. */
  protected $within(end: number): Reader {
    this.$reader.end = end;
    return this.$reader;
  }

  protected $bytes(start: number, end: number): Uint8Array {
    return this.$reader.bytes.subarray(start, end);
  }

  /** `index` is one of `count` elements. Throws RangeError, as DataView does: the neighbour is not for reading. */
  protected $index(index: number, count: number): void {
    if (!(index >= 0 && index < count && Number.isInteger(index))) {
      throw new RangeError(`index ${index} is not one of ${count} elements`);
    }
  }

  /** 64 bits as a number. Scanned when the view was aimed, but the memory may have changed since. */
  protected $u64(at: number, little: boolean, path: string, file: string, line: number): number {
    const value = rawU64(this.$view, at, little);
    if (value > Number.MAX_SAFE_INTEGER) throw this.$error("range", path, at, file, line);
    return value;
  }

  protected $s64(at: number, little: boolean, path: string, file: string, line: number): number {
    const value = rawS64(this.$view, at, little);
    if (!Number.isSafeInteger(value)) throw this.$error("range", path, at, file, line);
    return value;
  }

  protected $error(
    code: FaultCode,
    path: string,
    at: number,
    file: string,
    line: number,
    detail?: string,
  ): WireError {
    const offset = this.$reader.base + at;
    return new WireError({
      code,
      path,
      offset,
      need: undefined,
      had: undefined,
      detail,
      schema: `${file}:${line}`,
    });
  }
}
