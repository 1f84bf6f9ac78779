/**
 * Whether a record of the stream could begin somewhere. A section does not say how long it is, so who does not know the
 * device's layout looks for its footer, and what follows tells a footer from bytes that look like one.
 */
import {
  QemuVmCmd,
  QemuVmSection,
  type QemuVmSectionHeader,
  readQemuVmRecord,
  scanQemuVmRecord,
} from "../../../generated/qemu/stream.js";
import type { Reader } from "../../runtime/index.js";
import { type BehindEof, behindEof } from "./checkpoint-signs.js";
import { liveVersion } from "./handlers.js";

export interface StreamContext {
  /** Sections that are open for further parts. */
  readonly isLive: (sectionId: number) => boolean;
  /** Sections that have been seen. */
  readonly isKnown: (sectionId: number) => boolean;
  /** A section with this very head has been seen. */
  readonly isRepeated: (header: QemuVmSectionHeader) => boolean;
  /** COLO: checkpoints follow the migration, with the same sections once more. Whether a zero byte is EOF. */
  readonly colo: { accepts(end: number, behind: BehindEof | undefined): boolean } | undefined;
  /** No more bytes will come. */
  readonly ended: boolean;
  /** Sections end with footers. Machine types before 2.4 write none. */
  readonly footers: boolean;
  /** Where the package that the record would stand in ends, as an index of the reader. */
  readonly packageEnd: number | undefined;
}

/** A number: so many bytes, counted from where the record would begin, must be there to tell. */
export type Plausible = boolean | number;

const MAX_PLAUSIBLE_ID = 1 << 16;
/** What a description begins with: `{"`. */
const OPENING = [0x7b, 0x22];

/** Leaves the cursor where it was. */
export function isRecordAt(reader: Reader, at: number, context: StreamContext): Plausible {
  const { at: cursor, end } = reader;
  if (at === context.packageEnd) return true;
  reader.at = at;
  const whole = scanQemuVmRecord(reader);
  const wanted = reader.wanted - at;
  const after = reader.at;
  let answer: Plausible;
  if (whole) {
    reader.at = at;
    answer = makesSense(reader, after, context);
  } else if (reader.fault?.code !== "truncated") {
    answer = false;
  } else {
    // At the end of a file that was cut, a footer may be the last thing that is there.
    answer = context.ended ? at === end : wanted;
  }
  reader.at = cursor;
  return answer;
}

function makesSense(reader: Reader, after: number, context: StreamContext): Plausible {
  const start = reader.at;
  const record = readQemuVmRecord(reader);
  const { head } = record;
  switch (head.case) {
    case "start":
    case "full":
      return isHeader(head.value.sectionId, head.value.idstr.text, head.value.versionId);
    case "part":
    case "end":
      return context.isLive(head.value.sectionId);
    case "command":
      return head.value.cmd in COMMANDS;
    case "vmdescription":
    case "configuration":
    case "footer":
      return false;
    default:
      return record.type === QemuVmSection.QEMU_VM_EOF && endsStream(reader, start, after, context);
  }
}

const COMMANDS: Readonly<Record<number, true>> = Object.fromEntries(
  Object.values(QemuVmCmd).map((value) => [value, true as const]),
);

function isHeader(sectionId: number, name: string, versionId: number): boolean {
  return (
    sectionId < MAX_PLAUSIBLE_ID && versionId < 0x1_0000 && name.length > 1 && /^[\x20-\x7e]+$/.test(name)
  );
}

/**
 * An EOF byte is a zero, the commonest byte there is: only the end of the input, a description or a message of COLO behind
 * it count.
 */
function endsStream(reader: Reader, start: number, after: number, context: StreamContext): Plausible {
  if (context.colo !== undefined) {
    const behind = behindEof(reader, after, context.ended);
    if (typeof behind === "number") return behind + after - start;
    if (context.colo.accepts(reader.base + after, behind)) return true;
  }
  if (after === reader.end) return context.ended ? true : after - start + 1;
  reader.at = after;
  if (!scanQemuVmRecord(reader)) {
    if (reader.fault?.code !== "truncated") return false;
    return context.ended ? false : reader.wanted - start;
  }
  const text = reader.at;
  reader.at = after;
  const { head } = readQemuVmRecord(reader);
  if (head.case !== "vmdescription") return false;
  const opening = text + OPENING.length;
  if (opening > reader.end && !context.ended) return opening - start;
  return OPENING.every((byte, i) => text + i >= reader.end || reader.bytes[text + i] === byte);
}

/**
 * Whether a record begins at `at` that nothing in front of it confirms: it must be such as a body hardly ever holds by
 * accident. Subsections inside a body look much like the head of a section.
 */
export function isLoneRecordAt(reader: Reader, at: number, context: StreamContext): Plausible {
  const plausible = isRecordAt(reader, at, context);
  if (plausible !== true) return plausible;
  const { at: cursor } = reader;
  reader.at = at;
  const { head } = readQemuVmRecord(reader);
  reader.at = cursor;
  if (head.case === "start") return liveVersion(head.value.idstr.text) !== undefined;
  if (head.case !== "full" || !context.isKnown(head.value.sectionId)) return true;
  return context.colo !== undefined && context.isRepeated(head.value);
}

export interface Footer {
  /** Where what is behind it begins. */
  readonly next: number;
  /** A plausible record is behind it: without one, it may be bytes of a body that look like a footer. */
  readonly sound: boolean;
}

/** Whether what could be a footer of section `sectionId` (or of any, when undefined) stands at `at`. */
export function footerAt(
  reader: Reader,
  at: number,
  sectionId: number | undefined,
  context: StreamContext,
): Footer | number | undefined {
  const { at: cursor } = reader;
  // The type byte of a footer, then what names the section, are read as one record.
  reader.at = at;
  const whole = scanQemuVmRecord(reader);
  const next = reader.at;
  if (!whole) {
    const short = reader.fault?.code === "truncated" && !context.ended;
    const wanted = reader.wanted - at;
    reader.at = cursor;
    return short ? wanted : undefined;
  }
  reader.at = at;
  const { head } = readQemuVmRecord(reader);
  reader.at = cursor;
  if (head.case !== "footer") return undefined;
  const id = head.value.sectionId;
  if (sectionId === undefined ? !context.isKnown(id) && id >= MAX_PLAUSIBLE_ID : id !== sectionId)
    return undefined;
  const plausible = isRecordAt(reader, next, context);
  if (typeof plausible === "number") return next - at + plausible;
  return { next, sound: plausible || (context.ended && isCutRecord(reader, next)) };
}

/** Whether the input ends inside the head of a record that begins at `at`. */
function isCutRecord(reader: Reader, at: number): boolean {
  const { at: cursor } = reader;
  reader.at = at;
  const whole = scanQemuVmRecord(reader);
  reader.at = cursor;
  const type = reader.bytes[at];
  return !whole && reader.fault?.code === "truncated" && type !== QemuVmSection.QEMU_VM_VMDESCRIPTION;
}
