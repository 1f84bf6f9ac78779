/** What the guest's probe `pattern` writes on its disk. */

/** The least FIRST with as many digits as a line needs. */
export const FIRST = 100_000_000_000_000;

/** Lines of 16 bytes that count up from `first`. */
export function pattern(first: number, mebibytes: number): Buffer {
  const lines = Array.from({ length: mebibytes * 65_536 }, (_, i) => `${first + i}\n`);
  return Buffer.from(lines.join(""), "latin1");
}
