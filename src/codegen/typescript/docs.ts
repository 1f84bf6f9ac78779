/** Doc comments of generated code: what the schema says, and sizes and places that only the layout knows. */
import type { Doc, Field, Size } from "../../schema/ir.js";

/** What the schema says, then `facts`, then the notes that are tags of JSDoc: what follows a tag belongs to it. */
export function docLines(doc: Doc, facts: readonly string[] = []): string[] {
  const notes = doc.notes.flatMap(({ tag, text }) => sentence(tag, text));
  const tags = doc.notes.flatMap(({ tag, text }) => jsdocTag(tag, text));
  return [doc.text, ...notes, ...facts, ...tags];
}

function jsdocTag(tag: string, text: string): string[] {
  if (tag === "source" || tag === "see") return [`@see ${text}`];
  return tag === "since" ? [`@since ${text}`] : [];
}

function sentence(tag: string, text: string): string[] {
  if (tag === "source" || tag === "see" || tag === "since") return [];
  if (tag === "note") return [text];
  if (tag === "unit") return [`Unit: ${text}${text.endsWith(".") ? "" : "."}`];
  return [`${tag.charAt(0).toUpperCase()}${tag.slice(1)}: ${text}`];
}

/** `14 bytes`, `16 bytes or more`, `4 to 20 bytes`. */
export function sizeText({ min, max }: Size): string {
  if (max === min) return bytes(min);
  // A bound that no buffer reaches is none: it comes from the range of a 64-bit length.
  if (max === undefined || max > 2 ** 48) return min === 0 ? "any number of bytes" : `${bytes(min)} or more`;
  return min === 0 ? `up to ${bytes(max)}` : `${min} to ${bytes(max)}`;
}

function bytes(count: number): string {
  return count === 1 ? "1 byte" : `${count} bytes`;
}

/** `2 bytes at offset 4.`, `Bits 0 to 14 of 2 bytes at offset 4.` */
export function placeText(field: Field): string {
  const at = field.offset === undefined ? "" : ` at offset ${field.offset}`;
  if (field.type.kind !== "bits") return capital(`${sizeText(field.size)}${at}.`);
  const { shift, width, int } = field.type;
  const which = width === 1 ? `Bit ${shift}` : `Bits ${shift} to ${shift + width - 1}`;
  return `${which} of ${bytes(int.bits / 8)}${at}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
