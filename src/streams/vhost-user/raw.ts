/** Reads the bytes of one direction of a socket, without times and descriptors. */
import { VHOST_USER_HEADER_SIZE } from "../../../generated/vhost-user/messages.js";
import type { Side } from "./message.js";
import { headerIn } from "./order.js";
import type { Recording, RecordingHandler } from "./recording.js";

export class RawRecording implements Recording {
  private readonly handler: RecordingHandler;
  private readonly first = new Uint8Array(VHOST_USER_HEADER_SIZE);
  private filled = 0;
  private from: Side | undefined;

  constructor(handler: RecordingHandler) {
    this.handler = handler;
  }

  push(chunk: Uint8Array): void {
    let rest = chunk;
    if (this.from === undefined) {
      const taken = Math.min(chunk.length, this.first.length - this.filled);
      this.first.set(chunk.subarray(0, taken), this.filled);
      this.filled += taken;
      if (this.filled < this.first.length) return;
      rest = chunk.subarray(taken);
      this.start();
    }
    this.pass(rest);
  }

  end(): void {
    if (this.from === undefined && this.filled > 0) this.start();
  }

  /** The first header tells the side: on the first channel all messages of the back-end are replies. */
  private start(): void {
    const header = this.first.subarray(0, this.filled);
    const isReply = headerIn(header)?.reply === 1;
    this.from = isReply ? "be" : "fe";
    this.handler.note(
      `one direction, that of the ${isReply ? "back-end" : "front-end"}: replies cannot be matched, and descriptors are not known`,
    );
    this.pass(header);
  }

  private pass(bytes: Uint8Array): void {
    // One direction of one socket: both sides' requests cannot be mixed in it.
    if (this.from !== undefined) this.handler.piece({ from: this.from, bytes, channel: "frontend" });
  }
}
