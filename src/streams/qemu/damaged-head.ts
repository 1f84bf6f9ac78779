/** A migration stream whose first bytes are damaged or lost: its magic number no longer says what it is. */
import {
  QEMU_VM_FILE_HEADER_SIZE,
  QemuVmSection,
  readQemuVmConfiguration,
  scanQemuVmConfiguration,
} from "../../../generated/qemu/stream.js";
import { Reader } from "../../runtime/index.js";

/** The header may have lost bytes, or got as many again. */
const FURTHEST = 2 * QEMU_VM_FILE_HEADER_SIZE;
/** Machine types: `microvm`, `pc-q35-10.0`, `s390-ccw-virtio-10.0`. */
const MACHINE = /^[a-z][\w.+-]{2,}$/i;

/** Whether the name of a machine type, in its record, stands about where it stands behind a header. */
export function hasDamagedHead(prefix: Uint8Array): boolean {
  const reader = new Reader(prefix);
  for (let at = 0; at <= FURTHEST; at++) {
    if (prefix[at] !== QemuVmSection.QEMU_VM_CONFIGURATION) continue;
    reader.at = at + 1;
    if (!scanQemuVmConfiguration(reader)) continue;
    reader.at = at + 1;
    if (MACHINE.test(readQemuVmConfiguration(reader).name)) return true;
  }
  return false;
}
