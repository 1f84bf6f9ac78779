/**
 * Finds the description at the end of a stream that can be read backwards. With it, every body's size is known before the
 * stream is read from the front.
 */
import { QemuVmSection, readQemuVmRecord, scanQemuVmRecord } from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";
import { type Description, readDescription } from "./description.js";

/** The type byte, and four bytes of length that may look like it. */
const MAX_TRIES = 5;

/**
 * `tail` is the end of the stream. Undefined when no whole description ends exactly where the tail ends: it is missing,
 * it begins before the tail, or the stream is damaged. That is no verdict; the stream's own reader gives that.
 */
export function findDescription(tail: Uint8Array): Description | undefined {
  const reader = new Reader(tail);
  // The text is JSON and holds no control characters: the last such byte leads the record, or is one of its length.
  let at = tail.length;
  for (let tries = 0; tries < MAX_TRIES && at > 0; tries++) {
    at = tail.lastIndexOf(QemuVmSection.QEMU_VM_VMDESCRIPTION, at - 1);
    if (at < 0) return undefined;
    reader.at = at;
    if (scanQemuVmRecord(reader)) {
      const textAt = reader.at;
      reader.at = at;
      const { head } = readQemuVmRecord(reader);
      if (head.case === "vmdescription" && head.value.size === tail.length - textAt) {
        return readDescription(tail.subarray(textAt)).description;
      }
    }
  }
  return undefined;
}
