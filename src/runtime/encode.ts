/** What generated encoders call besides the writer: mostly the errors that they throw. */
import type { WireError } from "./errors.js";
import type { Writer } from "./writer.js";

/** Where an integer is about to be written. `bits`: how many it may take, negative when it is signed. */
export type Fitting = readonly [name: string, bits: number, offset: number, line: number];

/**
 * One of the integers does not fit: says which. What is known of them when the code is generated comes apart from their
 * values: as one constant it takes no room in the encoder, which engines inline only while it is small.
 */
export function misfit(
  writer: Writer,
  at: number,
  file: string,
  fittings: readonly Fitting[],
  ...values: readonly (number | bigint)[]
): WireError {
  for (const [index, [name, bits, offset, line]] of fittings.entries()) {
    const value = values[index];
    if (value !== undefined && !fits(value, bits))
      return writer.error(
        "range",
        name,
        at + offset,
        `${file}:${line}`,
        `${String(value)} as ${sortOf(bits)}`,
      );
  }
  throw new RangeError("misfit() called on integers that fit");
}

function fits(value: number | bigint, bits: number): boolean {
  const width = Math.abs(bits);
  if (typeof value === "bigint")
    return value === (bits < 0 ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value));
  if (!Number.isSafeInteger(value)) return false;
  return bits < 0
    ? value >= -(2 ** (width - 1)) && value < 2 ** (width - 1)
    : value >= 0 && value < 2 ** width;
}

function sortOf(bits: number): string {
  return bits < 0 ? `${-bits} bits, signed` : bits === 1 ? "1 bit" : `${bits} bits`;
}

/** A constraint of the schema does not hold. */
export function broken(
  writer: Writer,
  name: string,
  at: number,
  file: string,
  line: number,
  text: string,
): WireError {
  return writer.error("constraint", name, at, `${file}:${line}`, text);
}

/** A condition asks for a field that is not given. */
export function missing(writer: Writer, name: string, file: string, line: number): WireError {
  return writer.error("missing", name, writer.at, `${file}:${line}`);
}

/** A condition excludes a field that is given. */
export function unexpected(writer: Writer, name: string, file: string, line: number): WireError {
  return writer.error("unexpected", name, writer.at, `${file}:${line}`);
}

/** There are more or fewer of something than its count or the schema says. */
export function wrongLength(
  writer: Writer,
  name: string,
  at: number,
  file: string,
  line: number,
  needed: number,
  given: number,
  unit: string,
): WireError {
  return writer.error("length", name, at, `${file}:${line}`, `needs ${needed} ${unit}, given ${given}`);
}

/** Reserved bytes for which there is room: as given, or zero. */
export function writeReserved(
  writer: Writer,
  bytes: Uint8Array | undefined,
  at: number,
  size: number,
  name: string,
  file: string,
  line: number,
): void {
  if (bytes === undefined) writer.bytes.fill(0, at, at + size);
  else if (bytes.length === size) writer.bytes.set(bytes, at);
  else throw wrongLength(writer, name, at, file, line, size, bytes.length, "bytes");
}
