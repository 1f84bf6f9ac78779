/** What generated scanners and decoders call besides the reader. Functions, so that a bundle holds only those it uses. */
import { WireError } from "./errors.js";
import type { Reader, Source } from "./reader.js";

/** Bounds what follows to `length` bytes; leaves a fault and gives false when they are not there. */
export function narrow(reader: Reader, length: number, name: string, file: string, line: number): boolean {
  if (length > reader.end - reader.at) return reader.lacks(name, reader.at, length, file, line);
  reader.end = reader.at + length;
  reader.depth++;
  return true;
}

/** Leaves a range; bytes left over in it are a fault. `outer`: the end of the enclosing range. */
export function widen(reader: Reader, outer: number, name: string, file: string, line: number): boolean {
  if (reader.at !== reader.end) return reader.fail("trailing", name, reader.at, file, line);
  reader.end = outer;
  reader.depth--;
  return true;
}

/** When the source was bytes and not a reader, they must have been used up. */
export function ended(reader: Reader, source: Source, file: string, line: number): boolean {
  return reader === source || reader.at === reader.end || reader.fail("trailing", "", reader.at, file, line);
}

/** What a public check gives back. */
export function verdict(sound: boolean, reader: Reader): WireError | undefined {
  return sound || reader.fault === undefined ? undefined : new WireError(reader.fault);
}

/** The bytes left are not a whole number of elements of `size` bytes. Always false. */
export function partElement(reader: Reader, name: string, size: number, file: string, line: number): false {
  const left = reader.end - reader.at;
  const whole = Math.floor(left / size);
  return reader.lacks(`${name}[${whole}]`, reader.at + whole * size, size, file, line);
}

/** A fixed value is another one. Always false. */
export function otherConstant(
  reader: Reader,
  name: string,
  at: number,
  file: string,
  line: number,
  expected: number | bigint,
  actual: number | bigint,
): false {
  return reader.fail(
    "constant",
    name,
    at,
    file,
    line,
    `expected 0x${expected.toString(16)}, found 0x${actual.toString(16)}`,
  );
}

/** Reading: throws unless so many bytes are left. Called before room is made for elements that there may not be. */
export function needBytes(reader: Reader, size: number): void {
  reader.take(size);
  reader.at -= size;
}

/** Reading: how many elements of `size` bytes are left. Throws when the last is not whole. */
export function wholeElements(reader: Reader, size: number): number {
  const left = reader.end - reader.at;
  if (left % size === 0) return left / size;
  reader.at = reader.end - (left % size);
  reader.take(size);
  return 0;
}
