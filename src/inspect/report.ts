/** What an inspection tells: records as they are read, and a summary at the end. Renderers know no more than this. */
import type { Fault } from "../runtime/index.js";
import type { SetFlag } from "./flags.js";
import type { CaptureKind } from "./kinds.js";
import type { LentFields } from "./lent-fields.js";
import type { Node } from "./node.js";
import type { Path } from "./path.js";

export type Scalar = string | number | bigint | boolean;

/** One section, command, TLV, part or record of the capture. */
export interface CaptureRecord {
  /** E.g. `section`, `command`, `tlv`, `part`, `gap`. */
  readonly record: string;
  /** What it is called in the source documents, e.g. `0000:00:02.0/virtio-net`, `MIG_CMD_PING`. */
  readonly name: string;
  /** Where it stands in the capture. The paths of its fields begin with it. */
  readonly path: Path;
  readonly at: number;
  readonly size: number;
  readonly attributes: Readonly<Record<string, Scalar | readonly Scalar[] | undefined>>;
  /** Its fields, when they were asked for. */
  readonly fields: readonly Node[] | undefined;
  /** In place of `fields`, for a sink that asked for it (`InspectOptions.lendsFields`). */
  readonly lent?: LentFields | undefined;
  readonly faults: readonly Fault[];
}

export interface Fact {
  /** For programs, e.g. `page_size`. */
  readonly key: string;
  /** For people, e.g. `page size`. */
  readonly label: string;
  readonly value: Scalar | readonly Scalar[];
  /** How people write the value, where that differs. */
  readonly text?: string;
  /** Of a mask: its flags, for programs. */
  readonly flags?: readonly SetFlag[];
}

export interface Column {
  readonly key: string;
  readonly label: string;
  readonly right?: boolean;
}

export interface Cell {
  readonly value: Scalar | undefined;
  readonly text?: string;
  /** Of a mask: its flags, for programs. */
  readonly flags?: readonly SetFlag[];
}

export interface Table {
  readonly key: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** The more a row weighs, the later it is left out where there is no room for all. */
  readonly weights: readonly number[];
  /** What stands for a row that was left out. */
  readonly briefs: readonly string[];
}

export interface Summary {
  /** `qemu-migration`: of several captures together. */
  readonly kind: CaptureKind | "qemu-migration";
  /** E.g. `QEMU migration stream`. */
  readonly title: string;
  /** Bytes of the whole input. */
  readonly size: number;
  readonly facts: readonly Fact[];
  readonly tables: readonly Table[];
  /** What a reader should know although nothing is wrong. */
  readonly notes: readonly string[];
  /** In the order found; the first `MAX_FAULTS`. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
  /** One line. Says "clean" only when every byte was accounted for and everything that can be checked was. */
  readonly verdict: string;
}

/** Damage repeats itself; the first few places are what helps. */
const MAX_FAULTS = 100;

export interface Sink {
  record(record: CaptureRecord): void;
}

/** Gathers faults for the summary. */
export class FaultList {
  readonly faults: Fault[] = [];
  count = 0;

  /** False when it is only counted. */
  add(fault: Fault): boolean {
    this.count++;
    if (this.faults.length === MAX_FAULTS) return false;
    this.faults.push(fault);
    return true;
  }
}

/** Names come from the file: a terminal must not be made to do what they say. */
export function printable(text: string): string {
  let shown = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const orders = code < 0x20 || (code >= 0x7f && code < 0xa0);
    shown += orders ? `\\x${code.toString(16).padStart(2, "0")}` : character;
  }
  return shown;
}

export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
