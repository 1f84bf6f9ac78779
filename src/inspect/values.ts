/** How values are written for people. */
import type { FieldValue } from "../runtime/index.js";
import { hex, printable, type Scalar } from "./report.js";

/** Byte strings longer than this are cut where not all of them is wanted. */
export const SHOWN_BYTES = 32;

/** `303 (0x12f)`: a number in both ways, where they differ. */
export function numberText(value: number | bigint): string {
  return value > 9 ? `${value} (${hex(value)})` : String(value);
}

/** JSON leaves some of the characters as they are that terminals obey. */
export function quotedText(value: string): string {
  return printable(JSON.stringify(value));
}

/** Spaced digits, at most `limit` bytes of them. */
export function digitsOf(bytes: Uint8Array, limit: number): string {
  return [...bytes.subarray(0, limit)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** `303 (0x12f, VIRTIO_F_X | VIRTIO_F_Y)`, `"text"`, `00 11 22 … (64 bytes)`. */
export function valueText(
  value: FieldValue | Scalar | readonly Scalar[],
  meaning: string | undefined,
  unit: string | undefined,
): string {
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === "object") return value.length === 0 ? "none" : value.map(one).join(", ");
  if (typeof value === "string" || typeof value === "boolean") return one(value);
  const said = [...(value > 9 ? [hex(value)] : []), ...(meaning === undefined ? [] : [printable(meaning)])];
  return `${value}${said.length === 0 ? "" : ` (${said.join(", ")})`}${unit === undefined ? "" : ` ${unit}`}`;
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length > 4 && bytes.every((byte) => byte === 0)) return `${bytes.length} zero bytes`;
  const digits = digitsOf(bytes, SHOWN_BYTES);
  return bytes.length > SHOWN_BYTES ? `${digits} … (${bytes.length} bytes)` : digits;
}

function one(value: Scalar): string {
  return typeof value === "string" ? quotedText(value) : String(value);
}
