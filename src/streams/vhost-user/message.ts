/** What a vhost-user conversation is made of: pieces as they were recorded, and the messages that they add up to. */
import type {
  VhostUserBackendRequestPayloadBody,
  VhostUserBackendRequestReplyBody,
  VhostUserFrontendRequestPayloadBody,
  VhostUserFrontendRequestReplyBody,
  VhostUserHeader,
} from "../../../generated/vhost-user/messages.js";
import type { Fault, MessageRow } from "../../runtime/index.js";

/** The front-end or the back-end. */
export type Side = "fe" | "be";

/** Whose requests go over it: the first socket has those of the front-end, the second those of the back-end. */
export type Channel = "frontend" | "backend";

/**
 * What a piece came over. Besides the sockets there is the pipe that a VHOST_USER_SET_DEVICE_STATE_FD passes: its bytes
 * are no messages but the state of the back-end.
 */
export type PieceChannel = Channel | "state";

/** Bytes of one side, however a read or write happened to cut them. */
export interface Piece {
  readonly from: Side;
  readonly bytes: Uint8Array;
  /** File descriptors that came along; undefined where the recording does not tell. */
  readonly fds?: number | undefined;
  /** In seconds. */
  readonly time?: number | undefined;
  /** Undefined where the recording does not tell the two sockets apart: then the header of each message decides. */
  readonly channel?: PieceChannel | undefined;
  /** Whose connection it is, where a recording holds several. */
  readonly session?: string | undefined;
}

/** Whether a request gets a reply. */
export type Expectation =
  /** It has a reply of its own. */
  | "always"
  /** It is acknowledged, for that was negotiated and asked for. */
  | "asked"
  /** Both are seen in practice. */
  | "either"
  | "never";

/** A decoded payload, by the table that it belongs to. */
export type Body =
  | { readonly kind: "frontend-request"; readonly body: VhostUserFrontendRequestPayloadBody }
  | { readonly kind: "frontend-reply"; readonly body: VhostUserFrontendRequestReplyBody }
  | { readonly kind: "backend-request"; readonly body: VhostUserBackendRequestPayloadBody }
  | { readonly kind: "backend-reply"; readonly body: VhostUserBackendRequestReplyBody };

/** What payloads are decoded with. */
export interface Negotiated {
  readonly features: bigint;
  readonly protocolFeatures: bigint;
  readonly littleEndian: boolean;
}

export interface VhostUserMessage {
  /** Place in the conversation, over both directions and channels. */
  readonly index: number;
  /** Where its first byte stands among all bytes of the conversation, in the order in which they were recorded. */
  readonly at: number;
  readonly channel: Channel;
  readonly from: Side;
  readonly time: number | undefined;
  readonly fds: number | undefined;
  readonly header: VhostUserHeader;
  /** Header and payload. */
  readonly bytes: Uint8Array;
  /** A reply by its direction, whatever its flag says. */
  readonly isReply: boolean;
  /** Its row of the message table; undefined when there is no such request. */
  readonly row: MessageRow | undefined;
  /** Undefined when the payload does not fit, or there is no such request. */
  readonly body: Body | undefined;
  /** What is wrong with the payload. */
  readonly fault: Fault | undefined;
  readonly negotiated: Negotiated;
  /** Of a request. */
  readonly expects: Expectation;
  /** Of a reply: the request that it answers, when there is one that can have a reply. */
  readonly answers: VhostUserMessage | undefined;
}

/** What went through the pipe of one transfer of the back-end's state. */
export interface StateContents {
  /** Place among the transfers of the conversation. */
  readonly index: number;
  /** Who wrote: the back-end saves, the front-end loads. */
  readonly from: Side;
  /** Of its first piece. */
  readonly time: number | undefined;
  /** How many bytes there were. */
  readonly size: number;
  /** The bytes themselves; undefined when there were too many to keep them. */
  readonly bytes: Uint8Array | undefined;
}

export type ConversationEvent =
  | { readonly kind: "message"; readonly message: VhostUserMessage }
  /** A transfer of the back-end's state is over: the next message is about it, or the recording ends. */
  | { readonly kind: "state"; readonly contents: StateContents }
  /** A request should have had its reply by now. */
  | { readonly kind: "unanswered"; readonly message: VhostUserMessage }
  /** Bytes of one side that are no message: what follows of that side cannot be read. */
  | { readonly kind: "damage"; readonly from: Side; readonly at: number; readonly fault: Fault }
  /** The input ends while requests wait; nothing came after the first of them, so that nobody is to blame. */
  | { readonly kind: "waiting"; readonly message: VhostUserMessage };
