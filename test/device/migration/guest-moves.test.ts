/** A guest moves between two hosts through the orchestrator: what it tells, what is there afterwards, what is left. */
import { describe, expect, it } from "vitest";
import { receiveGuest } from "../../../src/device/migration/destination.js";
import { ObservedLog } from "../../../src/device/migration/dirty-log.js";
import { type MigrationEvent, withFewPages } from "../../../src/device/migration/progress.js";
import { sendGuest } from "../../../src/device/migration/source.js";
import { GUEST_SIZE, guestOn, host, moveGuest } from "../owner/bench.js";
import { channelPair } from "./channels.js";
import { ways } from "./hosts.js";

describe.each(Object.entries(ways))("with %s", (_, way) => {
  it("takes its memory, its device and its requests in flight along", async () => {
    const disk = new Uint8Array(64 * 512);
    const [from, to] = [0, 1].map(() => host(way.profile(), { disk, deferred: true })) as [
      ReturnType<typeof host>,
      ReturnType<typeof host>,
    ];
    for (const one of [from, to]) way.prepare(one);
    const guest = guestOn(from);
    const write = guest.writeSectors(3, new Uint8Array(512).fill(7));
    const read = guest.readSectors(3, 1);
    from.member.run(undefined, 1);
    const [here, there] = channelPair({ piece: 1000 });
    const events: MigrationEvent[] = [];
    let stopped = false;
    const [sent, taken] = await Promise.all([
      sendGuest({
        channel: here,
        memory: from.memory,
        members: [way.source(from)],
        processors: {
          writes: new ObservedLog(from.memory),
          stop: () => {
            stopped = true;
          },
          resume: () => {
            throw new Error("the guest does not come back");
          },
        },
        switchover: withFewPages(2),
        onEvent: (event) => {
          events.push(event);
        },
      }),
      receiveGuest({
        channel: there,
        memory: to.memory,
        members: [way.destination(to)],
        processors: {
          resume: () => {
            expect(stopped).toBe(true);
            expect(to.memory.read(0, GUEST_SIZE)).toEqual(from.memory.read(0, GUEST_SIZE));
            moveGuest(guest, from, to);
          },
        },
      }),
    ]);
    expect(from.member.mode).not.toBe("active");
    expect(to.member.mode).toBe("active");
    to.member.run();
    expect([guest.poll(), guest.poll()].map((answer) => [answer?.id, answer?.status])).toEqual([
      [write, 0],
      [read, 0],
    ]);
    expect(sent.bytes).toBe(taken.bytes);
    expect(sent.rounds[0]).toMatchObject({ round: 0, stopped: false, pages: GUEST_SIZE / 4096 });
    expect(sent.rounds.at(-1)).toMatchObject({ stopped: true, dirtyPages: 0 });
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["begin", "round", "resumed"]));
  });
});
