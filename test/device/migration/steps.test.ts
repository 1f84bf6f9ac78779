/** The order of a migration's steps with several members, what rounds are reported as, and when a guest is stopped. */
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { receiveGuest } from "../../../src/device/migration/destination.js";
import type { DirtyLog } from "../../../src/device/migration/dirty-log.js";
import type { DestinationMember, SourceMember } from "../../../src/device/migration/member.js";
import {
  type RoundReport,
  type SwitchoverPolicy,
  withFewPages,
  withinDowntime,
} from "../../../src/device/migration/progress.js";
import { type Sent, sendGuest } from "../../../src/device/migration/source.js";
import { channelPair } from "./channels.js";

const PAGE = 4096;
const KIND = { format: 1, device: 2 };

/** Tells of these pages, one list each time that it is asked. */
function log(steps: string[], name: string, told: number[][] = []): DirtyLog {
  return {
    start: () => steps.push(`${name} watch`),
    take: () => told.shift() ?? [],
    stop: () => steps.push(`${name} unwatch`),
  };
}

function source(steps: string[], name: string, fail?: "freeze" | "abort" | "commit"): SourceMember {
  const step = (what: string): void => {
    steps.push(`${name} ${what}`);
    if (what === fail) throw new Error(`${name} does not ${what}`);
  };
  return {
    ...KIND,
    writes: log(steps, name),
    begin: () => step("begin"),
    changes: () => [],
    remaining: () => PAGE,
    stop: () => step("stop"),
    freeze: () => step("freeze"),
    rest: () => [Uint8Array.of(1, 2, 3)],
    commit: () => step("commit"),
    abort: () => step("abort"),
  };
}

function destination(steps: string[], name: string): DestinationMember {
  const step = (what: string): void => {
    steps.push(`${name} ${what}`);
  };
  return {
    ...KIND,
    begin: () => step("begin"),
    write: (bytes) => step(`write ${bytes.length}`),
    end: () => step("end"),
    load: () => step("load"),
    resume: () => step("resume"),
    abort: () => step("abort"),
  };
}

interface Scene {
  readonly members: readonly SourceMember[];
  readonly steps: string[];
  readonly there: string[];
  readonly dirty?: number[][];
  readonly switchover?: SwitchoverPolicy;
}

async function migrate({ members, steps, there, dirty, switchover = withFewPages(0) }: Scene): Promise<Sent> {
  const [here, away] = channelPair();
  let now = 0;
  const [sent] = await Promise.allSettled([
    sendGuest({
      channel: here,
      memory: GuestMemory.of(4 * PAGE),
      members,
      processors: {
        writes: log(steps, "processors", dirty),
        stop: () => {
          steps.push("processors stop");
        },
        resume: () => {
          steps.push("processors resume");
        },
      },
      switchover,
      // Each look at the clock is 10 ms later.
      clock: () => (now += 10),
    }),
    receiveGuest({
      channel: away,
      memory: GuestMemory.of(4 * PAGE),
      members: members.map((_, i) => destination(there, `${i}`)),
      processors: {
        resume: () => {
          there.push("processors resume");
        },
      },
    }),
  ]);
  if (sent.status === "rejected") throw sent.reason;
  return sent.value;
}

describe("the members of a group", () => {
  it("are all quiet before one is frozen, and all loaded before one runs", async () => {
    const [steps, there]: [string[], string[]] = [[], []];
    await migrate({ members: [source(steps, "0"), source(steps, "1")], steps, there });
    expect(steps).toEqual(
      [
        ["0 begin", "1 begin", "processors watch", "0 watch", "1 watch"],
        ["processors stop", "0 stop", "1 stop", "0 freeze", "1 freeze"],
        ["processors unwatch", "0 unwatch", "1 unwatch", "0 commit", "1 commit"],
      ].flat(),
    );
    expect(there).toEqual(
      [
        ["0 begin", "1 begin", "0 write 3", "0 end", "1 write 3", "1 end"],
        ["0 load", "1 load", "0 resume", "1 resume", "processors resume"],
      ].flat(),
    );
  });

  it("are given back before the processors run again, when one of them refuses", async () => {
    const [steps, there]: [string[], string[]] = [[], []];
    const members = [source(steps, "0"), source(steps, "1", "freeze")];
    await expect(migrate({ members, steps, there })).rejects.toMatchObject({
      code: "device",
      message: "1 does not freeze",
      leftovers: [],
    });
    expect(steps.slice(steps.indexOf("1 freeze") + 1)).toEqual([
      "0 abort",
      "1 abort",
      "processors unwatch",
      "0 unwatch",
      "1 unwatch",
      "processors resume",
    ]);
    expect(there.slice(-2)).toEqual(["0 abort", "1 abort"]);
  });

  it("that cannot be given back are named, and keep nothing else from being", async () => {
    const [steps, there]: [string[], string[]] = [[], []];
    const members = [source(steps, "0", "abort"), source(steps, "1", "freeze")];
    await expect(migrate({ members, steps, there })).rejects.toMatchObject({
      code: "device",
      leftovers: [new Error("0 does not abort")],
    });
    expect(steps).toContain("1 abort");
    expect(steps.at(-1)).toBe("processors resume");
  });
});

