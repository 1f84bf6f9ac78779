/**
 * Looks for the next place where a stream can be read: a footer, the head of a section, or the end with its description.
 * It serves two ends: finding where the body of a section stops, and going on after damage.
 */
import { ColoMessageKind } from "../../../generated/qemu/colo.js";
import { QemuVmSection } from "../../../generated/qemu/stream.js";
import type { Reader } from "../../runtime/index.js";
import { checkpointAt } from "./checkpoint-signs.js";
import { footerAt, isLoneRecordAt, type StreamContext } from "./plausible.js";

export type Anchor =
  /** A footer begins at `at`, the record behind it at `next`. */
  | { readonly kind: "footer"; readonly at: number; readonly next: number }
  /** The head of a section, EOF and what confirms it, or a checkpoint begins at `at`: the footer in front of it is missing. */
  | { readonly kind: "record"; readonly at: number }
  /** What begins at `at` could be one of them: `bytes` are needed from there on to tell. */
  | { readonly kind: "wanted"; readonly at: number; readonly bytes: number }
  | { readonly kind: "none" };

const NONE: Anchor = { kind: "none" };

/**
 * Indices are the reader's. Footers of another section than `sectionId` do not count, unless it is undefined. `passed` is
 * told of what looks like a footer that counts, but has nothing readable behind it. With `parts`, those of open sections
 * count as well: five bytes that pages are full of.
 */
export function findAnchor(
  reader: Reader,
  from: number,
  sectionId: number | undefined,
  context: StreamContext,
  passed?: (next: number) => void,
  parts = false,
): Anchor {
  const { bytes, end } = reader;
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QemuVmSection.QEMU_VM_SECTION_FOOTER && context.footers) {
      const footer = footerAt(reader, at, sectionId, context);
      if (typeof footer === "number") return { kind: "wanted", at, bytes: footer };
      if (footer?.sound) return { kind: "footer", at, next: footer.next };
      if (footer !== undefined) passed?.(footer.next);
    } else if (
      byte === QemuVmSection.QEMU_VM_SECTION_FULL ||
      byte === QemuVmSection.QEMU_VM_SECTION_START ||
      (parts &&
        (byte === QemuVmSection.QEMU_VM_SECTION_PART || byte === QemuVmSection.QEMU_VM_SECTION_END)) ||
      (byte === QemuVmSection.QEMU_VM_EOF && mayEnd(bytes, at, end, context))
    ) {
      const plausible = isLoneRecordAt(reader, at, context);
      if (typeof plausible === "number") return { kind: "wanted", at, bytes: plausible };
      // The body of a section may end in a footer that is damaged; it cannot be empty space before a head that is not.
      if (plausible) return { kind: "record", at };
    } else if (byte === 0 && context.colo !== undefined) {
      const checkpoint = checkpointAt(reader, at, context.isKnown, context.ended);
      if (typeof checkpoint === "number") return { kind: "wanted", at, bytes: checkpoint };
      if (checkpoint) return { kind: "record", at };
    }
  }
  return NONE;
}

/** A description follows EOF. Where not even footers are written, it may be the last byte of all. */
function mayEnd(
  bytes: Uint8Array,
  at: number,
  end: number,
  { footers, colo, ended }: StreamContext,
): boolean {
  if (
    colo !== undefined &&
    (at + 1 < end || !ended) &&
    bytes[at + 1] !== QemuVmSection.QEMU_VM_VMDESCRIPTION
  ) {
    return mayPrecedeMessage(bytes, at + 1, end);
  }
  if (at + 1 < end) return bytes[at + 1] === QemuVmSection.QEMU_VM_VMDESCRIPTION;
  return !footers;
}

/** Of a message of COLO, all that there is looks like one. */
function mayPrecedeMessage(bytes: Uint8Array, at: number, end: number): boolean {
  const kind = bytes[at + 3] ?? ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REQUEST;
  const isOne =
    kind === ColoMessageKind.COLO_MESSAGE_CHECKPOINT_REQUEST ||
    kind === ColoMessageKind.COLO_MESSAGE_VMSTATE_SIZE;
  return isOne && bytes.subarray(at, Math.min(at + 3, end)).every((byte) => byte === 0);
}
