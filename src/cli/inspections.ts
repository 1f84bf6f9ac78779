/**
 * Finds out what a capture is and opens its inspection. Of a QEMU stream nothing else is loaded: reading the codecs of all
 * kinds takes as long as reading a capture of a megabyte.
 */
import type { Detection } from "../inspect/detect.js";
import type { CaptureInspection, InspectOptions } from "../inspect/inspection.js";
import { type CaptureKind, magicKind } from "../inspect/kinds.js";
import type { Sink } from "../inspect/report.js";

export async function detect(prefix: Uint8Array): Promise<Detection> {
  const kind = magicKind(prefix);
  if (kind !== undefined) return { kind };
  const { detectKind } = await import("../inspect/detect.js");
  return detectKind(prefix);
}

export async function openInspection(
  kind: CaptureKind,
  sink: Sink,
  options: InspectOptions,
): Promise<CaptureInspection> {
  if (kind === "qemu-stream") {
    const { QemuInspection } = await import("../inspect/qemu/inspection.js");
    return new QemuInspection(sink, options);
  }
  const others = await import("../inspect/open.js");
  return others.openInspection(kind, sink, options);
}
