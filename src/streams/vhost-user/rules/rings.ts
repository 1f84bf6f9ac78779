/** Rules about rings: what may change while they run, which there are, and what the device does while all are stopped. */
import type { VhostVringAddr } from "../../../../generated/vhost/uapi.js";
import type { VhostUserMessage } from "../message.js";
import type { Session } from "../session.js";
import type { Rule } from "./rule.js";

export const ringRules: readonly Rule[] = [
  {
    id: "ring-changed-while-running",
    says: "Size, base and addresses of a ring stay as they are while it runs; only its log flag and log address change.",
    section: "Ring states; Migration",
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request") return undefined;
      const request = body.body;
      switch (request.case) {
        case "vhostUserSetVringNum":
          return session.isRunning(request.value.index) ? `ring ${request.value.index} runs` : undefined;
        case "vhostUserSetVringBase": {
          const index = request.value.split?.index ?? request.value.packed?.index ?? 0;
          return session.isRunning(index) ? `ring ${index} runs` : undefined;
        }
        case "vhostUserSetVringAddr": {
          const { index } = request.value;
          if (!session.isRunning(index)) return undefined;
          const before = session.rings.get(index)?.addresses;
          return before === undefined || sameAddresses(before, request.value)
            ? undefined
            : `ring ${index} runs`;
        }
        default:
          return undefined;
      }
    },
  },
  {
    id: "ring-index",
    says: "The index of a ring is below the number of queues that the back-end has.",
    section: "Multiple queue support",
    judge: (message, session) => {
      const index = ringOf(message);
      const { queueCount } = session;
      if (index === undefined || queueCount === undefined) return undefined;
      const rings = ringsOf(queueCount, session);
      return BigInt(index) < rings ? undefined : `ring ${index}, the back-end has ${queueCount} queues`;
    },
  },
  {
    id: "ring-endian-late",
    says: "The byte order of a ring is set before it starts.",
    section: "Front-end message types, VHOST_USER_SET_VRING_ENDIAN",
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetVringEndian") return undefined;
      const { index } = body.body.value;
      return session.isRunning(index) ? `ring ${index} runs` : undefined;
    },
  },
  {
    id: "request-while-suspended",
    says: "While all rings are stopped the device sends no requests to the front-end.",
    section: "Suspended device state",
    judge: ({ channel, isReply }, session) =>
      channel === "backend" &&
      !isReply &&
      session.whole === true &&
      session.hasBackendChannel &&
      session.runningRings().length === 0
        ? "no ring runs"
        : undefined,
  },
];

/** The ring that a request of the front-end is about. */
function ringOf({ body }: VhostUserMessage): number | undefined {
  if (body?.kind !== "frontend-request") return undefined;
  const request = body.body;
  switch (request.case) {
    case "vhostUserSetVringNum":
    case "vhostUserSetVringAddr":
    case "vhostUserGetVringBase":
    case "vhostUserSetVringKick":
    case "vhostUserSetVringCall":
    case "vhostUserSetVringErr":
    case "vhostUserSetVringEnable":
    case "vhostUserSetVringEndian":
    case "vhostUserVringKick":
      return request.value.index;
    case "vhostUserSetVringBase":
      return request.value.split?.index ?? request.value.packed?.index;
    default:
      return undefined;
  }
}

/**
 * Network back-ends count queue pairs (DPDK) or queues (libvhost-user), and have a control queue besides: what the
 * number allows at most. They alone offer the features of RARP and MTU.
 */
function ringsOf(queueCount: bigint, session: Session): bigint {
  const isNet =
    session.offers("VHOST_USER_PROTOCOL_F_RARP") === true ||
    session.offers("VHOST_USER_PROTOCOL_F_MTU") === true;
  return isNet ? queueCount * 2n + 1n : queueCount;
}

function sameAddresses(a: VhostVringAddr, b: VhostVringAddr): boolean {
  return (
    a.descUserAddr === b.descUserAddr &&
    a.usedUserAddr === b.usedUserAddr &&
    a.availUserAddr === b.availUserAddr
  );
}
