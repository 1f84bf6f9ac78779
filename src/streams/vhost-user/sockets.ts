/**
 * Tells what the descriptors are that a traced program sends and receives messages over: which are vhost-user sockets,
 * which two of them belong to one session, and which side of it the program is.
 */
import { VhostUserFrontendRequest } from "../../../generated/vhost-user/messages.js";
import { rowOf } from "./contract.js";
import type { Channel, Side } from "./message.js";
import { headerIn } from "./order.js";

/** Descriptors that are told apart. */
const MAX_SOCKETS = 4096;

export interface Socket {
  readonly session: TracedSession;
  readonly channel: Channel;
}

export interface TracedSession {
  readonly name: string;
  /** The side of the traced program. */
  readonly traced: Side;
  hasBackendChannel: boolean;
  /** The front-end has handed out the other end of a back-end's channel. */
  offersBackendChannel: boolean;
}

/** One call. */
export interface Transfer {
  /** The descriptor, with what the log adds to it: the number alone may mean another socket in another process. */
  readonly socket: string;
  readonly isSent: boolean;
  readonly isMessage: boolean;
  readonly bytes: Uint8Array;
  /** Descriptors that came along, in the same form. */
  readonly rights: readonly string[];
}

export class Sockets {
  /** False for what is no vhost-user socket. */
  private readonly sockets = new Map<string, Socket | false>();
  private readonly sessions: TracedSession[] = [];
  private readonly names = new Set<string>();

  /** Undefined when it is no vhost-user socket. */
  of(transfer: Transfer): Socket | undefined {
    let socket = this.sockets.get(transfer.socket);
    if (socket === undefined && Math.max(this.sockets.size, this.sessions.length) < MAX_SOCKETS) {
      socket = this.tell(transfer);
      this.sockets.set(transfer.socket, socket);
    }
    if (socket === undefined || socket === false) return undefined;
    this.follow(transfer, socket);
    return socket;
  }

  /** The number is free for another socket. */
  close(socket: string): void {
    this.sockets.delete(socket);
  }

  private tell({ socket, isSent, isMessage, bytes }: Transfer): Socket | false {
    // What is read or written otherwise may be anything: only messages can be told.
    const header = isMessage ? headerIn(bytes) : undefined;
    if (header === undefined) return false;
    const asks = isSent === (header.reply === 0);
    const offering = this.sessions.find(
      (session) => session.traced === "fe" && session.offersBackendChannel && !session.hasBackendChannel,
    );
    // The front-end is asked only over the channel that it has handed out.
    if (!asks && offering !== undefined && rowOf("backend", header.request) !== undefined) {
      offering.hasBackendChannel = true;
      return { session: offering, channel: "backend" };
    }
    if (rowOf("frontend", header.request) === undefined) return false;
    const name = this.names.has(socket) ? `${socket} (${this.sessions.length + 1})` : socket;
    this.names.add(name);
    const session: TracedSession = {
      name,
      traced: asks ? "fe" : "be",
      hasBackendChannel: false,
      offersBackendChannel: false,
    };
    this.sessions.push(session);
    return { session, channel: "frontend" };
  }

  /** The descriptor of the back-end's channel comes with a message, under the number that the receiver has for it. */
  private follow({ bytes, rights, isSent }: Transfer, { session, channel }: Socket): void {
    const [right] = rights;
    if (channel !== "frontend" || right === undefined) return;
    if (headerIn(bytes)?.request !== VhostUserFrontendRequest.VHOST_USER_SET_BACKEND_REQ_FD) return;
    if (isSent) session.offersBackendChannel = true;
    else if (!session.hasBackendChannel) {
      session.hasBackendChannel = true;
      this.sockets.set(right, { session, channel: "backend" });
    }
  }
}
