/**
 * One conversation through the tap: both sockets of a front-end and a back-end, and the pipes of the back-end's state.
 * Messages go through as they are; of the descriptors, those that lead to more conversation are replaced by some that
 * lead here.
 */
import {
  decodeVhostUserTransferDeviceState,
  VHOST_USER_HEADER_SIZE,
  VHOST_USER_TRANSFER_DEVICE_STATE_SIZE,
  VhostDeviceStateDirection,
  VhostUserFrontendRequest,
} from "../../../generated/vhost-user/messages.js";
import type { Channel, PieceChannel, Side } from "../../streams/index.js";
import { HOST_IS_LITTLE } from "../host.js";
import { MessageSocket, type SocketMessage } from "../message-socket.js";
import { type Descriptor, type System, SystemCallError, type UnixSocket } from "../system/index.js";
import { StatePipe } from "./state-pipe.js";

const { VHOST_USER_SET_BACKEND_REQ_FD, VHOST_USER_SET_DEVICE_STATE_FD, VHOST_USER_CHECK_DEVICE_STATE } =
  VhostUserFrontendRequest;
const { VHOST_TRANSFER_STATE_DIRECTION_SAVE } = VhostDeviceStateDirection;

/** Messages that wait for a side that does not read. One that floods the other ends the session. */
const MAX_WAITING = 1024;

export interface TapRecord {
  readonly from: Side;
  readonly channel: PieceChannel;
  readonly bytes: Uint8Array;
  /** Descriptors that came along. */
  readonly fds: number;
}

export interface SessionHandler {
  record(record: TapRecord): void;
  /** The conversation is over. Without an error one side has closed its socket, which the other was told. */
  ended(error: Error | undefined): void;
}

/** The two ends of a socket that was cut open. */
type Ends = Readonly<Record<Side, MessageSocket>>;

interface Transfer {
  readonly pipe: StatePipe;
  readonly author: Side;
}

const OTHER: Readonly<Record<Side, Side>> = { fe: "be", be: "fe" };

export class TapSession {
  /** Owns everything of the session. */
  private readonly system: System;
  private readonly handler: SessionHandler;
  private readonly waiting: Record<Side, number> = { fe: 0, be: 0 };
  private readonly main: Ends;
  /** Those that go on, the latest last. */
  private transfers: Transfer[] = [];
  private isOver = false;

  /** `frontend`, `backend`: the sockets that lead to the two, of `system`, which is closed with the session. */
  constructor(system: System, frontend: UnixSocket, backend: UnixSocket, handler: SessionHandler) {
    this.system = system;
    this.handler = handler;
    this.main = this.join("frontend", frontend, backend);
  }

  /** May be called again. `ended` is not. */
  close(): void {
    this.isOver = true;
    this.system.close();
  }

  private join(channel: Channel, frontend: UnixSocket, backend: UnixSocket): Ends {
    const at = (socket: UnixSocket, from: Side): MessageSocket =>
      new MessageSocket(socket, {
        message: (message) => this.take(channel, from, ends, message),
        ended: (error, unfinished) => this.endOf(channel, from, ends, error, unfinished),
      });
    const ends: Ends = { fe: at(frontend, "fe"), be: at(backend, "be") };
    return ends;
  }

  private take(channel: Channel, from: Side, ends: Ends, message: SocketMessage): void {
    if (this.isOver) return;
    const { header, bytes, descriptors } = message;
    if (channel === "frontend" && from === "fe" && header.request === VHOST_USER_CHECK_DEVICE_STATE) {
      // What the front-end has to say through the pipe it has said before it asks.
      for (const { pipe } of this.transfers) pipe.drain();
    }
    this.handler.record({ from, channel, bytes, fds: descriptors.length });
    const passed = channel === "frontend" ? this.replaced(from, message) : descriptors;
    const to = OTHER[from];
    if (++this.waiting[to] > MAX_WAITING) {
      this.end(new Error(`${MAX_WAITING} messages wait for a side that does not read`));
      return;
    }
    ends[to]
      .send(bytes, passed)
      // That the other side is gone, its own socket tells.
      .catch(() => {})
      .finally(() => {
        this.waiting[to]--;
        for (const descriptor of passed) descriptor.close();
      });
  }

  /** The descriptors to pass on in place of those that came. */
  private replaced(from: Side, { header, bytes, descriptors }: SocketMessage): readonly Descriptor[] {
    const [first, ...others] = descriptors;
    if (first === undefined) return descriptors;
    try {
      if (header.request === VHOST_USER_SET_BACKEND_REQ_FD && from === "fe") {
        return [this.openBackendChannel(first), ...others];
      }
      if (header.request === VHOST_USER_SET_DEVICE_STATE_FD) {
        const author = from === "fe" ? authorOf(bytes) : this.forgetTransfer()?.author;
        if (author !== undefined) return [this.openTransfer(author, first, from === author), ...others];
      }
    } catch (error) {
      // It is not what it should be: the side that gets it shall find that out itself.
      if (!(error instanceof SystemCallError)) throw error;
    }
    return descriptors;
  }

  private openBackendChannel(theirs: Descriptor): Descriptor {
    theirs.setNonBlocking();
    const [ours, given] = this.system.socketPair();
    given.setBlocking();
    this.join("backend", this.system.asSocket(theirs), ours);
    return given;
  }

  private openTransfer(author: Side, end: Descriptor, isSource: boolean): Descriptor {
    const { given, pipe } = StatePipe.at(this.system, end, isSource, (bytes) => {
      if (!this.isOver) this.handler.record({ from: author, channel: "state", bytes, fds: 0 });
    });
    this.transfers = [...this.transfers.filter((one) => !one.pipe.isOver), { pipe, author }];
    return given;
  }

  /** The back-end has a pipe of its own, which takes the place of the one that it was passed. */
  private forgetTransfer(): Transfer | undefined {
    const transfer = this.transfers.pop();
    transfer?.pipe.close();
    return transfer;
  }

  private endOf(
    channel: Channel,
    from: Side,
    ends: Ends,
    error: Error | undefined,
    unfinished: Uint8Array,
  ): void {
    if (this.isOver) return;
    if (unfinished.length > 0) this.handler.record({ from, channel, bytes: unfinished, fds: 0 });
    const to = ends[OTHER[from]];
    // The other side gets all that was said, and then the end of it.
    (unfinished.length > 0 ? to.send(unfinished) : to.idle())
      .catch(() => {})
      .finally(() => {
        if (ends === this.main) this.end(error);
        else to.close();
      });
  }

  private end(error: Error | undefined): void {
    if (this.isOver) return;
    this.close();
    this.handler.ended(error);
  }
}

/** Who writes into the pipe of this VHOST_USER_SET_DEVICE_STATE_FD; undefined when the message does not say. */
function authorOf(message: Uint8Array): Side | undefined {
  const payload = message.subarray(VHOST_USER_HEADER_SIZE);
  if (payload.length !== VHOST_USER_TRANSFER_DEVICE_STATE_SIZE) return undefined;
  const { direction } = decodeVhostUserTransferDeviceState(payload, HOST_IS_LITTLE);
  return direction === VHOST_TRANSFER_STATE_DIRECTION_SAVE ? "be" : "fe";
}
