import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { RingFault } from "../../../src/device/rings/fault.js";
import { SplitDeviceQueue } from "../../../src/device/rings/split-device.js";
import { placeOf, SplitByHand } from "./layout.js";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const SIZE = 4;
const place = placeOf(SIZE);
const BUFFERS = 0x40000;

function guest(features = {}, position?: { available: number; used: number }) {
  const bytes = new Uint8Array(1 << 20);
  const memory = new GuestMemory([{ guestAddress: 0, bytes }]);
  const hand = new SplitByHand(bytes, place);
  const queue = new SplitDeviceQueue(
    memory,
    place,
    features,
    position && { ...position, availableWrap: true, usedWrap: true },
  );
  return { bytes, memory, hand, queue };
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof RingFault ? error.code : `not a RingFault: ${error}`;
  }
  return undefined;
}

describe("a split virtqueue, from the device", () => {
  it("takes a chain, reads and writes its buffers, and gives it back", () => {
    const { bytes, hand, queue } = guest();
    bytes.set([1, 2, 3, 4, 5, 6], BUFFERS);
    hand.describe(3, BUFFERS, 4, NEXT, 1);
    hand.describe(1, BUFFERS + 4, 2, NEXT, 2);
    hand.describe(2, BUFFERS + 0x100, 3, NEXT | WRITE, 0);
    hand.describe(0, BUFFERS + 0x200, 5, WRITE);
    expect(queue.take()).toBeUndefined();
    hand.offer(0, 3, 1);
    const chain = queue.take();
    if (chain === undefined) throw new Error("nothing taken");
    expect([chain.id, chain.descriptors, chain.readableLength, chain.writableLength]).toEqual([3, 4, 6, 8]);
    expect([...chain.read()]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...chain.read(3, 2)]).toEqual([4, 5]);
    expect(queue.owned).toEqual([3]);
    expect(chain.write(Uint8Array.of(9, 8))).toBe(2);
    expect(chain.write(Uint8Array.of(7, 6, 5, 4, 3, 2, 1))).toBe(6);
    queue.give(chain);
    expect([...bytes.subarray(BUFFERS + 0x100, BUFFERS + 0x104)]).toEqual([9, 8, 7, 0]);
    expect([...bytes.subarray(BUFFERS + 0x200, BUFFERS + 0x206)]).toEqual([6, 5, 4, 3, 2, 0]);
    expect(hand.used(0)).toEqual([3, 8]);
    expect(hand.usedIndex).toBe(1);
    expect(queue.owned).toEqual([]);
  });

  it("goes on from where another device stood, across the end of the indices", () => {
    const { hand, queue } = guest({}, { available: 0xffff, used: 0xfffe });
    hand.describe(2, BUFFERS, 1, WRITE);
    hand.offer(0xffff % SIZE, 2, 0);
    const chain = queue.take();
    if (chain === undefined) throw new Error("nothing taken");
    expect(queue.position.available).toBe(0);
    queue.give(chain);
    expect(hand.used(0xfffe % SIZE)).toEqual([2, 0]);
    expect(hand.usedIndex).toBe(0xffff);
  });

  it("follows a table of indirect descriptors", () => {
    const { bytes, hand, queue } = guest({ indirect: true });
    bytes.set([5, 6, 7], BUFFERS);
    const table = 0x60008;
    hand.describe(0, table, 3 * 16, INDIRECT);
    hand.describe(0, BUFFERS, 2, NEXT, 2, table);
    hand.describe(2, BUFFERS + 2, 1, NEXT, 1, table);
    hand.describe(1, BUFFERS + 8, 4, WRITE, 0, table);
    hand.offer(0, 0, 1);
    const chain = queue.take();
    expect(chain?.descriptors).toBe(1);
    expect([...(chain?.read() ?? [])]).toEqual([5, 6, 7]);
    expect(chain?.writableLength).toBe(4);
  });

  it("notifies as the flags of the available ring ask", () => {
    const { hand, queue } = guest();
    hand.describe(0, BUFFERS, 1, WRITE);
    hand.offer(0, 0, 1);
    expect(queue.needsNotification()).toBe(false);
    queue.give(queue.take() as never);
    expect(queue.needsNotification()).toBe(true);
    expect(queue.needsNotification()).toBe(false);
    hand.offer(1, 0, 2);
    hand.availableFlags = 1;
    queue.give(queue.take() as never);
    expect(queue.needsNotification()).toBe(false);
    queue.wantNotifications(false);
    expect(hand.usedFlags).toBe(1);
    expect(queue.wantNotifications(true)).toBe(false);
    expect(hand.usedFlags).toBe(0);
  });

  it("notifies when the used index passes used_event, and says with avail_event when it wants to know", () => {
    const { hand, queue } = guest({ eventIdx: true });
    for (let i = 0; i < SIZE; i++) hand.describe(i, BUFFERS + i, 1, WRITE);
    hand.usedEvent = 1;
    hand.offer(0, 0, 1);
    queue.give(queue.take() as never);
    expect(queue.needsNotification()).toBe(false);
    hand.offer(1, 1, 2);
    queue.give(queue.take() as never);
    expect(queue.needsNotification()).toBe(true);
    expect(queue.wantNotifications(true)).toBe(false);
    expect(hand.availableEvent).toBe(2);
    hand.offer(2, 2, 3);
    expect(queue.wantNotifications(true)).toBe(true);
  });

  it("gives buffers back in order with VIRTIO_F_IN_ORDER, however they are finished", () => {
    const { hand, queue } = guest({ inOrder: true });
    hand.describe(0, BUFFERS, 1, WRITE);
    hand.describe(1, BUFFERS + 1, 1, WRITE);
    hand.offer(0, 1, 1);
    hand.offer(1, 0, 2);
    const first = queue.take() as never;
    const second = queue.take() as never;
    queue.give(second);
    expect(hand.usedIndex).toBe(0);
    queue.give(first);
    expect([hand.used(0)[0], hand.used(1)[0], hand.usedIndex]).toEqual([1, 0, 2]);
  });
});

