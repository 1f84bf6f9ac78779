/** What stands behind the header of a request: numbers, names. None of it is believed. */
import { Errno, FsError } from "./error.js";

/** @source linux/limits.h @unit bytes */
export const NAME_MAX = 255;

/** @throws FsError when the request is shorter. */
export function headOf(body: Uint8Array, size: number): Uint8Array {
  if (body.length < size) throw new FsError(Errno.EINVAL, `${body.length} bytes of ${size}`);
  return body.subarray(0, size);
}

/** Names that follow each other, each ended by a NUL. @throws FsError */
export function namesIn(body: Uint8Array, start: number, count: 1): [string];
export function namesIn(body: Uint8Array, start: number, count: 2): [string, string];
export function namesIn(body: Uint8Array, start: number, count: number): string[] {
  const names: string[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const bytes = textIn(body, at);
    if (bytes.length > NAME_MAX) throw new FsError(Errno.ENAMETOOLONG, `${bytes.length} bytes`);
    try {
      names.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      throw new FsError(Errno.EILSEQ, "a name that is not UTF-8");
    }
    at += bytes.length + 1;
  }
  return names;
}

/** Bytes up to the NUL that ends them. @throws FsError when there is none */
export function textIn(body: Uint8Array, start: number): Uint8Array {
  const end = body.indexOf(0, start);
  if (end < 0) throw new FsError(Errno.EINVAL, "a name without an end");
  return body.subarray(start, end);
}

/** @throws FsError above 2^53. */
export function offsetOf(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new FsError(Errno.EINVAL, `${value} bytes`);
  return number;
}

/** A time as it can be kept. */
export function secondsOf(value: bigint): number {
  return Number(BigInt.asUintN(48, value));
}
