/**
 * What `query-migrate` and the event MIGRATION report, on either side.
 * QEMU 10.0.2, qapi/migration.json; the arcs are the calls of migrate_set_state in migration/. `postcopy-device` and
 * `failing` came later, and are seen in 11.1: older ones go past them.
 */
import { StateMachine, type StateTable } from "./state-machine.js";

export type MigrationStatus =
  | "none"
  | "setup"
  | "cancelling"
  | "cancelled"
  | "active"
  | "postcopy-device"
  | "postcopy-active"
  | "postcopy-paused"
  | "postcopy-recover-setup"
  | "postcopy-recover"
  | "completed"
  | "failing"
  | "failed"
  | "colo"
  | "pre-switchover"
  | "device"
  | "wait-unplug";

export type SourceEvent =
  | "start"
  | "unplug"
  | "go"
  | "pause-before-switchover"
  | "switchover"
  | "postcopy"
  | "await-package"
  | "package-loaded"
  | "colo"
  | "complete"
  | "give-up"
  | "fail"
  | "connection-lost"
  | "recover"
  | "connected"
  | "resume-ack"
  | "cancel"
  | "cancelled";

/** The source, one migration long: QEMU goes back to `none` before the next one. */
export const SOURCE_STATUS: StateTable<MigrationStatus, SourceEvent> = {
  initial: "none",
  arcs: [
    { from: "none", on: "start", to: "setup" },
    // A network card that stands in for an assigned one: the guest must let go of the assigned one first.
    { from: "setup", on: "unplug", to: "wait-unplug" },
    { from: "wait-unplug", on: "go", to: "active" },
    { from: "setup", on: "go", to: "active" },
    { from: "active", on: "pause-before-switchover", to: "pre-switchover" },
    { from: "active", on: "switchover", to: "device" },
    { from: "pre-switchover", on: "switchover", to: "device" },
    { from: "device", on: "postcopy", to: "postcopy-active" },
    // With a return path: until the destination has loaded the devices, and says so, a failure is still nobody's loss.
    { from: "device", on: "await-package", to: "postcopy-device" },
    { from: "postcopy-device", on: "package-loaded", to: "postcopy-active" },
    { from: "device", on: "complete", to: "completed" },
    { from: "active", on: "colo", to: "colo" },
    { from: "colo", on: "complete", to: "completed" },
    { from: "postcopy-active", on: "complete", to: "completed" },
    // From here on the guest lives on both sides: there is nothing to go back to, so a lost connection only pauses.
    { from: "postcopy-active", on: "connection-lost", to: "postcopy-paused" },
    { from: "postcopy-paused", on: "recover", to: "postcopy-recover-setup" },
    { from: "postcopy-recover-setup", on: "connected", to: "postcopy-recover" },
    { from: "postcopy-recover-setup", on: "connection-lost", to: "postcopy-paused" },
    { from: "postcopy-recover", on: "resume-ack", to: "postcopy-active" },
    { from: "postcopy-recover", on: "connection-lost", to: "postcopy-paused" },
    { from: "setup", on: "fail", to: "failed" },
    { from: "active", on: "fail", to: "failed" },
    { from: "pre-switchover", on: "fail", to: "failed" },
    { from: "device", on: "fail", to: "failed" },
    { from: "postcopy-device", on: "fail", to: "failed" },
    { from: "postcopy-active", on: "fail", to: "failed" },
    // `failing` lasts until everything has been cleaned up.
    { from: "setup", on: "give-up", to: "failing" },
    { from: "active", on: "give-up", to: "failing" },
    { from: "pre-switchover", on: "give-up", to: "failing" },
    { from: "device", on: "give-up", to: "failing" },
    { from: "postcopy-device", on: "give-up", to: "failing" },
    { from: "postcopy-active", on: "give-up", to: "failing" },
    { from: "failing", on: "fail", to: "failed" },
    { from: "setup", on: "cancel", to: "cancelling" },
    { from: "wait-unplug", on: "cancel", to: "cancelling" },
    { from: "active", on: "cancel", to: "cancelling" },
    { from: "pre-switchover", on: "cancel", to: "cancelling" },
    { from: "device", on: "cancel", to: "cancelling" },
    { from: "cancelling", on: "cancelled", to: "cancelled" },
  ],
};

export type DestinationEvent =
  | "listen"
  | "connected"
  | "postcopy"
  | "colo"
  | "complete"
  | "fail"
  | "connection-lost"
  | "recover"
  | "resume";

export const DESTINATION_STATUS: StateTable<MigrationStatus, DestinationEvent> = {
  initial: "none",
  arcs: [
    { from: "none", on: "listen", to: "setup" },
    { from: "setup", on: "connected", to: "active" },
    { from: "setup", on: "fail", to: "failed" },
    // At the command LISTEN, before the states of the devices.
    { from: "active", on: "postcopy", to: "postcopy-active" },
    { from: "active", on: "colo", to: "colo" },
    { from: "colo", on: "complete", to: "completed" },
    { from: "active", on: "complete", to: "completed" },
    { from: "active", on: "fail", to: "failed" },
    { from: "postcopy-active", on: "complete", to: "completed" },
    { from: "postcopy-active", on: "connection-lost", to: "postcopy-paused" },
    { from: "postcopy-active", on: "fail", to: "failed" },
    { from: "postcopy-paused", on: "recover", to: "postcopy-recover" },
    { from: "postcopy-recover", on: "resume", to: "postcopy-active" },
    { from: "postcopy-recover", on: "connection-lost", to: "postcopy-paused" },
  ],
};

export class SourceStatus extends StateMachine<MigrationStatus, SourceEvent> {
  constructor() {
    super(SOURCE_STATUS);
  }
}

export class DestinationStatus extends StateMachine<MigrationStatus, DestinationEvent> {
  constructor() {
    super(DESTINATION_STATUS);
  }
}
