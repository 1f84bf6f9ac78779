import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import type { DescriptorChain } from "../../../src/device/rings/chain.js";
import { RingFault } from "../../../src/device/rings/fault.js";
import { PackedDeviceQueue } from "../../../src/device/rings/packed-device.js";
import { PackedDriverQueue } from "../../../src/device/rings/packed-driver.js";
import type { DeviceQueue, DriverQueue, QueueFeatures } from "../../../src/device/rings/queue.js";
import { SplitDeviceQueue } from "../../../src/device/rings/split-device.js";
import { SplitDriverQueue } from "../../../src/device/rings/split-driver.js";
import { seed } from "../../properties/drawn.js";
import { placeOf } from "./layout.js";

const BUFFERS = 0x40000;
const TABLES = 0xc0000;
/** Bytes of memory for each part of a buffer. */
const PART = 64;

interface Step {
  readonly side: "add" | "poll" | "take" | "give";
  readonly readable: number;
  readonly writable: number;
  readonly indirect: boolean;
  readonly pick: number;
}

const steps = fc.array(
  fc.record<Step>({
    side: fc.constantFrom("add", "poll", "take", "give"),
    readable: fc.integer({ min: 0, max: 3 }),
    writable: fc.integer({ min: 0, max: 3 }),
    indirect: fc.boolean(),
    pick: fc.nat(),
  }),
  { minLength: 20, maxLength: 300 },
);

const features = fc.record<Required<QueueFeatures>>({
  eventIdx: fc.boolean(),
  indirect: fc.boolean(),
  inOrder: fc.boolean(),
});

/** Memory in two regions that meet in the middle of the buffers: some of them lie in both. */
function guestMemory(): GuestMemory {
  const split = BUFFERS + 37;
  return new GuestMemory([
    { guestAddress: 0, bytes: new Uint8Array(split) },
    { guestAddress: split, bytes: new Uint8Array((1 << 20) - split) },
  ]);
}

/** Both sides at work: every buffer comes back once, with the bytes that the other side meant. */
class Pair {
  readonly memory = guestMemory();
  readonly driver: SplitDriverQueue | PackedDriverQueue;
  readonly device: DeviceQueue;
  private readonly features: QueueFeatures;
  private readonly sent = new Map<number, { serial: number; writable: number }>();
  private readonly places: number[];
  private readonly placeOfId = new Map<number, number>();
  private readonly taken: DescriptorChain[] = [];
  private readonly finished = new Map<number, number>();
  private serial = 0;

  constructor(packed: boolean, size: number, given: QueueFeatures) {
    const place = placeOf(size);
    this.features = given;
    this.driver = packed
      ? new PackedDriverQueue(this.memory, place, given)
      : new SplitDriverQueue(this.memory, place, given);
    this.device = packed
      ? new PackedDeviceQueue(this.memory, place, given)
      : new SplitDeviceQueue(this.memory, place, given);
    this.places = Array.from({ length: size }, (_, i) => i);
  }

  step({ side, readable, writable, indirect, pick }: Step): void {
    if (side === "add") this.add(readable, writable, indirect);
    else if (side === "take") this.take();
    else if (side === "give" && this.taken.length > 0) this.give(pick % this.taken.length);
    else this.poll();
  }

  drain(): void {
    while (this.take());
    while (this.taken.length > 0) this.give(this.taken.length - 1);
    while (this.poll());
    expect(this.sent.size).toBe(0);
    expect(this.driver.free).toBe(this.driver.place.size);
    expect(this.device.owned).toEqual([]);
  }

  /** The rings and the indirect tables now, by address. */
  shared(): ReadonlyMap<number, number> {
    const { descriptorArea, driverArea, deviceArea, size } = this.driver.place;
    const bytes = new Map<number, number>();
    for (const area of [descriptorArea, driverArea, deviceArea, TABLES]) {
      this.memory.read(area, 16 * 6 * size).forEach((byte, i) => {
        bytes.set(area + i, byte);
      });
    }
    return bytes;
  }

  private add(readableParts: number, writableParts: number, indirect: boolean): void {
    const place = this.places[0];
    if (place === undefined || readableParts + writableParts === 0) return;
    this.serial++;
    const base = BUFFERS + place * PART * 6;
    const readable = Array.from({ length: readableParts }, (_, i) => ({
      address: base + i * PART,
      length: 5,
    }));
    const writable = Array.from({ length: writableParts }, (_, i) => ({
      address: base + (3 + i) * PART,
      length: 3,
    }));
    for (const { address, length } of readable) {
      this.memory.write(address, new Uint8Array(length).fill(this.serial & 0xff));
    }
    const buffer = { readable, writable };
    const table = TABLES + place * 16 * 6;
    const id =
      indirect && this.features.indirect ? this.driver.addIndirect(buffer, table) : this.driver.add(buffer);
    if (id === undefined) return;
    this.places.shift();
    this.placeOfId.set(id, place);
    expect(this.sent.has(id)).toBe(false);
    this.sent.set(id, { serial: this.serial, writable: writableParts * 3 });
  }

  private take(): boolean {
    const chain = this.device.take();
    if (chain === undefined) return false;
    const expected = this.sent.get(chain.id);
    expect(chain.writableLength).toBe(expected?.writable);
    expect(chain.read().every((byte) => byte === ((expected?.serial ?? -1) & 0xff))).toBe(true);
    this.taken.push(chain);
    return true;
  }