it("a guest that has moved stays there, whatever its old host says", async () => {
  const [steps, there]: [string[], string[]] = [[], []];
  const members = [source(steps, "0", "commit"), source(steps, "1")];
  const { leftovers } = await migrate({ members, steps, there });
  expect(leftovers).toEqual([new Error("0 does not commit")]);
  expect([steps.at(-1), there.at(-1)]).toEqual(["1 commit", "processors resume"]);
});

describe("the connection", () => {
  it.each(["moved", "given up"])("belongs to whoever opened it when the guest has %s", async (how) => {
    const [forth, back] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
    const [steps, there]: [string[], string[]] = [[], []];
    const fail = how === "given up" ? "freeze" : undefined;
    await Promise.allSettled([
      sendGuest({
        channel: { readable: back.readable, writable: forth.writable },
        memory: GuestMemory.of(PAGE),
        members: [source(steps, "0", fail)],
        processors: { writes: log(steps, "processors"), stop: () => {}, resume: () => {} },
      }),
      receiveGuest({
        channel: { readable: forth.readable, writable: back.writable },
        memory: GuestMemory.of(PAGE),
        members: [destination(there, "0")],
        processors: { resume: () => {} },
      }),
    ]);
    expect(there.at(-1)).toBe(how === "moved" ? "0 resume" : "0 abort");
    for (const stream of [forth.readable, forth.writable, back.readable, back.writable]) {
      expect(stream.locked).toBe(false);
    }
  });
});

describe("a round", () => {
  it("is reported with what was sent, how fast, and what that means for the guest", async () => {
    const [steps, there]: [string[], string[]] = [[], []];
    const { rounds, bytes } = await migrate({
      members: [source(steps, "0")],
      steps,
      there,
      dirty: [[0, PAGE, 3 * PAGE], [PAGE], []],
      switchover: withFewPages(1),
    });
    expect(rounds.map(({ pages, zeroPages, dirtyPages }) => [pages, zeroPages, dirtyPages])).toEqual([
      [4, 4, 3],
      [3, 3, 1],
      [1, 1, 0],
    ]);
    expect(rounds.map(({ stopped, stateBytes }) => [stopped, stateBytes])).toEqual([
      [false, 0],
      [false, 0],
      [true, 3],
    ]);
    const [first] = rounds as [RoundReport];
    expect(first.milliseconds).toBe(10);
    expect(first.bytesPerSecond).toBe(first.bytes * 100);
    // Three pages, and a page's worth of state.
    expect(first.estimatedDowntime).toBeCloseTo((4 * PAGE * 1000) / first.bytesPerSecond);
    expect(bytes).toBeGreaterThan(rounds.reduce((sum, round) => sum + round.bytes, 0));
  });

  it.each<[string, SwitchoverPolicy, Partial<RoundReport>, boolean]>([
    ["within the downtime", withinDowntime(300), { estimatedDowntime: 300 }, true],
    ["above the downtime", withinDowntime(300), { estimatedDowntime: 301 }, false],
    ["with few pages", withFewPages(5), { dirtyPages: 5 }, true],
    ["with many pages", withFewPages(5), { dirtyPages: 6 }, false],
    [
      "above the downtime, for the last time",
      withinDowntime(300, 3),
      { estimatedDowntime: 301, round: 2 },
      true,
    ],
    ["with many pages, for the last time", withFewPages(5, 3), { dirtyPages: 6, round: 2 }, true],
  ])("%s decides whether the guest is stopped", (_, policy, given, stops) => {
    const round: RoundReport = {
      round: 0,
      stopped: false,
      pages: 0,
      zeroPages: 0,
      stateBytes: 0,
      bytes: 0,
      milliseconds: 0,
      bytesPerSecond: 0,
      dirtyPages: 0,
      estimatedDowntime: 0,
      ...given,
    };
    expect(policy(round)).toBe(stops);
  });
});
