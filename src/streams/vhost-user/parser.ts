/**
 * Follows a vhost-user conversation: puts messages together, decodes them with what has been negotiated, and matches
 * replies to requests, on both channels.
 */
import {
  VHOST_USER_HEADER_SIZE,
  VHOST_USER_U64_SIZE,
  VhostUserFrontendRequest,
} from "../../../generated/vhost-user/messages.js";
import type { Fault, MessageRow } from "../../runtime/index.js";
import { streamFault } from "../faults.js";
import { expectationOf, rowOf } from "./contract.js";
import { decodePayload } from "./decode.js";
import { type Frame, Framing } from "./framing.js";
import type { Channel, ConversationEvent, Negotiated, Piece, Side, VhostUserMessage } from "./message.js";
import { orderOfHeader } from "./order.js";
import { Session } from "./session.js";
import { StateTransfers } from "./state.js";

export interface ConversationOptions {
  /** Byte order of the machine that it was recorded on. Told by the first header when left out. */
  readonly littleEndian?: boolean | undefined;
  /** Shared by the parsers of sessions whose messages are numbered together. */
  readonly numbering?: Numbering;
}

/** What has been counted so far: the messages and bytes of one recording. */
export class Numbering {
  messages = 0;
  bytes = 0;
}

/** `session` is as it was before the event. */
export type ConversationHandler = (event: ConversationEvent, session: Session) => void;

/** Requests that are remembered until they are answered, or passed by. Those without a reply count as well. */
const MAX_OUTSTANDING = 1024;

export class ConversationParser {
  readonly session: Session = new Session();
  private readonly handler: ConversationHandler;
  private readonly framings = new Map<string, { readonly from: Side; readonly framing: Framing }>();
  private readonly outstanding: Readonly<Record<Channel, VhostUserMessage[]>> = { frontend: [], backend: [] };
  private readonly seen: Record<Side, boolean> = { fe: false, be: false };
  private readonly states = new StateTransfers();
  private littleEndian: boolean | undefined;
  private readonly numbering: Numbering;

  constructor(handler: ConversationHandler, options: ConversationOptions = {}) {
    this.handler = handler;
    this.littleEndian = options.littleEndian;
    this.numbering = options.numbering ?? new Numbering();
  }

  push(piece: Piece): void {
    if (piece.bytes.length === 0) return;
    if (piece.channel === "state") {
      this.states.push(piece);
      return;
    }
    const at = this.numbering.bytes;
    this.numbering.bytes += piece.bytes.length;
    const framing = this.framingOf(piece.from, piece.channel);
    const wasSound = framing.fault === undefined;
    framing.push(piece, at, this.orderOf);
    if (wasSound && framing.fault !== undefined) this.damage(piece.from, framing.fault);
  }

  /** The recording is over. */
  end(): void {
    for (const { from, framing } of this.framings.values()) {
      if (framing.held === 0 || framing.fault !== undefined) continue;
      const detail = `the recording ends ${framing.held} bytes into a message`;
      this.damage(from, streamFault(SCHEMA, "truncated", "message", framing.heldAt, detail));
    }
    this.endState();
    // With one side alone, no request can be seen to be answered.
    if (!this.seen.fe || !this.seen.be) return;
    for (const channel of ["frontend", "backend"] as const) {
      const requests = this.outstanding[channel];
      requests.forEach((message, place) => {
        if (!mustBeAnswered(message)) return;
        const kind = place === requests.length - 1 ? "waiting" : "unanswered";
        this.handler({ kind, message }, this.session);
      });
    }
  }

  /** The first header decides for all. */
  private readonly orderOf = (header: Uint8Array): boolean => {
    this.littleEndian ??= orderOfHeader(header) ?? true;
    return this.littleEndian;
  };

  private framingOf(from: Side, channel: Channel | undefined): Framing {
    const key = `${channel ?? ""} ${from}`;
    const known = this.framings.get(key);
    if (known !== undefined) return known.framing;
    const made = { from, framing: new Framing((frame) => this.take(frame, from, channel)) };
    this.framings.set(key, made);
    return made.framing;
  }

  private damage(from: Side, fault: Fault): void {
    this.handler({ kind: "damage", from, at: fault.offset, fault }, this.session);
  }

  private endState(): void {
    const contents = this.states.take();
    if (contents !== undefined) this.handler({ kind: "state", contents }, this.session);
  }

