/** Whole vhost-user messages over a UNIX socket, each with the descriptors that came along with it. */
import {
  checkVhostUserHeader,
  decodeVhostUserHeader,
  VHOST_USER_HEADER_SIZE,
  VHOST_USER_MAX_FDS,
  type VhostUserHeader,
} from "../../generated/vhost-user/messages.js";
import { HOST_IS_LITTLE } from "./host.js";
import { type Descriptor, SystemCallError, type UnixSocket } from "./system/index.js";

export interface SocketMessage {
  readonly header: VhostUserHeader;
  /** Header and payload. */
  readonly bytes: Uint8Array;
  /** The receiver's to close. */
  readonly descriptors: readonly Descriptor[];
}

export interface MessageHandler {
  message(message: SocketMessage): void;
  /**
   * No more messages come. Without an error the other side has closed, between two messages. `unfinished`: bytes of one
   * that is not whole, or that is none.
   */
  ended(error: Error | undefined, unfinished: Uint8Array): void;
}

/** What the other side has sent is no message of vhost-user. */
export class ProtocolError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ProtocolError";
  }
}

export class MessageSocket {
  private readonly socket: UnixSocket;
  private readonly handler: MessageHandler;
  private buffer = new Uint8Array(VHOST_USER_HEADER_SIZE);
  private filled = 0;
  private header: VhostUserHeader | undefined;
  private descriptors: Descriptor[] = [];
  private sending: Promise<void> = Promise.resolve();

  constructor(socket: UnixSocket, handler: MessageHandler) {
    this.socket = socket;
    this.handler = handler;
    socket.watch("readable", () => this.receive());
  }

  /** Messages go in the order of the calls. The descriptors have to stay open until it resolves. */
  send(bytes: Uint8Array, descriptors: readonly Descriptor[] = []): Promise<void> {
    const sent = this.sending.then(() => this.socket.sendAll(bytes, descriptors));
    // One that fails says so to its own caller; those behind it find out by themselves.
    this.sending = sent.catch(() => {});
    return sent;
  }

  /** Resolves when all that was to be sent so far is sent, or could not be. */
  idle(): Promise<void> {
    return this.sending;
  }

  /** May be called again. `ended` is not. */
  close(): void {
    for (const descriptor of this.descriptors.splice(0)) descriptor.close();
    this.socket.close();
  }

  /** Reads up to the border of a message and no further: so descriptors that come belong to it. */
  private receive(): void {
    try {
      while (this.socket.isOpen) {
        const arrival = this.socket.receive(this.buffer.length - this.filled);
        if (arrival === undefined) return;
        this.descriptors.push(...arrival.descriptors);
        if (arrival.bytes.length === 0) {
          const inside = this.filled > 0 ? `it ends ${this.filled} bytes into a message` : undefined;
          this.end(inside === undefined ? undefined : new ProtocolError(inside));
          return;
        }
        if (this.descriptors.length > VHOST_USER_MAX_FDS) {
          throw new ProtocolError(`more than ${VHOST_USER_MAX_FDS} descriptors with one message`);
        }
        this.buffer.set(arrival.bytes, this.filled);
        this.filled += arrival.bytes.length;
        if (this.filled === this.buffer.length) this.advance();
      }
    } catch (error) {
      if (!(error instanceof SystemCallError || error instanceof ProtocolError)) throw error;
      this.end(error);
    }
  }

  private advance(): void {
    if (this.header === undefined) {
      this.header = headerOf(this.buffer);
      if (this.header.size > 0) {
        const whole = new Uint8Array(VHOST_USER_HEADER_SIZE + this.header.size);
        whole.set(this.buffer);
        this.buffer = whole;
        return;
      }
    }
    const { header, buffer: bytes, descriptors } = this;
    this.buffer = new Uint8Array(VHOST_USER_HEADER_SIZE);
    this.filled = 0;
    this.header = undefined;
    this.descriptors = [];
    this.handler.message({ header, bytes, descriptors });
  }

  private end(error: Error | undefined): void {
    this.close();
    this.handler.ended(error, this.buffer.subarray(0, this.filled));
  }
}

function headerOf(bytes: Uint8Array): VhostUserHeader {
  const fault = checkVhostUserHeader(bytes, HOST_IS_LITTLE);
  if (fault !== undefined) throw new ProtocolError(fault.message, fault);
  const header = decodeVhostUserHeader(bytes, HOST_IS_LITTLE);
  if (header.version !== 1) throw new ProtocolError(`version ${header.version} of the protocol`);
  return header;
}
