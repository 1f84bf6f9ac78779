/** Guest memory of all shapes, changed while virtqueues run; and the log of writes to it. */
import { expect, it } from "vitest";
import { VhostUserProtocolFeature } from "../../../generated/vhost-user/messages.js";
import { BlkDevice, type GuestMemory } from "../../../src/device/index.js";
import { describeHere } from "../here.js";
import { blkGuest, MEMORY, PACKED, serve } from "./guest.js";

const GIB = 2 ** 30;
const PAGE = 4096;
const disk = (): BlkDevice =>
  new BlkDevice({ disk: new Uint8Array(1 << 16).map((_, i) => i >> 9), queueSize: 64 });

describeHere("memory of a guest behind vhost-user", () => {
  it("may be larger than any ArrayBuffer", async () => {
    const { connect } = await serve(disk());
    const ranges = [
      { guestAddress: 0, length: 3 * GIB },
      { guestAddress: 4 * GIB, length: 9 * GIB },
    ];
    // Rings and buffers in the third window of the upper region.
    const guest = await blkGuest(await connect(), { ranges, from: 12 * GIB + 5 * PAGE });
    guest.blk.readSectors(2, 4);
    const { status, data } = await guest.next();
    expect(status).toBe(0);
    expect([...new Set(data)]).toEqual([2, 3, 4, 5]);
  });

  it.each([
    ["regions one by one", 0n],
    ["a table", VhostUserProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS],
  ])("is found again by the next front-end, with %s", async (_, withoutProtocol) => {
    const { connect } = await serve(disk());
    for (let round = 0; round < 3; round++) {
      const frontend = await connect(withoutProtocol);
      const guest = await blkGuest(frontend, { ranges: [{ guestAddress: round * MEMORY, length: MEMORY }] });
      guest.blk.readSectors(round, 1);
      expect((await guest.next()).data[0]).toBe(round);
      frontend.close();
    }
  });

  it.each([
    ["split", PACKED],
    ["packed", 0n],
  ])("is logged where the device writes, and nowhere else, with %s virtqueues", async (_, without) => {
    const { connect, events } = await serve(disk());
    const frontend = await connect();
    const guest = await blkGuest(frontend, { without });
    // What happens before the log is there is not in it.
    guest.blk.readSectors(0, 8);
    await guest.next();
    const log = await frontend.startLog();
    expect(events).toContainEqual({ kind: "logging", on: true });
    guest.blk.readSectors(8, 3);
    const before = copyOf(guest.memory);
    await guest.next();
    const driverArea = guest.blk.driver.read("queue_driver") / PAGE;
    const changed = differing(before, copyOf(guest.memory)).filter((page) => page !== driverArea);
    const logged = new Set(log.pages());
    expect(changed.length).toBeGreaterThan(1);
    for (const page of changed) expect(logged.has(page)).toBe(true);
    // Data and status, and the parts of the virtqueue that belong to the device: no more than these.
    expect(logged.size).toBeLessThanOrEqual(5);
    await frontend.stopLog();
    expect(events).toContainEqual({ kind: "logging", on: false });
    guest.blk.readSectors(20, 1);
    expect((await guest.next()).data[0]).toBe(20);
  });
});

function copyOf(memory: GuestMemory): Uint8Array {
  return memory.read(0, MEMORY);
}

/** Numbers of the pages that are not the same. */
function differing(a: Uint8Array, b: Uint8Array): number[] {
  return Array.from({ length: a.length / PAGE }, (_, page) => page).filter((page) => {
    const [from, to] = [page * PAGE, (page + 1) * PAGE];
    return !Buffer.from(a.buffer, from, PAGE).equals(b.subarray(from, to));
  });
}
