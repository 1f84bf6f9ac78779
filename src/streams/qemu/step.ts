/** What the readers of the parts of a stream (records, configuration, sections, description) have in common. */
import type { Fault, Reader } from "../../runtime/index.js";
import type { QemuEvent } from "./events.js";

/** What a reader has come to. Each but `more` has moved the cursor, or is followed by another reader. */
export type Step =
  /** That many bytes, counted from the cursor, must be there before it makes sense to ask again. */
  | { readonly kind: "more"; readonly bytes: number }
  /** The same reader goes on. */
  | { readonly kind: "on" }
  /** Its part is over: a record begins at the cursor. */
  | { readonly kind: "record" }
  /** The stream ends at the cursor. */
  | { readonly kind: "over" }
  /** What begins at `from`, an absolute offset, cannot be read: the cursor is where to look for what can. */
  | { readonly kind: "lost"; readonly from: number }
  /** The input ends too early. */
  | { readonly kind: "cut"; readonly fault: Fault };

export const ON: Step = { kind: "on" };
export const RECORD: Step = { kind: "record" };
export const OVER: Step = { kind: "over" };

export function more(bytes: number): Step {
  return { kind: "more", bytes };
}

/** The record at the cursor cannot be read. */
export function lost(reader: Reader): Step {
  return { kind: "lost", from: reader.base + reader.at };
}

export function cut(fault: Fault): Step {
  return { kind: "cut", fault };
}

/** Where readers report to. */
export interface Report {
  /** No more bytes will come. */
  readonly ended: boolean;
  emit(event: QemuEvent): void;
  /**
   * Asked where the first footer should be and is not: whether the stream is of a machine type that writes none. A number:
   * so many bytes must be there to tell.
   */
  lacksFooters(reader: Reader): boolean | number;
  fault(fault: Fault): void;
}

/**
 * After a scan that failed: puts the cursor back, and says how many bytes to wait for; undefined when waiting is no use.
 */
export function awaited(reader: Reader, at: number, fault: Fault, ended: boolean): Step | undefined {
  const wanted = reader.wanted - at;
  reader.at = at;
  return fault.code === "truncated" && !ended && wanted > 0 ? more(wanted) : undefined;
}
