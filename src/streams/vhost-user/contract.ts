/** What the message tables say of a request, and the few exceptions that stand with their rows as text. */
import {
  VhostUserFrontendRequest,
  vhostUserBackendRequestDescriptors,
  vhostUserBackendRequestTable,
  vhostUserFrontendRequestDescriptors,
  vhostUserFrontendRequestTable,
} from "../../../generated/vhost-user/messages.js";
import type { MessageRow } from "../../runtime/index.js";
import type { Body, Channel, Expectation } from "./message.js";
import type { Session } from "./session.js";

const rows: Readonly<Record<Channel, ReadonlyMap<number, MessageRow>>> = {
  frontend: byNumber(vhostUserFrontendRequestTable),
  backend: byNumber(vhostUserBackendRequestTable),
};

export function rowOf(channel: Channel, request: number): MessageRow | undefined {
  return rows[channel].get(request);
}

/** Whether a request must, may or must not be answered. `body` is its payload, where that could be read. */
export function expectationOf(
  channel: Channel,
  row: MessageRow | undefined,
  needReply: boolean,
  body: Body | undefined,
  session: Session,
): Expectation {
  if (row === undefined) return "either";
  if (row.replies) return "always";
  const asked = needReply && session.has("VHOST_USER_PROTOCOL_F_REPLY_ACK") !== false ? "asked" : "never";
  if (row.repliesWith.length > 0) {
    const negotiated = row.repliesWith.map((flag) => session.has(flag));
    if (negotiated.every((has) => has === true)) return "always";
    if (!negotiated.includes(false)) return asked === "asked" ? asked : "either";
  }
  if (channel === "backend") return asked;
  switch (row.number) {
    case VhostUserFrontendRequest.VHOST_USER_SET_MEM_TABLE:
    case VhostUserFrontendRequest.VHOST_USER_ADD_MEM_REG:
      if (session.postcopy === "listening") return isPostcopyAcknowledgement(body) ? asked : "always";
      // Postcopy may have begun out of sight.
      return asked === "never" && session.whole === false ? "either" : asked;
    case VhostUserFrontendRequest.VHOST_USER_POSTCOPY_LISTEN:
      // The document has no reply; libvhost-user always sends one, and QEMU always asks for it.
      return asked === "asked" ? asked : "either";
    default:
      return asked;
  }
}

/** The front-end's second SET_MEM_TABLE of postcopy, which names no region, or an ADD_MEM_REG that is only a number. */
function isPostcopyAcknowledgement(body: Body | undefined): boolean {
  if (body?.kind !== "frontend-request") return body === undefined;
  return body.body.case === "vhostUserSetMemTable" && (body.body.value.regions ?? []).length === 0;
}

/** How many descriptors come with a message, at least and at most. Undefined where that cannot be known. */
export function descriptorsOf(
  body: Body | undefined,
  row: MessageRow | undefined,
  session: Session,
): readonly [least: number, most: number] | undefined {
  if (body === undefined || row === undefined) return undefined;
  switch (body.kind) {
    case "frontend-request":
      if (body.body.case === "vhostUserSetLogBase" && body.body.value.base.case === "log") {
        // Without the feature, the message itself is at fault.
        return session.has("VHOST_USER_PROTOCOL_F_LOG_SHMFD") ? [1, 1] : undefined;
      }
      return vhostUserFrontendRequestDescriptors({ body: body.body });
    case "backend-request":
      return vhostUserBackendRequestDescriptors({ body: body.body });
    case "frontend-reply":
      return frontendReplyDescriptors(body, row);
    case "backend-reply":
      if (body.body.case === "vhostUserBackendSharedObjectLookup") {
        const found = body.body.value.value === 0n ? 1 : 0;
        return [found, found];
      }
      return row.replyFds ?? [0, 0];
  }
}

function frontendReplyDescriptors(
  { body }: Extract<Body, { kind: "frontend-reply" }>,
  row: MessageRow,
): readonly [least: number, most: number] {
  if (body.case === "vhostUserGetInflightFd") {
    const given = body.value.mmapSize === 0n ? 0 : 1;
    return [given, given];
  }
  if (body.case === "vhostUserSetDeviceStateFd") {
    // With an error as well, the error is what is wrong: see the rule for it.
    if (body.value.error !== 0) return [0, 1];
    const given = body.value.nofd === 0 ? 1 : 0;
    return [given, given];
  }
  return row.replyFds ?? [0, 0];
}

function byNumber(table: readonly MessageRow[]): ReadonlyMap<number, MessageRow> {
  return new Map(table.map((row) => [Number(row.number), row]));
}
