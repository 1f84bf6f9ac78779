/**
 * A migration that is given up at any point, by either side or by the connection, leaves no trace: both hosts are used
 * for one attempt after the other. Behind the hand-over nobody gives up any more, and never do both sides run the guest.
 */
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { MigrationChannel } from "../../../src/device/migration/channel.js";
import { receiveGuest } from "../../../src/device/migration/destination.js";
import { ObservedLog } from "../../../src/device/migration/dirty-log.js";
import { MigrationError } from "../../../src/device/migration/migration-error.js";
import { withFewPages } from "../../../src/device/migration/progress.js";
import { sendGuest } from "../../../src/device/migration/source.js";
import { GUEST_SIZE, guestOn, type Host, host } from "../owner/bench.js";
import { channelPair } from "./channels.js";
import { ways } from "./hosts.js";

/** A fake clock: what is estimated must not hang on the machine that the test runs on. */
function clock(): () => number {
  let now = 0;
  return () => now++;
}

type Outcome = "moved" | MigrationError;

describe.each(Object.entries(ways))("with %s", (_, way) => {
  let from: Host;
  let to: Host;
  let before: ReturnType<typeof trace>;
  /** What runs the guest: either's processors, or none while it is stopped. */
  let runs: readonly string[];

  const trace = () => ({
    devices: [from.member.save(), to.member.save()],
    modes: [from.member.mode, to.member.mode],
    memory: [from, to].map(({ memory }) =>
      createHash("sha256").update(memory.read(0, GUEST_SIZE)).digest("hex"),
    ),
  });

  beforeEach(() => {
    const disk = new Uint8Array(64 * 512);
    from = host(way.profile(), { disk, deferred: true });
    to = host(way.profile(), { disk, deferred: true });
    for (const one of [from, to]) way.prepare(one);
    const guest = guestOn(from);
    guest.writeSectors(3, new Uint8Array(512).fill(7));
    guest.readSectors(3, 1);
    // A device of virtio 1.4 ends what it has taken when it is stopped: that is no trace, but it would look like one.
    if (way.keepsRequests) from.member.run(undefined, 1);
    before = trace();
  });

  async function attempt(
    channels: readonly [MigrationChannel, MigrationChannel],
    signals: { readonly source?: AbortSignal; readonly destination?: AbortSignal } = {},
  ): Promise<[Outcome, Outcome]> {
    runs = ["source"];
    const outcome = async (side: Promise<unknown>): Promise<Outcome> => {
      try {
        await side;
        return "moved";
      } catch (error) {
        if (error instanceof MigrationError) return error;
        throw error;
      }
    };
    return await Promise.all([
      outcome(
        sendGuest({
          channel: channels[0],
          memory: from.memory,
          members: [way.source(from)],
          processors: {
            writes: new ObservedLog(from.memory),
            stop: () => {
              runs = runs.filter((side) => side !== "source");
            },
            resume: () => {
              runs = [...runs, "source"];
            },
          },
          switchover: withFewPages(0),
          clock: clock(),
          ...(signals.source === undefined ? {} : { signal: signals.source }),
        }),
      ),
      outcome(
        receiveGuest({
          channel: channels[1],
          memory: to.memory,
          members: [way.destination(to)],
          processors: {
            resume: () => {
              runs = [...runs, "destination"];
            },
          },
          ...(signals.destination === undefined ? {} : { signal: signals.destination }),
        }),
      ),
    ]);
  }

  /** Tries with something that goes wrong at write number 0, 1, 2 … of a side, until it comes too late to matter. */
  async function sweep(
    run: (write: number) => Promise<[Outcome, Outcome]>,
    expected: (outcomes: [Outcome, Outcome]) => void,
  ): Promise<void> {
    for (let write = 0; ; write++) {
      const outcomes = await run(write);
      if (runs.includes("destination")) {
        expect(runs).toEqual(["destination"]);
        expect(write).toBeGreaterThan(2);
        return;
      }
      expected(outcomes);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ leftovers: [] });
      const undecided = codes(outcomes)[0] === "undecided";
      expect(runs).toEqual(undecided ? [] : ["source"]);
      if (undecided) return;
      expect(trace()).toEqual(before);
    }
  }

  it.each([
    ["source", "there"],
    ["source", "back"],
    ["destination", "there"],
    ["destination", "back"],
  ] as const)("the %s gives up, while something goes %s", async (side, direction) => {
    await sweep(
      async (at) => {
        const controller = new AbortController();
        const line = {
          onWrite: (write: number) => {
            if (write === at) controller.abort();
          },
        };
        const pair = direction === "there" ? channelPair(line) : channelPair({}, line);
        return await attempt(pair, { [side]: controller.signal });
      },
      (outcomes) => {
        expect(codes(outcomes)).toEqual(side === "source" ? ["aborted", "peer"] : ["peer", "aborted"]);
      },
    );
  });

  it.each(["there", "back"] as const)("the connection breaks on the way %s", async (way) => {
    await sweep(
      async (at) => {
        const line = {
          onWrite: (write: number) => {
            if (write === at) throw new Error("the cable is out");
          },
        };
        return await attempt(way === "there" ? channelPair(line) : channelPair({}, line));
      },
      (outcomes) => {
        for (const code of codes(outcomes)) expect(["disconnected", "undecided", "peer"]).toContain(code);
      },
    );
  });

  it("before it has begun", async () => {
    expect(codes(await attempt(channelPair(), { source: AbortSignal.abort() }))).toEqual(["aborted", "peer"]);
    expect(trace()).toEqual(before);
  });
});

function codes(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => (outcome === "moved" ? "moved" : outcome.code));
}
