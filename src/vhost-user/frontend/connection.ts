/** The front-end's socket: requests go out, and each is paired with its reply, which comes in the same order. */
import type { VhostUserFrontendRequestReplyBody } from "../../../generated/vhost-user/messages.js";
import { MessageSocket, ProtocolError, type SocketMessage } from "../message-socket.js";
import type { Descriptor, UnixSocket } from "../system/index.js";
import {
  type Agreed,
  decodeReply,
  encodeRequest,
  type Request,
  type RequestName,
  requestNumber,
} from "./requests.js";

/** The back-end has answered that it cannot. */
export class RefusedError extends Error {
  readonly request: RequestName;
  /** What it sent in place of 0. */
  readonly value: bigint;

  constructor(request: RequestName, value: bigint) {
    super(`the back-end refuses ${request}: ${value}`);
    this.name = "RefusedError";
    this.request = request;
    this.value = value;
  }
}

/** The connection is gone: with it the rings, and what was agreed on. */
export class DisconnectedError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DisconnectedError";
  }
}

export interface Reply {
  readonly body: VhostUserFrontendRequestReplyBody;
  /** The receiver's to close. */
  readonly descriptors: readonly Descriptor[];
}

interface Pending {
  readonly request: RequestName;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  /** As it is now: payloads are encoded and decoded by it. */
  agreed: Agreed = { features: 0n, protocolFeatures: 0n };
  /** Resolves when it is over, and says why: either side has closed it, or the other one has broken the protocol. */
  readonly gone: Promise<DisconnectedError>;
  private readonly messages: MessageSocket;
  private readonly pending: Pending[] = [];
  private readonly leave: (error: DisconnectedError) => void;
  private why: DisconnectedError | undefined;

  constructor(socket: UnixSocket) {
    let leave = (_error: DisconnectedError): void => {};
    this.gone = new Promise((resolve) => {
      leave = resolve;
    });
    this.leave = leave;
    this.messages = new MessageSocket(socket, {
      message: (message) => this.take(message),
      ended: (error) => this.end(error),
    });
  }

  /** Sends a request that nothing answers. The descriptors stay the caller's. */
  async say(body: Request, descriptors: readonly Descriptor[] = []): Promise<void> {
    if (this.why !== undefined) throw this.why;
    await this.send(encodeRequest(body, false, this.agreed), descriptors);
  }

  /**
   * Sends a request and waits for its reply. `needReply`: it is one that is answered only when asked to.
   * @throws DisconnectedError
   */
  async ask(body: Request, descriptors: readonly Descriptor[] = [], needReply = false): Promise<Reply> {
    if (this.why !== undefined) throw this.why;
    const bytes = encodeRequest(body, needReply, this.agreed);
    const reply = new Promise<Reply>((resolve, reject) => {
      this.pending.push({ request: body.case, resolve, reject });
    });
    // Whoever waits for the reply hears of a connection that is gone by it.
    const [answered] = await Promise.all([reply, this.send(bytes, descriptors).catch(() => {})]);
    return answered;
  }

  /** May be called again. */
  close(): void {
    this.messages.close();
    this.fail(new DisconnectedError("the connection to the back-end is closed"));
  }

  private async send(bytes: Uint8Array, descriptors: readonly Descriptor[]): Promise<void> {
    try {
      await this.messages.send(bytes, descriptors);
    } catch (error) {
      this.messages.close();
      this.end(error instanceof Error ? error : undefined);
      throw this.why;
    }
  }

  private take({ header, bytes, descriptors }: SocketMessage): void {
    const waiting = this.pending[0];
    try {
      if (waiting === undefined || header.reply === 0 || header.request !== requestNumber(waiting.request)) {
        throw new ProtocolError(
          `message ${header.request} came, ${waiting?.request ?? "nothing"} was expected`,
        );
      }
      const body = decodeReply(bytes, this.agreed);
      this.pending.shift();
      waiting.resolve({ body, descriptors });
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close();
      this.messages.close();
      this.end(error instanceof Error ? error : undefined);
    }
  }

  private end(error: Error | undefined): void {
    if (this.why !== undefined) return;
    const why =
      error === undefined ? "the back-end has closed the connection" : `connection lost: ${error.message}`;
    this.fail(new DisconnectedError(why, error));
  }

  private fail(error: DisconnectedError): void {
    this.why ??= error;
    for (const { reject } of this.pending.splice(0)) reject(this.why);
    this.leave(this.why);
  }
}
