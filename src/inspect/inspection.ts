/** What every kind of capture's inspection looks like from outside, and the one that finds out which kind it is. */
import type { Description } from "../streams/qemu/description.js";
import type { StreamBefore } from "../streams/qemu/resumed.js";
import type { VmstateDump } from "../streams/qemu/vmstate-dump.js";
import type { Summary } from "./report.js";

export interface BorrowedDescription {
  /** What the file that it was taken from is called. */
  readonly from: string;
  /** Of another stream, or what `-dump-vmstate` says that devices may save. */
  readonly description: Description | VmstateDump;
}

export interface InspectOptions {
  /** Report records with their fields. Without, they are read and checked all the same. */
  readonly withFields: boolean;
  /**
   * The sink can do with fields that are lent (`CaptureRecord.lent`), where nothing is wrong with them: a tree takes many
   * times the memory of its bytes.
   */
  readonly lendsFields?: boolean | undefined;
  /** The description of a QEMU stream, when it was found before the stream is read. */
  readonly description?: Description | undefined;
  /** Of another stream of the same machine, for one that carries no description. */
  readonly borrowed?: BorrowedDescription | undefined;
  /** Where the stream begins in the file that its own offsets (of mapped-ram) are those of. */
  readonly origin?: number | undefined;
  /** The connection of this channel broke, and the migration was taken up again on another. */
  readonly breaksOff?: boolean | undefined;
  /** For a stream after a break: what the one before it has told. */
  readonly before?: StreamBefore | undefined;
  /** The type of the virtio device, where the capture does not say it. */
  readonly device?: number | undefined;
}

/** Pushed chunks of any size; records go to the sink as they become complete. */
export interface CaptureInspection {
  push(chunk: Uint8Array): void;
  /**
   * Passes over up to `limit` bytes that come next and make no difference to any record or to the summary, and says how
   * many. Left out by kinds of captures in which every byte counts.
   */
  skip?(limit: number): number;
  /** What a stream that goes on after a break needs to know of this one. */
  handOver?(): StreamBefore;
  /** The input is over. */
  end(): Summary;
}
