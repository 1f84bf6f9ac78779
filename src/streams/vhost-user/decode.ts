/** Decodes the payload of a message by the table that it belongs to. */
import {
  decodeVhostUserBackendRequestPayload,
  decodeVhostUserBackendRequestReply,
  decodeVhostUserFrontendRequestPayload,
  decodeVhostUserFrontendRequestReply,
} from "../../../generated/vhost-user/messages.js";
import { type Fault, WireError } from "../../runtime/index.js";
import type { Body, Channel, Negotiated } from "./message.js";

export interface Decoded {
  readonly body: Body | undefined;
  readonly fault: Fault | undefined;
}

/** `at`: where the payload stands in the conversation. */
export function decodePayload(
  bytes: Uint8Array,
  at: number,
  channel: Channel,
  isReply: boolean,
  id: number,
  negotiated: Negotiated,
): Decoded {
  try {
    return { body: bodyOf(bytes, channel, isReply, id, negotiated), fault: undefined };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const { path, offset, need, had, detail, schema } = error;
    // All of the payload is there: it is its length that ends too early, not the input.
    const code = error.code === "truncated" ? "overrun" : error.code;
    return { body: undefined, fault: { code, path, offset: at + offset, need, had, detail, schema } };
  }
}

function bodyOf(
  bytes: Uint8Array,
  channel: Channel,
  isReply: boolean,
  id: number,
  { features, protocolFeatures, littleEndian }: Negotiated,
): Body {
  if (channel === "backend") {
    return isReply
      ? { kind: "backend-reply", body: decodeVhostUserBackendRequestReply(bytes, id, littleEndian).body }
      : { kind: "backend-request", body: decodeVhostUserBackendRequestPayload(bytes, id, littleEndian).body };
  }
  if (isReply) {
    const reply = decodeVhostUserFrontendRequestReply(bytes, id, features, protocolFeatures, littleEndian);
    return { kind: "frontend-reply", body: reply.body };
  }
  const request = decodeVhostUserFrontendRequestPayload(bytes, id, features, protocolFeatures, littleEndian);
  return { kind: "frontend-request", body: request.body };
}
