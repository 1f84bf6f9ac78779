import { describe, expect, it } from "vitest";
import {
  DESTINATION_STATUS,
  DestinationStatus,
  IncomingPostcopy,
  POSTCOPY,
  type PostcopyEvent,
  type PostcopyState,
  SOURCE_STATUS,
  SourceStatus,
  StateMachine,
  type StateTable,
} from "../../../src/streams/index.js";

/** In the order of QEMU's own enum, whose numbers stand in its error messages (migration/postcopy-ram.h). */
const STATES: readonly PostcopyState[] = ["NONE", "ADVISE", "DISCARD", "LISTENING", "RUNNING", "END"];

/** In which states each command is let through, as the checks in loadvm_postcopy_… of savevm.c have it. */
const ALLOWED: Readonly<Record<PostcopyEvent, readonly PostcopyState[]>> = {
  ADVISE: ["NONE"],
  DISCARD: ["ADVISE", "DISCARD"],
  LISTEN: ["ADVISE", "DISCARD"],
  RUN: ["LISTENING"],
  LOADED: ["RUNNING"],
};
const AFTER: Readonly<Record<PostcopyEvent, PostcopyState>> = {
  ADVISE: "ADVISE",
  DISCARD: "DISCARD",
  LISTEN: "LISTENING",
  RUN: "RUNNING",
  LOADED: "END",
};
const EVENTS = Object.keys(ALLOWED) as PostcopyEvent[];

/** The states of `query-migrate`, from qapi/migration.json. */
const STATUSES = [
  "none",
  "setup",
  "cancelling",
  "cancelled",
  "active",
  // QEMU 11.1.
  "postcopy-device",
  "postcopy-active",
  "postcopy-paused",
  "postcopy-recover-setup",
  "postcopy-recover",
  "completed",
  // QEMU 11.1.
  "failing",
  "failed",
  "colo",
  "pre-switchover",
  "device",
  "wait-unplug",
];

/** The states that can be reached, found by walking. */
function reachable({ initial, arcs }: StateTable<string, string>): Set<string> {
  const found = new Set([initial]);
  for (const state of found) for (const { from, to } of arcs) if (from === state) found.add(to);
  return found;
}

function statesOf({ arcs }: StateTable<string, string>): Set<string> {
  return new Set(arcs.flatMap(({ from, to }) => [from, to]));
}

function at(state: PostcopyState): StateMachine<PostcopyState, PostcopyEvent> {
  return new StateMachine({ ...POSTCOPY, initial: state });
}

describe("postcopy at the destination", () => {
  for (const state of STATES) {
    it(`lets through in ${state} what QEMU does, and refuses the rest`, () => {
      for (const event of EVENTS) {
        const machine = at(state);
        const isAllowed = ALLOWED[event].includes(state);
        expect(machine.take(event), event).toBe(isAllowed);
        expect(machine.state, event).toBe(isAllowed ? AFTER[event] : state);
        expect(machine.expected.includes(event) || !isAllowed || machine.state !== state).toBe(true);
      }
    });
  }

  it("goes from NONE to END", () => {
    const machine = new IncomingPostcopy();
    const seen = (["ADVISE", "DISCARD", "DISCARD", "LISTEN", "RUN", "LOADED"] as const).map((event) => {
      expect(machine.expected).toContain(event);
      machine.take(event);
      return machine.state;
    });
    expect(seen).toEqual(["ADVISE", "DISCARD", "DISCARD", "LISTENING", "RUNNING", "END"]);
    expect(machine.expected).toEqual([]);
  });

  it("reaches every state", () => {
    expect([...reachable(POSTCOPY)].sort()).toEqual([...STATES].sort());
  });
});

describe("the status of a migration", () => {
  const tables: readonly [string, StateTable<string, string>][] = [
    ["source", SOURCE_STATUS],
    ["destination", DESTINATION_STATUS],
  ];
  for (const [side, table] of tables) {
    it(`of the ${side}: each state can be reached, and one event leads to one state`, () => {
      expect(reachable(table)).toEqual(statesOf(table));
      for (const state of statesOf(table)) expect(STATUSES).toContain(state);
      const arcs = table.arcs.map(({ from, on }) => `${from} ${on}`);
      expect(new Set(arcs).size).toBe(arcs.length);
    });
  }

  it("of the source takes every value that QEMU has", () => {
    expect([...statesOf(SOURCE_STATUS)].sort()).toEqual([...STATUSES].sort());
  });

  it("ends only where the migration is over", () => {
    const final = (table: StateTable<string, string>): string[] =>
      [...statesOf(table)].filter((state) => !table.arcs.some(({ from }) => from === state)).sort();
    expect(final(SOURCE_STATUS)).toEqual(["cancelled", "completed", "failed"]);
    expect(final(DESTINATION_STATUS)).toEqual(["completed", "failed"]);
  });

  it("of a source: precopy, postcopy, and postcopy that loses its connection", () => {
    const through = (...events: Parameters<SourceStatus["take"]>[0][]): string => {
      const status = new SourceStatus();
      for (const event of events) expect(status.take(event), event).toBe(true);
      return status.state;
    };
    expect(through("start", "go", "switchover", "complete")).toBe("completed");
    expect(through("start", "go", "pause-before-switchover", "switchover", "complete")).toBe("completed");
    const postcopy = ["start", "go", "switchover", "postcopy"] as const;
    expect(through(...postcopy, "complete")).toBe("completed");
    const awaited = ["start", "go", "switchover", "await-package"] as const;
    expect(through(...awaited, "package-loaded", "complete")).toBe("completed");
    expect(through(...awaited, "give-up", "fail")).toBe("failed");
    const lost = [...postcopy, "connection-lost"] as const;
    expect(through(...lost, "recover", "connection-lost")).toBe("postcopy-paused");
    expect(through(...lost, "recover", "connected", "resume-ack", "complete")).toBe("completed");
  });

  it("cannot be cancelled once the guest runs on the other side", () => {
    const source = new SourceStatus();
    for (const event of ["start", "go", "switchover", "postcopy"] as const) source.take(event);
    expect(source.take("cancel")).toBe(false);
    expect(source.state).toBe("postcopy-active");
    const destination = new DestinationStatus();
    for (const event of ["listen", "connected", "postcopy", "connection-lost"] as const)
      destination.take(event);
    expect(destination.state).toBe("postcopy-paused");
  });
});
