/** Bytes written as a person reads them in a hex dump. */

export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes inside a larger buffer, with 0xee around them: a reader that strays gives itself away. */
export function fenced(bytes: Uint8Array): Uint8Array {
  const around = new Uint8Array(bytes.length + 64).fill(0xee);
  around.set(bytes, 32);
  return around.subarray(32, 32 + bytes.length);
}
