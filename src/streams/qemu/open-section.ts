/** The section that is being read, and the footer that ends it. */
import { QemuVmSection, readQemuVmRecord, scanQemuVmRecord } from "../../../generated/qemu/stream.js";
import type { Reader } from "../../runtime/index.js";
import type { SectionBound, SectionEvent, SectionPhase } from "./events.js";
import type { RamCounts } from "./ram/blocks.js";
import type { Section } from "./sections.js";

export interface OpenSection {
  readonly section: Section;
  readonly phase: SectionPhase;
  readonly at: number;
  readonly bodyAt: number;
}

/** What there is to say when a section is over. */
export interface Closing {
  readonly bodyEnd: number;
  /** Behind the footer. */
  readonly end: number;
  readonly bound: SectionBound;
  readonly complete: boolean;
  readonly body: Uint8Array | undefined;
  readonly ram: RamCounts | undefined;
}

export function sectionEvent({ section, phase, at, bodyAt }: OpenSection, closing: Closing): SectionEvent {
  const { bodyEnd, end, bound, complete, body, ram } = closing;
  return {
    kind: "section",
    at,
    size: end - at,
    phase,
    sectionId: section.id,
    name: section.name,
    instanceId: section.instanceId,
    versionId: section.versionId,
    bodyAt,
    bodySize: bodyEnd - bodyAt,
    body,
    ram,
    bound,
    complete,
  };
}

export type FooterSearch =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly next: number }
  /** Counted from the cursor. */
  | { readonly kind: "wanted"; readonly bytes: number };

/** A footer of that very section at `at`, an index of the reader, whatever may stand behind it. */
export function ownFooterAt(reader: Reader, at: number, id: number): FooterSearch {
  const cursor = reader.at;
  reader.at = at;
  const whole = scanQemuVmRecord(reader);
  const next = reader.at;
  const wanted = reader.wanted;
  reader.at = at;
  const head = whole ? readQemuVmRecord(reader).head : undefined;
  reader.at = cursor;
  if (head?.case === "footer" && head.value.sectionId === id) return { kind: "found", next };
  if (whole || reader.fault?.code !== "truncated") return { kind: "none" };
  return reader.bytes[at] === QemuVmSection.QEMU_VM_SECTION_FOOTER || at >= reader.end
    ? { kind: "wanted", bytes: wanted - cursor }
    : { kind: "none" };
}
