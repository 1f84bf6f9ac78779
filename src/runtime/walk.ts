/**
 * What generated `walk…` functions share: how they report damage, and how they go on with what can still be read.
 */
import type { Fault } from "./errors.js";
import type { Leaf, Reader } from "./reader.js";
import type { FieldValue, Site, Visitor } from "./visitor.js";

/**
 * Reports fields but no faults: something further out is broken already, and what breaks inside because of that is not
 * news.
 */
class Muted implements Visitor {
  private readonly visitor: Visitor;
  /** The depth of the reader in the range that ends too early. */
  readonly depth: number;

  constructor(visitor: Visitor, depth: number) {
    this.visitor = visitor;
    this.depth = depth;
  }

  open(site: Site, index: number, at: number): void {
    this.visitor.open(site, index, at);
  }

  close(at: number): void {
    this.visitor.close(at);
  }

  field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void {
    if (bit === undefined) this.visitor.field(site, index, at, size, value);
    else this.visitor.field(site, index, at, size, value, bit, width);
  }

  fault(): void {}
}

/** The visitor, deaf to faults when `broken`. */
export function heeding(reader: Reader, visitor: Visitor, broken: boolean): Visitor {
  return broken ? new Muted(visitor, reader.depth) : visitor;
}

/** Whether the rest of the range is less than there should be: part of a field is not the field. */
export function isCut(reader: Reader, visitor: Visitor): boolean {
  return visitor instanceof Muted && visitor.depth === reader.depth;
}

/** Passes on the fault that the reader holds. Always false, so that the caller can return it. */
export function report(reader: Reader, visitor: Visitor): false {
  visitor.fault(reader.fault as Fault);
  return false;
}

/** The run at `at` does not fit, and its whole fields have been reported. Always false. */
export function reportShort(
  reader: Reader,
  visitor: Visitor,
  at: number,
  leaves: readonly Leaf[],
  file: string,
): false {
  reader.short(at, leaves, file);
  reader.at = reader.end;
  return report(reader, visitor);
}

/** A field of `size` bytes at `at` does not fit. Always false. */
export function reportLack(
  reader: Reader,
  visitor: Visitor,
  path: string,
  at: number,
  size: number,
  file: string,
  line: number,
): false {
  reader.lacks(path, at, size, file, line);
  reader.at = reader.end;
  return report(reader, visitor);
}

/** Bounds what follows to `length` bytes, or to what there is of them. Gives the visitor for what is inside. */
export function enterRange(reader: Reader, visitor: Visitor, length: number): Visitor {
  const cut = length > reader.end - reader.at;
  reader.depth++;
  if (!cut) reader.end = reader.at + length;
  return heeding(reader, visitor, cut);
}

/**
 * Leaves the range of `length` bytes at `start`, back to the one that ends at `outer`. `whole`: what is inside has been
 * walked to its end. False when the walk cannot go on, because the range itself ends too early.
 */
export function leaveRange(
  reader: Reader,
  visitor: Visitor,
  whole: boolean,
  start: number,
  length: number,
  outer: number,
  path: string,
  file: string,
  line: number,
): boolean {
  reader.depth--;
  const inner = reader.end;
  reader.end = outer;
  if (length > outer - start) return reportLack(reader, visitor, path, start, length, file, line);
  if (whole && reader.at !== inner) {
    reader.fail("trailing", path, reader.at, file, line);
    report(reader, visitor);
  }
  reader.at = inner;
  return true;
}

/** 64 bits, exact whatever they hold: only above 2^53−1 as a bigint. */
export function exactU64(view: DataView, at: number, little: boolean): number | bigint {
  const value = view.getBigUint64(at, little);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}

export function exactS64(view: DataView, at: number, little: boolean): number | bigint {
  const value = view.getBigInt64(at, little);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
