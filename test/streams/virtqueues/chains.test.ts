/** What a hostile driver may leave in memory: whatever it is, reading ends, and says why it ended. */
import { describe, expect, it } from "vitest";
import { encodePvirtqDesc, encodeVringDesc } from "../../../generated/virtio/ring.js";
import {
  type GuestBytes,
  PackedVirtqueue,
  RingMemory,
  SplitVirtqueue,
  type VirtqueuePlace,
} from "../../../src/streams/index.js";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 1 << 7;
const USED = 1 << 15;

const SIZE = 8;
const PLACE: VirtqueuePlace = {
  size: SIZE,
  descriptorArea: 0x1000n,
  driverArea: 0x2000n,
  deviceArea: 0x3000n,
};
const TABLE = 0x4000n;

type Entry = readonly [address: bigint, length: number, flags: number, tail: number];

class Memory {
  readonly bytes: Uint8Array = new Uint8Array(0x8000);
  reads = 0;

  readonly read: GuestBytes = (address, length) => {
    this.reads++;
    const at = Number(address);
    return at + length <= this.bytes.length ? this.bytes.slice(at, at + length) : undefined;
  };

  split(at: bigint, ...entries: readonly Entry[]): this {
    entries.forEach(([addr, len, flags, next], i) => {
      this.bytes.set(encodeVringDesc({ addr, len, flags, next }, true), Number(at) + i * 16);
    });
    return this;
  }

  packed(at: bigint, ...entries: readonly Entry[]): this {
    entries.forEach(([addr, len, flags, id], i) => {
      this.bytes.set(encodePvirtqDesc({ addr, len, id, flags }), Number(at) + i * 16);
    });
    return this;
  }

  chain(head: number) {
    const traits = { isLittleEndian: true, eventIdx: false };
    return new SplitVirtqueue(new RingMemory(this.read), PLACE, traits).chain(head);
  }
}

describe("a chain of descriptors", () => {
  it("is followed, through its indirect table too", () => {
    const memory = new Memory()
      .split(PLACE.descriptorArea, [0x10n, 1, NEXT, 2], [0n, 0, 0, 0], [TABLE, 32, INDIRECT, 7])
      .split(TABLE, [0x20n, 2, NEXT, 1], [0x30n, 3, WRITE, 0]);
    const { descriptors, fault } = memory.chain(0);
    expect(fault).toBeUndefined();
    expect(descriptors).toMatchObject([
      { index: 0, address: 0x10n, length: 1 },
      {
        index: 2,
        address: TABLE,
        indirect: [{ address: 0x20n }, { index: 1, address: 0x30n, flags: WRITE }],
      },
    ]);
  });

  it.each<[string, string, number, readonly Entry[]]>([
    [
      "goes in circles",
      "loop",
      0,
      [
        [1n, 1, NEXT, 1],
        [2n, 1, NEXT, 0],
      ],
    ],
    ["points out of its table", "descriptor", 0, [[1n, 1, NEXT, SIZE]]],
    ["begins outside", "descriptor", 65535, []],
    ["has a table of no size", "indirect", 0, [[TABLE, 0, INDIRECT, 0]]],
    ["has a table of an odd size", "indirect", 0, [[TABLE, 31, INDIRECT, 0]]],
    ["has a table without end", "indirect", 0, [[TABLE, 0xffff_fff0, INDIRECT, 0]]],
    ["has a table in no memory", "unreadable", 0, [[0xffff_ffff_ffff_fff0n, 16, INDIRECT, 0]]],
    ["has a table in itself", "indirect", 0, [[PLACE.descriptorArea, 16, INDIRECT, 0]]],
  ])("that %s is broken off", (_, code, head, entries) => {
    const memory = new Memory().split(PLACE.descriptorArea, ...entries);
    const { descriptors, fault } = memory.chain(head);
    expect(fault).toMatchObject({ code, detail: expect.any(String) });
    expect(descriptors.length).toBeLessThanOrEqual(SIZE);
    expect(memory.reads).toBeLessThanOrEqual(2);
  });

  it("costs no more than was fixed before, however many there are", () => {
    const entries = Array.from({ length: 2048 }, (_, i): Entry => [1n, 1, NEXT, (i + 1) % 2048]);
    const bytes = new Uint8Array(1 << 16);
    entries.forEach(([addr, len, flags, next], i) => {
      bytes.set(encodeVringDesc({ addr, len, flags, next }, true), i * 16);
    });
    const memory = new RingMemory(() => bytes.slice(0, 2048 * 16));
    const rings = new SplitVirtqueue(
      memory,
      { ...PLACE, size: 2048 },
      { isLittleEndian: true, eventIdx: false },
    );
    const chains = Array.from({ length: 2048 }, (_, head) => rings.chain(head));
    expect(chains.every(({ fault }) => fault?.code === "limit")).toBe(true);
    const kept = chains.reduce((sum, { descriptors }) => sum + descriptors.length, 0);
    expect(kept).toBeLessThanOrEqual(1 << 18);
  });
});

describe("a packed ring", () => {
  const standing = {
    used: { slot: 6, wrap: true },
    available: { slot: 2, wrap: false },
    inUse: 4,
  };
  const ring = new Memory().packed(
    PLACE.descriptorArea,
    // The second round: available descriptors have the flags turned over.
    [0x30n, 3, USED | NEXT, 5],
    [0x40n, 4, USED | WRITE, 5],
    [0x50n, 5, USED, 6],
    [0n, 0, AVAIL | USED, 0],
    [0n, 0, AVAIL | USED, 0],
    [0n, 0, AVAIL | USED, 0],
    [0x10n, 1, AVAIL, 9],
    [0x20n, 2, AVAIL | NEXT, 5],
  );

  it("holds what stands between the two positions, across its end", () => {
    const content = new PackedVirtqueue(new RingMemory(ring.read), PLACE).content(standing);
    expect(content).toMatchObject({
      isOverwritten: false,
      waiting: 1,
      inFlight: [
        { head: 9, descriptors: [{ index: 6, address: 0x10n }] },
        { head: 5, descriptors: [{ index: 7 }, { index: 0 }, { index: 1, address: 0x40n }] },
      ],
    });
  });

  it("says when a used descriptor stands where one in flight was", () => {
    const spoiled = new Memory();
    spoiled.bytes.set(ring.bytes);
    spoiled.packed(PLACE.descriptorArea + 6n * 16n, [0n, 0, AVAIL | USED, 5]);
    const content = new PackedVirtqueue(new RingMemory(spoiled.read), PLACE).content(standing);
    expect(content).toMatchObject({ isOverwritten: true, inFlight: [] });
  });

  it.each([
    { ...standing, used: { slot: SIZE, wrap: true } },
    { ...standing, available: { slot: 65535, wrap: true } },
  ])("is not read from outside: %j", (outside) => {
    expect(new PackedVirtqueue(new RingMemory(ring.read), PLACE).content(outside)).toBeUndefined();
  });

  it("is not followed for more descriptors than it has", () => {
    const content = new PackedVirtqueue(new RingMemory(ring.read), PLACE).content({
      ...standing,
      inUse: 0xffff_ffff,
    });
    expect(content).toMatchObject({ isOverwritten: true, inFlight: [] });
  });
});
