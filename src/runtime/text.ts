/**
 * Text of the wire: one byte a character. Latin-1, because it is the only encoding in which any bytes make a string and
 * give the same bytes back: names in migration streams are ASCII by custom, not by rule.
 */

export function readText(bytes: Uint8Array, at: number, size: number): string {
  let text = "";
  for (let i = at; i < at + size; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** Text of constant length: the NULs at its end are padding. */
export function readPaddedText(bytes: Uint8Array, at: number, size: number): string {
  let end = at + size;
  while (end > at && bytes[end - 1] === 0) end--;
  return readText(bytes, at, end - at);
}

/** Fills `size` bytes, the rest with NULs. Returns false when a character is not a byte or the text is too long. */
export function writeText(bytes: Uint8Array, at: number, size: number, text: string): boolean {
  if (text.length > size) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return false;
    bytes[at + i] = code;
  }
  bytes.fill(0, at + text.length, at + size);
  return true;
}
