/** Rules about the payload of a message: its size, and fields with few values. */
import { VhostIotlbMsgType, vhostIotlbMsgTypeName } from "../../../../generated/vhost/uapi.js";
import type { Fault } from "../../../runtime/index.js";
import type { Rule } from "./rule.js";

export const payloadRules: readonly Rule[] = [
  {
    id: "payload-size",
    says: "The payload has the layout that goes with the request, no more and no less.",
    section: "Payload; Front-end message types; Back-end message types",
    judge: ({ fault }) => (fault === undefined ? undefined : describe(fault)),
  },
  {
    id: "config-reply-size",
    says: "The payload of the reply to VHOST_USER_GET_CONFIG is as long as the request's, or empty for an error.",
    section: "Front-end message types, VHOST_USER_GET_CONFIG",
    judge: ({ body, header, answers }) => {
      if (body?.kind !== "frontend-reply" || body.body.case !== "vhostUserGetConfig") return undefined;
      if (answers === undefined || header.size === 0 || header.size === answers.header.size) return undefined;
      return `${header.size} bytes, the request has ${answers.header.size}`;
    },
  },
  {
    id: "vring-state-num",
    says: "Where num of a vring state is reserved, it is 0.",
    section:
      "VHOST_USER_GET_VRING_BASE; VHOST_USER_VRING_KICK; VHOST_USER_BACKEND_VRING_CALL; VHOST_USER_BACKEND_VRING_ERR",
    judge: ({ body }) => {
      if (body?.kind !== "frontend-request" && body?.kind !== "backend-request") return undefined;
      switch (body.body.case) {
        case "vhostUserGetVringBase":
        case "vhostUserVringKick":
        case "vhostUserBackendVringCall":
        case "vhostUserBackendVringErr":
          return body.body.value.num === 0 ? undefined : `num is ${body.body.value.num}`;
        default:
          return undefined;
      }
    },
  },
  {
    id: "vring-base-reserved",
    says: "Of a split virtqueue's index, the upper 16 bits are 0.",
    section: "A vring descriptor index for split virtqueues",
    judge: ({ body }) => {
      if (body?.kind !== "frontend-request" && body?.kind !== "frontend-reply") return undefined;
      if (body.body.case !== "vhostUserSetVringBase" && body.body.case !== "vhostUserGetVringBase") {
        return undefined;
      }
      const { value } = body.body;
      const reserved = "split" in value ? (value.split?.reserved ?? 0) : 0;
      return reserved === 0 ? undefined : `the upper bits are 0x${reserved.toString(16)}`;
    },
  },
  {
    id: "vring-endian-value",
    says: "VHOST_USER_SET_VRING_ENDIAN has 0 for little-endian or 1 for big-endian.",
    section: "Front-end message types, VHOST_USER_SET_VRING_ENDIAN",
    judge: ({ body }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetVringEndian") return undefined;
      const { num } = body.body.value;
      return num === 0 || num === 1 ? undefined : `num is ${num}`;
    },
  },
  {
    id: "iotlb-type",
    says: "The front-end sends IOTLB updates and invalidations, the back-end misses and access failures.",
    section: "IOMMU support",
    judge: ({ body }) => {
      if (body?.kind === "frontend-request" && body.body.case === "vhostUserIotlbMsg") {
        return oneOf(body.body.value.type, [
          VhostIotlbMsgType.VHOST_IOTLB_UPDATE,
          VhostIotlbMsgType.VHOST_IOTLB_INVALIDATE,
        ]);
      }
      if (body?.kind === "backend-request" && body.body.case === "vhostUserBackendIotlbMsg") {
        return oneOf(body.body.value.type, [
          VhostIotlbMsgType.VHOST_IOTLB_MISS,
          VhostIotlbMsgType.VHOST_IOTLB_ACCESS_FAIL,
        ]);
      }
      return undefined;
    },
  },
];

function oneOf(type: number, allowed: readonly number[]): string | undefined {
  if (allowed.includes(type)) return undefined;
  return `type ${vhostIotlbMsgTypeName(type) ?? type} from this side`;
}

function describe({ code, path, need, had, detail }: Fault): string {
  const size = need === undefined ? "" : `, needs ${need} bytes, has ${had}`;
  return `${code}: ${path || "payload"}${size}${detail === undefined ? "" : `, ${detail}`}`;
}
