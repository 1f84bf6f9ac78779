/** Rules about the transfer of the back-end's state, and about postcopy. */
import type { Rule } from "./rule.js";

const STATE = "Migrating back-end state";

export const migrationRules: readonly Rule[] = [
  {
    id: "device-state-while-running",
    says: "VHOST_USER_SET_DEVICE_STATE_FD comes while all rings are stopped.",
    section: `${STATE}; Suspended device state`,
    judge: ({ body }, session) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetDeviceStateFd")
        return undefined;
      const running = session.runningRings();
      return running.length === 0 ? undefined : `ring ${running.join(", ")} runs`;
    },
  },
  {
    id: "device-state-parameters",
    says: "The direction of a transfer is 0 or 1, and its phase 0.",
    section: "Device state transfer parameters",
    judge: ({ body }) => {
      if (body?.kind !== "frontend-request" || body.body.case !== "vhostUserSetDeviceStateFd")
        return undefined;
      const { direction, phase } = body.body.value;
      return direction <= 1 && phase === 0 ? undefined : `direction ${direction}, phase ${phase}`;
    },
  },
  {
    id: "device-state-unchecked",
    says: "A transfer is checked with VHOST_USER_CHECK_DEVICE_STATE before the next one begins.",
    section: STATE,
    judge: ({ body }, session) =>
      body?.kind === "frontend-request" &&
      body.body.case === "vhostUserSetDeviceStateFd" &&
      session.transferring
        ? "the transfer before it has not been checked"
        : undefined,
  },
  {
    id: "device-state-nothing-to-check",
    says: "VHOST_USER_CHECK_DEVICE_STATE comes after a transfer.",
    section: STATE,
    judge: ({ body }, session) =>
      body?.kind === "frontend-request" &&
      body.body.case === "vhostUserCheckDeviceState" &&
      session.whole === true &&
      !session.transferring
        ? "no transfer has begun before it"
        : undefined,
  },
  {
    id: "ring-started-during-transfer",
    says: "The device stays suspended while its state is transferred.",
    section: STATE,
    judge: ({ body }, session) =>
      body?.kind === "frontend-request" &&
      (body.body.case === "vhostUserSetVringKick" || body.body.case === "vhostUserVringKick") &&
      session.transferring
        ? `ring ${body.body.value.index} is started before VHOST_USER_CHECK_DEVICE_STATE`
        : undefined,
  },
  {
    id: "postcopy-listen-without-advise",
    says: "VHOST_USER_POSTCOPY_LISTEN comes after VHOST_USER_POSTCOPY_ADVISE.",
    section: "Front-end message types, VHOST_USER_POSTCOPY_LISTEN",
    judge: ({ body }, session) =>
      body?.kind === "frontend-request" &&
      body.body.case === "vhostUserPostcopyListen" &&
      session.whole === true &&
      session.postcopy === "none"
        ? "no VHOST_USER_POSTCOPY_ADVISE has come before"
        : undefined,
  },
  {
    id: "postcopy-end-without-listen",
    says: "VHOST_USER_POSTCOPY_END comes after VHOST_USER_POSTCOPY_LISTEN.",
    section: "Front-end message types, VHOST_USER_POSTCOPY_END",
    judge: ({ body }, session) =>
      body?.kind === "frontend-request" &&
      body.body.case === "vhostUserPostcopyEnd" &&
      session.whole === true &&
      session.postcopy !== "listening"
        ? "no VHOST_USER_POSTCOPY_LISTEN has come before"
        : undefined,
  },
];
