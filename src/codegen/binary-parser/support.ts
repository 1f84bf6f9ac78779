/** Functions that definitions for binary-parser call, where the library itself would be wrong without a word. */

export type SupportName = "whole" | "text" | "withoutPadding" | "exact";

const WHOLE = `
/** Where the input ends, binary-parser hands out a shorter buffer; without this it would pass for the whole. */
function whole(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(\`\${length} bytes are needed, \${bytes.length} are left\`);
  return bytes;
}`;

const TEXT = `
/** One byte a character. The encoding that TextDecoder calls latin1 is another one. */
function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}`;

const WITHOUT_PADDING = `
/** Without the NULs that fill up a text of constant length. */
function withoutPadding(padded: string): string {
  let end = padded.length;
  while (end > 0 && padded.charCodeAt(end - 1) === 0) end--;
  return padded.slice(0, end);
}`;

const EXACT = `
/** A 64-bit integer as a number: refused where it would be rounded. */
function exact(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(\`\${value} is beyond 2^53\`);
  return number;
}`;

const SUPPORT: Readonly<Record<SupportName, string>> = {
  whole: WHOLE,
  text: TEXT,
  withoutPadding: WITHOUT_PADDING,
  exact: EXACT,
};

export const SUPPORT_NAMES: readonly string[] = Object.keys(SUPPORT);

export function supportLines(used: ReadonlySet<string>): string[] {
  return Object.entries(SUPPORT).flatMap(([name, text]) => (used.has(name) ? text.split("\n") : []));
}
