import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { RingFault } from "../../../src/device/rings/fault.js";
import { PackedDeviceQueue } from "../../../src/device/rings/packed-device.js";
import { placeOf, pvirtqDesc } from "./layout.js";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 1 << 7;
const USED = 1 << 15;
const SIZE = 3;
const place = placeOf(SIZE);
const BUFFERS = 0x40000;

function guest(features = {}) {
  const bytes = new Uint8Array(1 << 20);
  const view = new DataView(bytes.buffer);
  const queue = new PackedDeviceQueue(new GuestMemory([{ guestAddress: 0, bytes }]), place, features);
  const put = (slot: number, addr: number, len: number, id: number, flags: number, table?: number) =>
    pvirtqDesc(view, (table ?? place.descriptorArea) + slot * 16, addr, len, id, flags);
  const slot = (index: number) => {
    const at = place.descriptorArea + index * 16;
    return {
      len: view.getUint32(at + 8, true),
      id: view.getUint16(at + 12, true),
      flags: view.getUint16(at + 14, true),
    };
  };
  return { bytes, view, queue, put, slot };
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof RingFault ? error.code : `not a RingFault: ${error}`;
  }
  return undefined;
}

describe("a packed virtqueue, from the device", () => {
  it("takes chains and gives them back, twice around the ring", () => {
    const { bytes, queue, put, slot } = guest();
    bytes.set([1, 2, 3], BUFFERS);
    // The first round: available is AVAIL set and USED not.
    put(0, BUFFERS, 3, 7, AVAIL | NEXT);
    put(1, BUFFERS + 0x10, 4, 7, AVAIL | WRITE);
    const first = queue.take();
    if (first === undefined) throw new Error("nothing taken");
    expect([first.id, first.descriptors]).toEqual([7, 2]);
    expect([...first.read()]).toEqual([1, 2, 3]);
    expect(queue.take()).toBeUndefined();
    first.write(Uint8Array.of(4, 5));
    queue.give(first);
    expect(slot(0)).toEqual({ len: 2, id: 7, flags: AVAIL | USED | WRITE });
    expect(queue.position).toEqual({ available: 2, availableWrap: true, used: 2, usedWrap: true });
    // A chain over the end of the ring: the second descriptor is of the next round, where available is USED alone.
    put(2, BUFFERS, 1, 9, AVAIL | NEXT);
    put(0, BUFFERS + 0x20, 1, 9, USED | WRITE);
    const second = queue.take();
    if (second === undefined) throw new Error("nothing taken");
    expect([second.id, second.descriptors]).toEqual([9, 2]);
    queue.give(second);
    expect(slot(2)).toEqual({ len: 0, id: 9, flags: AVAIL | USED });
    expect(queue.position).toEqual({ available: 1, availableWrap: false, used: 1, usedWrap: false });
    // In this round a used descriptor has neither flag.
    put(1, BUFFERS, 1, 2, USED | WRITE);
    const third = queue.take();
    if (third === undefined) throw new Error("nothing taken");
    queue.give(third);
    expect(slot(1)).toEqual({ len: 0, id: 2, flags: 0 });
  });

  it("reads an indirect table in order, whatever its NEXT flags and ids say", () => {
    const { bytes, queue, put } = guest({ indirect: true });
    bytes.set([8, 9], BUFFERS);
    const table = 0x60000;
    put(0, BUFFERS, 2, 77, NEXT, table);
    put(1, BUFFERS + 4, 6, 78, WRITE, table);
    put(0, table, 32, 1, AVAIL | INDIRECT);
    const chain = queue.take();
    expect([chain?.id, chain?.descriptors, chain?.writableLength]).toEqual([1, 1, 6]);
    expect([...(chain?.read() ?? [])]).toEqual([8, 9]);
  });

  it("notifies as the driver's event suppression asks", () => {
    const { view, queue, put } = guest({ eventIdx: true });
    const turn = (slot: number, flags: number) => {
      put(slot, BUFFERS, 1, slot, flags | WRITE);
      queue.give(queue.take() as never);
      return queue.needsNotification();
    };
    // struct pvirtq_event_suppress { le16 desc (off : 15, wrap : 1); le16 flags : 2; }
    expect(turn(0, AVAIL)).toBe(true);
    view.setUint16(place.driverArea + 2, 1, true);
    expect(turn(1, AVAIL)).toBe(false);
    view.setUint16(place.driverArea + 2, 2, true);
    view.setUint16(place.driverArea, 0, true); // offset 0 of the second round, whose wrap counter is 0
    expect(turn(2, AVAIL)).toBe(false);
    expect(turn(0, USED)).toBe(true);
    expect(turn(1, USED)).toBe(false);
  });

  it("says where it waits for the driver", () => {
    const { view, queue, put } = guest({ eventIdx: true });
    expect(queue.wantNotifications(true)).toBe(false);
    expect([view.getUint16(place.deviceArea, true), view.getUint16(place.deviceArea + 2, true)]).toEqual([
      0x8000, 2,
    ]);
    queue.wantNotifications(false);
    expect(view.getUint16(place.deviceArea + 2, true)).toBe(1);
    put(0, BUFFERS, 1, 0, AVAIL);
    expect(queue.wantNotifications(true)).toBe(true);
  });
});

describe("a driver that breaks a packed virtqueue", () => {
  type Put = ReturnType<typeof guest>["put"];
  const cases: Record<string, [expected: string, (put: Put) => void]> = {
    "a chain that never ends": [
      "loop",
      (put) => {
        for (let slot = 0; slot < SIZE; slot++) put(slot, BUFFERS, 1, 0, AVAIL | NEXT);
      },
    ],
    "a buffer outside of memory": ["address", (put) => put(0, 1 << 20, 1, 0, AVAIL)],
    "a buffer of no bytes": ["length", (put) => put(0, BUFFERS, 0, 0, AVAIL)],
    "a buffer to read behind one to write": [
      "order",
      (put) => {
        put(1, BUFFERS, 1, 0, AVAIL);
        put(0, BUFFERS, 1, 0, AVAIL | NEXT | WRITE);
      },
    ],
    "an indirect table without the feature": ["indirect", (put) => put(0, BUFFERS, 16, 0, AVAIL | INDIRECT)],
  };

  it.each(Object.entries(cases))("%s", (_, [expected, make]) => {
    const { queue, put } = guest();
    make(put);
    expect(codeOf(() => queue.take())).toBe(expected);
    expect(queue.owned).toEqual([]);
  });

  it("a buffer id that the device has already", () => {
    const { queue, put } = guest();
    put(0, BUFFERS, 1, 5, AVAIL);
    put(1, BUFFERS, 1, 5, AVAIL);
    queue.take();
    expect(codeOf(() => queue.take())).toBe("ownership");
  });

  it("an indirect table within a chain", () => {
    const { queue, put } = guest({ indirect: true });
    put(0, BUFFERS, 16, 5, AVAIL | INDIRECT | NEXT);
    expect(codeOf(() => queue.take())).toBe("indirect");
  });
});