  private take(frame: Frame, from: Side, told: Channel | undefined): void {
    this.seen[from] = true;
    const { header } = frame;
    const channel = told ?? this.channelOf(from, header.reply !== 0, header.request);
    const isReply = (channel === "frontend") === (from === "be");
    if (channel === "frontend" && !isReply && ENDS_STATE.includes(header.request)) this.endState();
    const row = rowOf(channel, header.request);
    const negotiated = this.negotiated();
    const payload = frame.bytes.subarray(VHOST_USER_HEADER_SIZE);
    const decoded =
      row === undefined ||
      (channel === "frontend" && isReadyForFaults(row, isReply, payload.length, this.session))
        ? { body: undefined, fault: undefined }
        : decodePayload(
            payload,
            frame.at + VHOST_USER_HEADER_SIZE,
            channel,
            isReply,
            header.request,
            negotiated,
          );
    const request = isReply ? this.answered(channel, header.request) : undefined;
    const message: VhostUserMessage = {
      index: this.numbering.messages++,
      at: frame.at,
      channel,
      from,
      time: frame.time,
      fds: frame.fds,
      header,
      bytes: frame.bytes,
      isReply,
      row,
      ...decoded,
      negotiated,
      expects: isReply
        ? "never"
        : expectationOf(channel, row, header.needReply !== 0, decoded.body, this.session),
      answers: request,
    };
    this.handler({ kind: "message", message }, this.session);
    this.session.take(message);
    if (!isReply) this.remember(message);
  }

  /** The oldest request that a reply can belong to. Those before it have been passed by. */
  private answered(channel: Channel, request: number): VhostUserMessage | undefined {
    const requests = this.outstanding[channel];
    // A request that asked for a reply has a better claim than one before it that did not.
    const asking = requests.findIndex((one) => one.header.request === request && one.expects !== "never");
    const place = asking < 0 ? requests.findIndex((one) => one.header.request === request) : asking;
    if (place < 0) return undefined;
    for (const passed of requests.splice(0, place)) this.passBy(passed);
    return requests.shift();
  }

  private remember(message: VhostUserMessage): void {
    const requests = this.outstanding[message.channel];
    requests.push(message);
    if (requests.length <= MAX_OUTSTANDING) return;
    const [oldest] = requests.splice(0, 1);
    if (oldest !== undefined) this.passBy(oldest);
  }

  private passBy(message: VhostUserMessage): void {
    // Of a side that is not in the recording nothing is missing.
    if (mustBeAnswered(message) && this.seen.fe && this.seen.be) {
      this.handler({ kind: "unanswered", message }, this.session);
    }
  }

  /** Which channel a message is on, where the recording does not tell: requests go one way on each. */
  private channelOf(from: Side, reply: boolean, request: number): Channel {
    if (from === "fe") {
      const requests = this.outstanding.backend;
      return reply && requests.some((one) => one.header.request === request) ? "backend" : "frontend";
    }
    if (reply) return "frontend";
    // A reply whose flag was forgotten looks like a request of the back-end: it is one where that has no channel.
    const mayAsk = this.session.hasBackendChannel || this.session.whole !== true;
    return mayAsk && rowOf("backend", request) !== undefined ? "backend" : "frontend";
  }

  private negotiated(): Negotiated {
    return {
      features: this.session.features ?? 0n,
      protocolFeatures: this.session.protocolFeatures ?? 0n,
      littleEndian: this.littleEndian ?? true,
    };
  }
}

const SCHEMA = "vhost-user/messages.wire";

/** Requests that come when a transfer of the back-end's state is over. */
const ENDS_STATE: readonly number[] = [
  VhostUserFrontendRequest.VHOST_USER_CHECK_DEVICE_STATE,
  VhostUserFrontendRequest.VHOST_USER_SET_DEVICE_STATE_FD,
];

function mustBeAnswered(message: VhostUserMessage): boolean {
  return message.expects === "always" || message.expects === "asked";
}

/** In postcopy the front-end says with an ADD_MEM_REG of one number that it is ready for page faults. */
function isReadyForFaults(
  row: MessageRow | undefined,
  isReply: boolean,
  size: number,
  session: Session,
): boolean {
  return (
    session.postcopy === "listening" &&
    !isReply &&
    row?.name === "VHOST_USER_ADD_MEM_REG" &&
    size === VHOST_USER_U64_SIZE
  );
}
