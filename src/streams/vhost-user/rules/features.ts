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

/**
 * Requests for which it is enough that the back-end offers the feature: the document says "is present in GET_…". Of the
 * channel for the back-end's requests it says "if the back-end declares" the feature, which is no more either.
 */
const OFFER_WILL_DO: readonly string[] = [
  "VHOST_USER_GET_PROTOCOL_FEATURES",
  "VHOST_USER_SET_PROTOCOL_FEATURES",
  "VHOST_USER_GET_QUEUE_NUM",
  "VHOST_USER_SEND_RARP",
  "VHOST_USER_NET_SET_MTU",
  "VHOST_USER_SET_BACKEND_REQ_FD",
  "VHOST_USER_RESET_DEVICE",
];

/**
 * Flags of the tables that are not asked for here. Whether driver and front-end have agreed on an MTU shows nowhere: the
 * front-end may answer for it, and the back-end then neither offers nor sees the feature. And what a descriptor of the
 * back-end needs is asked when one comes, by a rule of its own.
 */
const NOT_OF_THE_REQUEST: readonly string[] = ["VIRTIO_NET_F_MTU", "VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD"];

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
  const judged = needs.filter((need) => !NOT_OF_THE_REQUEST.includes(need));
  if (judged.length === 0) return undefined;
  return {
    id: `${name.replace("VHOST_USER_", "").toLowerCase().replaceAll("_", "-")}-without-feature`,
    says: `${name} is sent only with ${judged.join(" and ")}.`,
    section: `${of === "frontend" ? "Front-end" : "Back-end"} message types, ${name}`,
    judge: (message, session) => {
      if (message.row?.name !== name || message.isReply || !usesFeature(message)) return undefined;
      const lacking = judged.filter((need) => lacks(name, need, session));
      if (lacking.length === 0) return undefined;
      return `${lacking.join(" and ")} ${lacking.length === 1 ? "is" : "are"} not negotiated`;
    },
  };
}

function lacks(name: string, need: string, session: Session): boolean {
  if (
    OFFER_WILL_DO.includes(name) ||
    need === "VHOST_USER_PROTOCOL_F_BACKEND_REQ" ||
    isEarlyEnable(name, session)
  ) {
    const isOffered = session.offers(need);
    if (isOffered === true) return false;
    if (isOffered === undefined && need === "VHOST_USER_F_PROTOCOL_FEATURES") return false;
    // The offer was not in sight: then what was set is all that is known.
  }
  return session.has(need) === false;
}

/**
 * QEMU enables the vrings of a network device before the guest's driver has chosen features, and so before any are set. Until
 * then all that can be agreed on is what is offered.
 */
function isEarlyEnable(name: string, session: Session): boolean {
  return name === "VHOST_USER_SET_VRING_ENABLE" && session.features === undefined;
}

/** VHOST_USER_SET_LOG_BASE without descriptor and with a u64 is from before its feature. */
function usesFeature({ body, fds }: VhostUserMessage): boolean {
  if (body?.kind !== "frontend-request") return true;
  const request: VhostUserFrontendRequestPayloadBody = body.body;
  if (request.case !== "vhostUserSetLogBase") return true;
  return request.value.base.case === "log" || (fds ?? 0) > 0;
}
