/**
 * What a fuzzer feeds: captures of three kinds, each as a function that throws when bytes are not dealt with as they should
 * be. Whatever comes in, an inspection ends without throwing, names places that there are, and says the same when the bytes
 * arrive in pieces.
 */

import {
  checkVirtioDevCtx,
  decodeVirtioDevCtx,
  encodeVirtioDevCtx,
} from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { type CaptureKind, openInspection, type Summary } from "../../src/inspect/index.js";
import { findDescription } from "../../src/streams/index.js";

export type Target = (bytes: Uint8Array) => void;

export const targets: Readonly<Record<string, Target>> = {
  "qemu-stream": (bytes) => inspectBothWays("qemu-stream", bytes),
  "vhost-user": (bytes) => inspectBothWays("vhost-user", bytes),
  "device-context": (bytes) => {
    inspectBothWays("device-context", bytes);
    // What can be decoded is encoded to the same bytes.
    const device = VirtioDeviceId.VIRTIO_ID_NET;
    if (checkVirtioDevCtx(bytes, device) !== undefined) return;
    const again = encodeVirtioDevCtx(decodeVirtioDevCtx(bytes, device), device);
    if (Buffer.compare(again, bytes) !== 0) throw new Error("encoding gives other bytes");
  },
};

function inspectBothWays(kind: CaptureKind, bytes: Uint8Array): void {
  const whole = inspect(kind, [bytes]);
  // The first byte says where to cut: the fuzzer finds out what that does.
  const cut = Math.floor(((bytes[0] ?? 0) / 256) * bytes.length);
  const pieces = inspect(kind, [bytes.slice(0, cut), bytes.slice(cut)]);
  if (whole.verdict !== pieces.verdict) throw new Error(`${whole.verdict}, in pieces: ${pieces.verdict}`);
  for (const { offset, path } of whole.faults) {
    if (!(offset >= 0 && offset <= bytes.length)) throw new Error(`${path} at ${offset} of ${bytes.length}`);
  }
}

function inspect(kind: CaptureKind, pieces: readonly Uint8Array[]): Summary {
  const description = kind === "qemu-stream" ? findDescription(Buffer.concat(pieces)) : undefined;
  const device = kind === "device-context" ? VirtioDeviceId.VIRTIO_ID_NET : undefined;
  const inspection = openInspection(kind, { record: () => {} }, { withFields: true, description, device });
  for (const piece of pieces) inspection.push(piece);
  return inspection.end();
}
