/**
 * What a generated `walk…` function reports: every field of a value with its place and its meaning, in the order of the
 * bytes. Trees, annotated hex dumps and diffs are built on it.
 */
import type { Fault } from "./errors.js";
import type { FlagBit } from "./meanings.js";

/** What is known about a field before any value is seen. One constant object per field in the generated code. */
export interface Site {
  /** The source document's name. */
  readonly name: string;
  /** The type as the schema writes it, e.g. `le16`, `virtio_pci_common_cfg`, `u8[6]`. */
  readonly type: string;
  /** `file:line` in the schema. */
  readonly schema: string;
  /** The first sentence of the doc comment. */
  readonly doc?: string;
  /** The `@unit` note. */
  readonly unit?: string;
  readonly role?: "reserved" | "constant" | "derived";
  /** What an integer stands for: the name of an enum member, or the names of the flags that are set. */
  readonly meaning?: (value: number | bigint) => string | undefined;
  /** What is known of each flag, where the integer is a set of them: the set's own, then those of each that it extends. */
  readonly flags?: readonly (readonly FlagBit[])[];
}

export type FieldValue = number | bigint | string | Uint8Array;

export interface Visitor {
  /** A nested struct, an array, or a case begins at `at`. `index` is the place in an array, or −1. */
  open(site: Site, index: number, at: number): void;
  /** The innermost thing that was opened ends at `at`. */
  close(at: number): void;
  /**
   * A scalar, text or bytes. For bit fields `at` and `size` are those of the container, `bit` is the lowest bit and
   * `width` their number.
   */
  field(
    site: Site,
    index: number,
    at: number,
    size: number,
    value: FieldValue,
    bit?: number,
    width?: number,
  ): void;
  /**
   * Something is wrong here. The walk goes on behind the enclosing range when there is one, and ends when there is
   * none: what was readable has been reported.
   */
  fault(fault: Fault): void;
}
