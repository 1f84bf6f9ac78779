/** What a driver can do wrong in a ring. The device stops using the queue; it never throws out of its own callers. */

export type RingFaultCode =
  /** An area of the queue, or a buffer, is in no guest memory. */
  | "address"
  /** An area of the queue does not lie at the boundary that the specification asks for. */
  | "alignment"
  /** The queue size is zero, too large, or not a power of two where it has to be. */
  | "size"
  /** More is available than the ring can hold. */
  | "index"
  /** A head, or the next descriptor of a chain, is outside of the table. */
  | "descriptor"
  /** A chain that has more descriptors than there are: it goes in circles. */
  | "loop"
  /** A buffer to read behind one to write. */
  | "order"
  /** A table of indirect descriptors of an odd size, inside another one, or without the feature. */
  | "indirect"
  /** A buffer of no bytes, or a chain of more than 2^32 bytes. */
  | "length"
  /** A buffer that the device has already, or one that it has not. */
  | "ownership";

export class RingFault extends Error {
  readonly code: RingFaultCode;

  constructor(code: RingFaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RingFault";
    this.code = code;
  }
}
