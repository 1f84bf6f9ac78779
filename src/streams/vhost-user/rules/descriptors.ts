/** Rules about the file descriptors that come with a message. */
import { VHOST_USER_BACKEND_MAX_FDS } from "../../../../generated/vhost-user/messages.js";
import { descriptorsOf } from "../contract.js";
import type { VhostUserMessage } from "../message.js";
import type { Session } from "../session.js";
import type { Rule } from "./rule.js";

export const descriptorRules: readonly Rule[] = [
  {
    id: "descriptors-missing",
    says: "The descriptors that a message passes come with it.",
    section: "Communication; Front-end message types; Back-end message types",
    judge: (message, session) => {
      const range = rangeOf(message, session);
      if (range === undefined || message.fds === undefined || message.fds >= range[0]) return undefined;
      return `${message.fds} descriptors, needs ${range[0]}`;
    },
  },
  {
    id: "descriptors-surplus",
    says: "No other descriptors come with a message.",
    section: "Communication; Front-end message types; Back-end message types",
    judge: (message, session) => {
      const range = rangeOf(message, session);
      if (range === undefined || message.fds === undefined || message.fds <= range[1]) return undefined;
      // More than the channel takes is a rule of its own.
      if (message.channel === "backend" && message.fds > VHOST_USER_BACKEND_MAX_FDS) return undefined;
      return `${message.fds} descriptors, takes ${range[1]}`;
    },
  },
  {
    id: "backend-descriptors-limit",
    says: "The back-end sends at most 8 descriptors with a message on its own channel.",
    section: "Back-end communication",
    judge: ({ channel, from, fds }) =>
      channel === "backend" && from === "be" && (fds ?? 0) > VHOST_USER_BACKEND_MAX_FDS
        ? `${fds} descriptors`
        : undefined,
  },
  {
    id: "backend-descriptors-without-feature",
    says: "The back-end sends descriptors on its own channel only with VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD.",
    section: "Back-end communication",
    judge: ({ channel, from, fds }, session) =>
      channel === "backend" &&
      from === "be" &&
      (fds ?? 0) > 0 &&
      session.has("VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD") === false
        ? "a descriptor, and the feature is not negotiated"
        : undefined,
  },
  {
    id: "device-state-error-with-descriptor",
    says: "The back-end does not both indicate an error and return a descriptor.",
    section: "Front-end message types, VHOST_USER_SET_DEVICE_STATE_FD",
    judge: ({ body, fds }) => {
      if (body?.kind !== "frontend-reply" || body.body.case !== "vhostUserSetDeviceStateFd") return undefined;
      const { error, nofd } = body.body.value;
      return error !== 0 && (nofd === 0 || (fds ?? 0) > 0) ? `error ${error} with a descriptor` : undefined;
    },
  },
];

function rangeOf(message: VhostUserMessage, session: Session): readonly [number, number] | undefined {
  const { body, row } = message;
  return descriptorsOf(body, row, session);
}
