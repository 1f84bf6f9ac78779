/** Puts the messages of one side of one socket together from torn reads. Holds one message at most. */
import {
  readVhostUserHeader,
  scanVhostUserHeader,
  VHOST_USER_HEADER_SIZE,
  VHOST_USER_MAX_PAYLOAD_SIZE,
  type VhostUserHeader,
} from "../../../generated/vhost-user/messages.js";
import { type Fault, Reader } from "../../runtime/index.js";
import type { Piece } from "./message.js";

export interface Frame {
  /** Where its first byte stands, as the pieces were told. */
  readonly at: number;
  readonly time: number | undefined;
  readonly fds: number | undefined;
  readonly header: VhostUserHeader;
  /** Its own copy. */
  readonly bytes: Uint8Array;
}

export class Framing {
  /** After bytes that begin no message: nothing behind them can be read. */
  fault: Fault | undefined;
  private readonly take: (frame: Frame) => void;
  private readonly buffer = new Uint8Array(VHOST_USER_HEADER_SIZE + VHOST_USER_MAX_PAYLOAD_SIZE);
  private filled = 0;
  private header: VhostUserHeader | undefined;
  private at = 0;
  private time: number | undefined;
  private fds: number | undefined = 0;

  constructor(take: (frame: Frame) => void) {
    this.take = take;
  }

  /** Bytes of a message that is not complete yet. */
  get held(): number {
    return this.filled;
  }

  /** Where the message begins that is not complete yet. */
  get heldAt(): number {
    return this.at;
  }

  /** `at`: where the piece's first byte stands among all bytes of the conversation. */
  push(piece: Piece, at: number, orderOf: (header: Uint8Array) => boolean): void {
    let used = 0;
    let fds: number | undefined = piece.fds;
    while (used < piece.bytes.length && this.fault === undefined) {
      if (this.filled === 0) {
        this.at = at + used;
        this.time = piece.time;
        // Descriptors come with the first byte of a message: those of a piece belong to the first that begins in it.
        this.fds = fds;
        if (fds !== undefined) fds = 0;
      }
      const wanted = VHOST_USER_HEADER_SIZE + (this.header?.size ?? 0);
      const taken = Math.min(wanted - this.filled, piece.bytes.length - used);
      this.buffer.set(piece.bytes.subarray(used, used + taken), this.filled);
      this.filled += taken;
      used += taken;
      // No other message begins in the piece: what came with it belongs to the one that it goes on with.
      if (used === piece.bytes.length && fds !== undefined && this.fds !== undefined) this.fds += fds;
      if (this.filled === wanted) this.advance(orderOf);
    }
  }

  private advance(orderOf: (header: Uint8Array) => boolean): void {
    if (this.header === undefined) {
      const bytes = this.buffer.subarray(0, VHOST_USER_HEADER_SIZE);
      const littleEndian = orderOf(bytes);
      const reader = new Reader(bytes, { base: this.at });
      if (!scanVhostUserHeader(reader, littleEndian)) {
        this.fault = reader.fault;
        return;
      }
      this.header = readVhostUserHeader(new Reader(bytes), littleEndian);
      if (this.header.size > 0) return;
    }
    const { header, at, time, fds } = this;
    const bytes = this.buffer.slice(0, this.filled);
    this.filled = 0;
    this.header = undefined;
    this.take({ at, time, fds, header, bytes });
  }
}
