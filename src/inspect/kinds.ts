/** The kinds of captures, and those of them that say so themselves in their first bytes. */
import { QEMU_CPR_FILE_MAGIC } from "../../generated/qemu/cpr.js";
import { MULTIFD_MAGIC } from "../../generated/qemu/multifd.js";
import { QEMU_VM_FILE_MAGIC } from "../../generated/qemu/stream.js";

/** The kinds that can be read to the end. */
export type CaptureKind =
  | "qemu-stream"
  | "qemu-resumed"
  | "qemu-return-path"
  | "qemu-multifd"
  | "qemu-preempt"
  | "qemu-cpr"
  | "device-context"
  | "device-parts"
  | "vfio-stream"
  | "vhost-user"
  | "guest-stream"
  | "guest-answers";

export const CAPTURE_TITLES: Readonly<Record<CaptureKind, string>> = {
  "qemu-stream": "QEMU migration stream",
  "qemu-resumed": "QEMU migration stream after a break",
  "qemu-return-path": "return path of a QEMU migration",
  "qemu-multifd": "multifd channel of a QEMU migration",
  "qemu-preempt": "postcopy-preempt channel of a QEMU migration",
  "qemu-cpr": "CPR state of a QEMU",
  "device-context": "virtio device context (draft v2)",
  "device-parts": "virtio device parts",
  "vfio-stream": "vfio-virtio migration data",
  "vhost-user": "vhost-user conversation",
  "guest-stream": "migration of a guest of the reference device",
  "guest-answers": "answers of the destination of a guest of the reference device",
};

export const CAPTURE_KINDS = Object.keys(CAPTURE_TITLES) as CaptureKind[];

/** How many bytes make every decision that more could make. */
export const DETECTION_SIZE = 4096;

/** What needs no look at more than a magic number. */
export function magicKind(prefix: Uint8Array): CaptureKind | undefined {
  if (startsWith(prefix, be32(QEMU_VM_FILE_MAGIC))) return "qemu-stream";
  if (startsWith(prefix, be32(MULTIFD_MAGIC))) return "qemu-multifd";
  return startsWith(prefix, be32(QEMU_CPR_FILE_MAGIC)) ? "qemu-cpr" : undefined;
}

export function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte);
}

function be32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
