/** What a reader of a QEMU migration stream reports, in the order of the bytes. Offsets are from the start of the stream. */
import type { ColoMessage } from "../../../generated/qemu/colo.js";
import type { QemuVmCommand } from "../../../generated/qemu/stream.js";
import type { Fault } from "../../runtime/index.js";
import type { RamCounts } from "./ram/blocks.js";

export type QemuEvent =
  | FileHeaderEvent
  | ConfigurationEvent
  | CommandEvent
  | PackageEvent
  | SectionEvent
  | EofEvent
  | DescriptionEvent
  | CheckpointBeginEvent
  | CheckpointEndEvent
  | ColoMessageEvent
  | GapEvent
  | FaultEvent;

interface Place {
  readonly at: number;
  readonly size: number;
}

export interface FileHeaderEvent extends Place {
  readonly kind: "file-header";
}

export interface ConfigurationEvent extends Place {
  readonly kind: "configuration";
  readonly machine: string;
  readonly targetPageBits: number | undefined;
  readonly capabilities: readonly string[];
  readonly uuid: Uint8Array | undefined;
}

export interface CommandEvent extends Place {
  readonly kind: "command";
  readonly command: QemuVmCommand;
  /** The whole record. Lent until the listener returns. */
  readonly bytes: Uint8Array;
}

/** A package begins or ends: a nested stream of records that a PACKAGED command announces. */
export interface PackageEvent extends Place {
  readonly kind: "package-begin" | "package-end";
}

export type SectionPhase = "start" | "part" | "end" | "full";

/**
 * How the end of a section's body was found: `self`, it says so itself (ram); `description`, the description gives its
 * size, and the footer stands there; `footer`, the footer was looked for; `record`, sections have no footers, and the next
 * record was looked for; `none`, it was not found.
 */
export type SectionBound = "self" | "description" | "footer" | "record" | "none";

/** A section, or one part of a live one. Reported when it is over; `size` includes head and footer. */
export interface SectionEvent extends Place {
  readonly kind: "section";
  readonly phase: SectionPhase;
  readonly sectionId: number;
  readonly name: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly bodyAt: number;
  readonly bodySize: number;
  /** Lent until the listener returns. Undefined for `ram`, and for a body larger than the parser's cap. */
  readonly body: Uint8Array | undefined;
  /** For `ram`: what this part brought. */
  readonly ram: RamCounts | undefined;
  readonly bound: SectionBound;
  /** Body and footer are there. */
  readonly complete: boolean;
}

export interface EofEvent extends Place {
  readonly kind: "eof";
  /** No live section was ended, as in background snapshots. */
  readonly background: boolean;
}

export interface DescriptionEvent extends Place {
  readonly kind: "description";
  readonly textAt: number;
  /** JSON. Lent until the listener returns. Undefined when it is larger than the parser's cap or not whole. */
  readonly text: Uint8Array | undefined;
}

/** A checkpoint of COLO begins: what comes before its end belongs to it. */
export interface CheckpointBeginEvent extends Place {
  readonly kind: "checkpoint-begin";
  readonly index: number;
}

export interface CheckpointEndEvent extends Place {
  readonly kind: "checkpoint-end";
  readonly index: number;
  readonly beganAt: number;
  /** Of the devices, as VMSTATE_SIZE gives it. Undefined when it did not come. */
  readonly stateSize: number | undefined;
  /** Nothing of it is missing. */
  readonly complete: boolean;
}

export interface ColoMessageEvent extends Place {
  readonly kind: "colo-message";
  readonly message: ColoMessage;
  /** The whole message. Lent until the listener returns. */
  readonly bytes: Uint8Array;
}

/** Bytes that mean nothing known: skipped after damage, up to where the stream can be read again. */
export interface GapEvent extends Place {
  readonly kind: "gap";
}

export interface FaultEvent {
  readonly kind: "fault";
  readonly fault: Fault;
}
