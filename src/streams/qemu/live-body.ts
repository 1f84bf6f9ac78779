/**
 * What is wrong with the body of a part of a live section that no description covers. Its end was found by looking for the
 * footer: where that was damaged, the body holds more than one part, and nothing else would tell.
 */
import {
  QemuStattrFlag,
  readQemuStattrRecord,
  scanQemuStattrRecord,
} from "../../../generated/qemu/s390-storage-attributes.js";
import { type Fault, Reader } from "../../runtime/index.js";
import { under } from "../faults.js";
import { qemuFault } from "./faults.js";

/** Undefined when nothing is, or nothing is known of such a section. `at`: where the body stands in the stream. */
export function liveBodyFault(name: string, body: Uint8Array, at: number): Fault | undefined {
  return name === "s390-storage_attributes" ? storageAttributesFault(name, body, at) : undefined;
}

function storageAttributesFault(name: string, body: Uint8Array, base: number): Fault | undefined {
  const reader = new Reader(body, { base });
  while (reader.at < reader.end) {
    const at = reader.at;
    if (!scanQemuStattrRecord(reader)) return under(name, reader.fault as Fault);
    reader.at = at;
    if ((readQemuStattrRecord(reader).word & QemuStattrFlag.STATTR_FLAG_EOS) === 0n) continue;
    if (reader.at === reader.end) return undefined;
    return qemuFault(
      "trailing",
      name,
      base + reader.at,
      `${reader.end - reader.at} bytes behind its last record`,
    );
  }
  return qemuFault("truncated", name, base + reader.at, "the part ends without its last record");
}
