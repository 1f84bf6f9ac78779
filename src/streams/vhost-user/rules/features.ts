/** Rules about features: which are agreed on, and which requests need one. */
import {
  type VhostUserFrontendRequestPayloadBody,
  vhostUserBackendRequestTable,
  vhostUserFrontendRequestTable,
  vhostUserProtocolFeatureNames,
} from "../../../../generated/vhost-user/messages.js";
import { virtioFeatureNames } from "../../../../generated/virtio/features.js";
import type { MessageRow } from "../../../runtime/index.js";
import type { Channel, VhostUserMessage } from "../message.js";
import type { Session } from "../session.js";
import type { Rule } from "./rule.js";

/** Requests for which it is enough that the back-end offers the feature: the document says "is present in GET_…". */
const OFFER_WILL_DO: readonly string[] = [
  "VHOST_USER_GET_PROTOCOL_FEATURES",
  "VHOST_USER_SET_PROTOCOL_FEATURES",
  "VHOST_USER_GET_QUEUE_NUM",
  "VHOST_USER_SEND_RARP",
  "VHOST_USER_NET_SET_MTU",
  "VHOST_USER_SET_BACKEND_REQ_FD",
  "VHOST_USER_RESET_DEVICE",
];

/** One rule for each request that needs a feature, made from the message tables. */
const requestRules: readonly Rule[] = [
  ...vhostUserFrontendRequestTable.map((row) => requestRule("frontend", row)),
  ...vhostUserBackendRequestTable.map((row) => requestRule("backend", row)),
].filter((rule) => rule !== undefined);

export const featureRules: readonly Rule[] = [
  {
    id: "features-not-offered",
    says: "The front-end enables only features that the back-end has.",
    section: "Communication; VHOST_USER_SET_FEATURES",
    judge: ({ body }, { offeredFeatures }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetFeatures") return undefined;
      const surplus = body.body.value.features & ~(offeredFeatures ?? body.body.value.features);
      return surplus === 0n ? undefined : `not offered: ${virtioFeatureNames(surplus).join(", ")}`;
    },
  },
  {
    id: "protocol-features-not-offered",
    says: "The front-end enables only protocol features that the back-end has.",
    section: "Communication; VHOST_USER_SET_PROTOCOL_FEATURES",
    judge: ({ body }, { offeredProtocolFeatures }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetProtocolFeatures") {
        return undefined;
      }
      const asked = body.body.value.protocolFeatures;
      const surplus = asked & ~(offeredProtocolFeatures ?? asked);
      return surplus === 0n ? undefined : `not offered: ${vhostUserProtocolFeatureNames(surplus).join(", ")}`;
    },
  },
  {
    id: "inband-notifications-alone",
    says: "INBAND_NOTIFICATIONS is negotiated only together with BACKEND_REQ and REPLY_ACK.",
    section: "In-band notifications",
    judge: ({ body }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetProtocolFeatures") {
        return undefined;
      }
      const names = vhostUserProtocolFeatureNames(body.body.value.protocolFeatures);
      if (!names.includes("VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS")) return undefined;
      const lacking = ["VHOST_USER_PROTOCOL_F_BACKEND_REQ", "VHOST_USER_PROTOCOL_F_REPLY_ACK"].filter(
        (name) => !names.includes(name),
      );
      return lacking.length === 0 ? undefined : `without ${lacking.join(" and ")}`;
    },
  },
  {
    id: "backend-channel-not-open",
    says: "The back-end sends requests only after the front-end has given it a socket for them.",
    section: "Back-end communication",
    judge: ({ channel, isReply }, session) =>
      channel === "backend" && !isReply && session.whole === true && !session.hasBackendChannel
        ? "no VHOST_USER_SET_BACKEND_REQ_FD has come before"
        : undefined,
  },
  ...requestRules,
];

function requestRule(of: Channel, { name, needs }: MessageRow): Rule | undefined {
  if (needs === undefined) return undefined;
  return {
    id: `${name.replace("VHOST_USER_", "").toLowerCase().replaceAll("_", "-")}-without-feature`,
    says: `${name} is sent only with ${needs}.`,
    section: `${of === "frontend" ? "Front-end" : "Back-end"} message types, ${name}`,
    judge: (message, session) => {
      if (message.row?.name !== name || message.isReply || !usesFeature(message)) return undefined;
      if (OFFER_WILL_DO.includes(name) && session.offers(needs) !== false) return unseen(needs, session);
      return session.has(needs) === false ? `${needs} is not negotiated` : undefined;
    },
  };
}

/** The offer was not in sight: then what was set is all that is known. */
function unseen(needs: string, session: Session): string | undefined {
  if (session.offers(needs) === true || needs === "VHOST_USER_F_PROTOCOL_FEATURES") return undefined;
  return session.has(needs) === false ? `${needs} is not negotiated` : undefined;
}

/** VHOST_USER_SET_LOG_BASE without descriptor and with a u64 is from before its feature. */
function usesFeature({ body, fds }: VhostUserMessage): boolean {
  if (body?.kind !== "frontend-request") return true;
  const request: VhostUserFrontendRequestPayloadBody = body.body;
  if (request.case !== "vhostUserSetLogBase") return true;
  return request.value.base.case === "log" || (fds ?? 0) > 0;
}