  private give(index: number): void {
    const [chain] = this.taken.splice(index, 1);
    if (chain === undefined) return;
    const answer = (this.sent.get(chain.id)?.serial ?? 0) ^ 0xff;
    chain.write(new Uint8Array(chain.writableLength).fill(answer));
    this.finished.set(chain.id, chain.written);
    this.device.give(chain);
  }

  private poll(): boolean {
    const used = this.driver.poll();
    if (used === undefined) return false;
    const sent = this.sent.get(used.id);
    if (sent === undefined) throw new Error(`buffer ${used.id} came back without having been sent`);
    expect(used.written).toBe(this.finished.get(used.id));
    const place = this.placeOfId.get(used.id) as number;
    for (let i = 0; i < sent.writable / 3; i++) {
      const bytes = this.memory.read(BUFFERS + place * PART * 6 + (3 + i) * PART, 3);
      expect([...bytes]).toEqual(Array(3).fill((sent.serial ^ 0xff) & 0xff));
    }
    this.sent.delete(used.id);
    this.finished.delete(used.id);
    this.places.push(place);
    return true;
  }
}

describe.each([
  ["split", false],
  ["packed", true],
])("a %s virtqueue with a driver and a device", (_, packed) => {
  it("brings every buffer back once, however the two take turns", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 8), features, steps, (size, given, turns) => {
        const pair = new Pair(packed, size, given);
        for (const turn of turns) pair.step(turn);
        pair.drain();
      }),
      { seed, numRuns: 150 },
    );
  });

  it("tells of every byte that either side writes in place", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 8), features, steps, (size, given, turns) => {
        const pair = new Pair(packed, size, given);
        const told = new Set<number>();
        pair.memory.observe({
          wrote: (address, length) => {
            for (let i = 0; i < length; i++) told.add(address + i);
          },
        });
        let before = pair.shared();
        for (const turn of turns) {
          told.clear();
          pair.step(turn);
          const now = pair.shared();
          for (const [address, byte] of now) {
            if (before.get(address) !== byte) expect(told).toContain(address);
          }
          before = now;
        }
      }),
      { seed, numRuns: 20 },
    );
  });

  it("goes on in a device that takes over its position", () => {
    const place = placeOf(4);
    const memory = guestMemory();
    const driver: DriverQueue = packed
      ? new PackedDriverQueue(memory, place)
      : new SplitDriverQueue(memory, place);
    const make = (from?: DeviceQueue): DeviceQueue =>
      packed
        ? new PackedDeviceQueue(memory, place, {}, from?.position)
        : new SplitDeviceQueue(memory, place, {}, from?.position);
    let device = make();
    for (let i = 0; i < 50; i++) {
      const id = driver.add({ readable: [{ address: BUFFERS, length: 1 + i }], writable: [] });
      device = make(device);
      const chain = device.take();
      expect([chain?.id, chain?.readableLength]).toEqual([id, 1 + i]);
      if (chain !== undefined) device.give(chain);
      expect(driver.poll()).toEqual({ id, written: 0 });
    }
  });

  it("loses no notification: a side that waits is told of what comes next", () => {
    fc.assert(
      fc.property(features, fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 60 }), (given, batches) => {
        const place = placeOf(8);
        const memory = guestMemory();
        const driver = packed
          ? new PackedDriverQueue(memory, place, given)
          : new SplitDriverQueue(memory, place, given);
        const device = packed
          ? new PackedDeviceQueue(memory, place, given)
          : new SplitDeviceQueue(memory, place, given);
        for (const batch of batches) {
          expect(device.wantNotifications(true)).toBe(false);
          expect(driver.wantNotifications(true)).toBe(false);
          for (let i = 0; i < batch; i++)
            driver.add({ readable: [{ address: BUFFERS, length: 1 }], writable: [] });
          expect(driver.needsNotification()).toBe(true);
          for (let chain = device.take(); chain !== undefined; chain = device.take()) device.give(chain);
          expect(device.needsNotification()).toBe(true);
          while (driver.poll() !== undefined);
        }
      }),
      { seed, numRuns: 50 },
    );
  });

  it("throws nothing but a RingFault at a driver that writes anything anywhere", () => {
    const size = 4;
    const place = placeOf(size);
    fc.assert(
      fc.property(
        features,
        fc.array(fc.tuple(fc.nat({ max: 0x3_0000 }), fc.uint8Array({ minLength: 1, maxLength: 24 })), {
          maxLength: 40,
        }),
        (given, writes) => {
          const bytes = new Uint8Array(0x4_0000);
          const memory = new GuestMemory([{ guestAddress: 0, bytes }]);
          const device = packed
            ? new PackedDeviceQueue(memory, place, given)
            : new SplitDeviceQueue(memory, place, given);
          const areas = [place.descriptorArea, place.driverArea, place.deviceArea];
          for (const [where, noise] of writes) {
            bytes.set(noise, (areas[where % 3] as number) + (where % 80));
            try {
              for (let i = 0; i < size; i++) {
                const chain = device.take();
                if (chain === undefined) break;
                chain.write(chain.read());
                device.give(chain);
              }
            } catch (error) {
              if (!(error instanceof RingFault)) throw error;
            }
          }
        },
      ),
      { seed, numRuns: 300 },
    );
  });
});
