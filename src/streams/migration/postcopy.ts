/**
 * Postcopy as the destination lives through it. The order of the commands is all there is to it: a command in the wrong
 * state is what QEMU reports as `CMD_POSTCOPY_… in wrong postcopy state`.
 * QEMU 10.0.2, migration/postcopy-ram.h and savevm.c.
 */
import { QemuVmCmd } from "../../../generated/qemu/stream.js";
import { StateMachine, type StateTable } from "./state-machine.js";

export type PostcopyState = "NONE" | "ADVISE" | "DISCARD" | "LISTENING" | "RUNNING" | "END";

/** The commands, and `LOADED`: the stream has been read up to EOF, every page is there. */
export type PostcopyEvent = "ADVISE" | "DISCARD" | "LISTEN" | "RUN" | "LOADED";

export const POSTCOPY: StateTable<PostcopyState, PostcopyEvent> = {
  initial: "NONE",
  arcs: [
    // Only announces that there may be postcopy: a migration that converges before ends here.
    { from: "NONE", on: "ADVISE", to: "ADVISE" },
    { from: "ADVISE", on: "DISCARD", to: "DISCARD" },
    { from: "DISCARD", on: "DISCARD", to: "DISCARD" },
    // Nothing had to be discarded.
    { from: "ADVISE", on: "LISTEN", to: "LISTENING" },
    { from: "DISCARD", on: "LISTEN", to: "LISTENING" },
    { from: "LISTENING", on: "RUN", to: "RUNNING" },
    { from: "RUNNING", on: "LOADED", to: "END" },
  ],
};

export class IncomingPostcopy extends StateMachine<PostcopyState, PostcopyEvent> {
  constructor() {
    super(POSTCOPY);
  }
}

/** What a command is to the states of postcopy. Undefined: nothing. */
export function postcopyEvent(command: number): PostcopyEvent | undefined {
  switch (command) {
    case QemuVmCmd.MIG_CMD_POSTCOPY_ADVISE:
      return "ADVISE";
    case QemuVmCmd.MIG_CMD_POSTCOPY_RAM_DISCARD:
      return "DISCARD";
    case QemuVmCmd.MIG_CMD_POSTCOPY_LISTEN:
      return "LISTEN";
    case QemuVmCmd.MIG_CMD_POSTCOPY_RUN:
      return "RUN";
    default:
      return undefined;
  }
}