describe("a driver that breaks a split virtqueue", () => {
  const cases: Record<string, [expected: string, (hand: SplitByHand) => void]> = {
    "a head outside of the table": ["descriptor", (hand) => hand.offer(0, SIZE, 1)],
    "a next outside of the table": [
      "descriptor",
      (hand) => {
        hand.describe(0, BUFFERS, 1, NEXT, 0xffff);
        hand.offer(0, 0, 1);
      },
    ],
    "a chain in circles": [
      "loop",
      (hand) => {
        hand.describe(0, BUFFERS, 1, NEXT, 1);
        hand.describe(1, BUFFERS, 1, NEXT, 0);
        hand.offer(0, 0, 1);
      },
    ],
    "more available than the ring holds": ["index", (hand) => hand.offer(0, 0, SIZE + 1)],
    "an index that goes back": ["index", (hand) => hand.offer(0, 0, 0xffff)],
    "a buffer outside of memory": [
      "address",
      (hand) => {
        hand.describe(0, (1 << 20) - 1, 2, 0);
        hand.offer(0, 0, 1);
      },
    ],
    "a buffer above 2^53": [
      "address",
      (hand) => {
        hand.describe(0, 2 ** 63, 2, 0);
        hand.offer(0, 0, 1);
      },
    ],
    "a buffer of no bytes": [
      "length",
      (hand) => {
        hand.describe(0, BUFFERS, 0, 0);
        hand.offer(0, 0, 1);
      },
    ],
    "a buffer to read behind one to write": [
      "order",
      (hand) => {
        hand.describe(0, BUFFERS, 1, NEXT | WRITE, 1);
        hand.describe(1, BUFFERS, 1, 0);
        hand.offer(0, 0, 1);
      },
    ],
    "an indirect table without the feature": [
      "indirect",
      (hand) => {
        hand.describe(0, BUFFERS, 16, INDIRECT);
        hand.offer(0, 0, 1);
      },
    ],
  };

  it.each(Object.entries(cases))("%s", (_, [expected, make]) => {
    const { hand, queue } = guest();
    make(hand);
    expect(codeOf(() => queue.take())).toBe(expected);
    expect(queue.owned).toEqual([]);
  });

  it.each([
    ["of an odd size", 17],
    ["of no size", 0],
  ])("an indirect table %s", (_, length) => {
    const { hand, queue } = guest({ indirect: true });
    hand.describe(0, BUFFERS, length, INDIRECT);
    hand.offer(0, 0, 1);
    expect(codeOf(() => queue.take())).toBe("indirect");
  });

  it("an indirect table inside another, or one that goes on", () => {
    const { hand, queue } = guest({ indirect: true });
    hand.describe(0, BUFFERS, 16, INDIRECT);
    hand.describe(0, BUFFERS + 64, 16, INDIRECT, 0, BUFFERS);
    hand.offer(0, 0, 1);
    expect(codeOf(() => queue.take())).toBe("indirect");
    hand.describe(0, BUFFERS, 16, INDIRECT | NEXT, 1);
    expect(codeOf(() => queue.take())).toBe("indirect");
  });

  it("a buffer that the device has already", () => {
    const { hand, queue } = guest();
    hand.describe(0, BUFFERS, 1, 0);
    hand.offer(0, 0, 1);
    hand.offer(1, 0, 2);
    queue.take();
    expect(codeOf(() => queue.take())).toBe("ownership");
  });

  it.each([
    ["a size that is no power of two", { ...place, size: 3 }, "size"],
    ["no size", { ...place, size: 0 }, "size"],
    ["a size beyond 32768", { ...place, size: 65536 }, "size"],
    ["descriptors that are not aligned", { ...place, descriptorArea: 0x1008 }, "alignment"],
    ["a used ring that is not aligned", { ...place, deviceArea: 0x21002 }, "alignment"],
    ["an available ring outside of memory", { ...place, driverArea: (1 << 20) - 4 }, "address"],
  ])("%s", (_, broken, expected) => {
    const memory = GuestMemory.of(1 << 20);
    expect(codeOf(() => new SplitDeviceQueue(memory, broken))).toBe(expected);
  });
});
