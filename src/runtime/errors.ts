/**
 * The one shape of error that everything built on the codecs reports: decode, encode, view, check, push parser, CLI.
 */

/**
 * What went wrong. The codes are stable.
 *
 * | code | meaning |
 * |---|---|
 * | `truncated` | the input ends before the field does |
 * | `overrun` | the range that holds the field (a TLV's length, say) ends before the field does |
 * | `trailing` | bytes are left over after the value |
 * | `constraint` | a `where` of the schema does not hold |
 * | `constant` | a fixed value (a magic number) is another one |
 * | `enum` | a closed enum has no such value |
 * | `tag` | an unknown tag that the schema says to refuse |
 * | `reserved` | strict mode: a reserved field is not zero |
 * | `range` | the value does not fit: above 2^53−1 as a number, or too wide for the field on encode |
 * | `length` | encode: a length or count field disagrees with what it counts |
 * | `missing` | encode: a field that the condition asks for is not given |
 * | `unexpected` | encode: a field is given that the condition excludes |
 * | `case` | encode: the chosen case does not belong to the tag |
 * | `limit` | larger than the cap that the caller set |
 */
export type FaultCode =
  | "truncated"
  | "overrun"
  | "trailing"
  | "constraint"
  | "constant"
  | "enum"
  | "tag"
  | "reserved"
  | "range"
  | "length"
  | "missing"
  | "unexpected"
  | "case"
  | "limit";

export interface Fault {
  readonly code: FaultCode;
  /** In the source document's names, e.g. `fields[2].value.queue_desc`. */
  readonly path: string;
  /** Absolute, in bytes: from the start of the stream, when the reader was told where it stands in it. */
  readonly offset: number;
  /** Bytes that the field takes, where size is the trouble. */
  readonly need: number | undefined;
  /** Bytes that were there for it. */
  readonly had: number | undefined;
  /** More about the value, e.g. the constraint as written in the schema. */
  readonly detail: string | undefined;
  /** `file:line` of the field in the schema. */
  readonly schema: string;
}

export class WireError extends Error implements Fault {
  override readonly name = "WireError";
  readonly code: FaultCode;
  readonly path: string;
  readonly offset: number;
  readonly need: number | undefined;
  readonly had: number | undefined;
  readonly detail: string | undefined;
  readonly schema: string;

  constructor(fault: Fault) {
    super(formatFault(fault));
    this.code = fault.code;
    this.path = fault.path;
    this.offset = fault.offset;
    this.need = fault.need;
    this.had = fault.had;
    this.detail = fault.detail;
    this.schema = fault.schema;
  }
}

/** `truncated: fields[2].length at 0x54: needs 8 bytes, has 3 (virtio/device-context.wire:41)` */
export function formatFault(fault: Fault): string {
  let text = `${fault.code}: ${fault.path || "value"} at 0x${fault.offset.toString(16)}`;
  if (fault.need !== undefined) text += `: needs ${fault.need} bytes, has ${fault.had}`;
  if (fault.detail !== undefined) text += `: ${fault.detail}`;
  return `${text} (${fault.schema})`;
}
