/** Inspects bytes that are all there, and keeps everything that is reported. */
import {
  type CaptureKind,
  type CaptureRecord,
  detectKind,
  type InspectOptions,
  openInspection,
  type Summary,
} from "../../src/inspect/index.js";

export interface Inspected {
  readonly records: readonly CaptureRecord[];
  readonly summary: Summary;
}

export interface BytesOptions extends Partial<InspectOptions> {
  readonly kind?: CaptureKind;
  /** Where to cut the bytes into chunks. Default: nowhere. */
  readonly cuts?: readonly number[];
}

export function inspectBytes(
  bytes: Uint8Array,
  { kind, cuts = [], ...options }: BytesOptions = {},
): Inspected {
  const records: CaptureRecord[] = [];
  const detected = kind === undefined ? detectKind(bytes.subarray(0, 4096)) : { kind };
  if (detected.kind === "unknown" || detected.kind === "unsupported")
    throw new Error(`kind ${detected.kind}`);
  const inspection = openInspection(
    detected.kind,
    { record: (record) => records.push(record) },
    { withFields: false, ...options },
  );
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // A copy of its own: what is lent must not be kept.
    const chunk = bytes.slice(from, cut);
    inspection.push(chunk);
    chunk.fill(0xaa);
    from = cut;
  }
  return { records, summary: inspection.end() };
}
