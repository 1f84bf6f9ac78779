/** A driver that puts anything into its rings, and its rings anywhere: on top of each other, too. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { BlkDevice } from "../../../src/device/devices/blk.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { GuestDriver } from "../../../src/device/guest/guest-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { DescriptorChain } from "../../../src/device/rings/chain.js";
import { seed } from "../../properties/drawn.js";
import {
  GUEST_SIZE,
  guardedMemory,
  isLeaked,
  MEMBERS,
  numbers,
  otherProcessor,
  TARGETS,
  target,
} from "./scene.js";

const VERSION_1 = 1n << 32n;
const READY = 0x0b;
const DRIVER_OK = 0x0f;
const NEEDS_RESET = 0x40;

/** Addresses in memory, and some that are not. */
const address = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: GUEST_SIZE / 16 }).map((n) => BigInt(n) * 16n) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);

/** struct virtq_desc: mostly one that can be followed. */
const descriptor = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        addr: address,
        len: fc.oneof(fc.nat({ max: 600 }), fc.constantFrom(0, 16, 40, 4096, 65536, 0x7fffffff, 0xffffffff)),
        flags: fc.constantFrom(0, 1, 2, 3, 4, 5, 0x80, 0x81, 0x82, 0x8080, 0xffff),
        next: fc.nat({ max: 17 }),
      })
      .map(({ addr, len, flags, next }) => {
        const bytes = new Uint8Array(16);
        const view = new DataView(bytes.buffer);
        view.setBigUint64(0, addr, true);
        view.setUint32(8, len, true);
        view.setUint16(12, flags, true);
        view.setUint16(14, next, true);
        return bytes;
      }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 16, maxLength: 16 }) },
);

/** An available ring: flags, index, heads. Used rings are the device's, and begin with anything. */
const available = fc
  .tuple(fc.constantFrom(0, 1), fc.nat({ max: 16 }), fc.array(fc.nat({ max: 16 }), { maxLength: 16 }))
  .map(([flags, index, heads]) =>
    Uint8Array.from([flags, 0, index, 0, ...heads.flatMap((head) => [head, 0])]),
  );

const queue = fc.record({
  places: fc.tuple(address, address, address),
  size: fc.constantFrom(1, 2, 3, 8, 16),
  descriptors: fc.array(descriptor, { maxLength: 16 }),
  available,
});

/** Something that a request may begin with, so that devices get beyond the first check. */
const request = fc.oneof(
  // virtio-blk: type, reserved, sector.
  fc
    .tuple(fc.constantFrom(0, 1, 4, 8, 11, 13), fc.nat({ max: 80 }))
    .map(([type, sector]) => [type, 0, 0, 0, 0, 0, 0, 0, sector, 0, 0, 0, 0, 0, 0, 0]),
  // FUSE: length, opcode, number, node; and something behind it.
  fc
    .tuple(fc.nat({ max: 120 }), fc.nat({ max: 53 }), fc.nat({ max: 4 }), fc.uint8Array({ maxLength: 80 }))
    .map(([len, opcode, node, body]) => [
      ...[len, 0, 0, 0, opcode, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
      ...[node, 0, 0, 0, 0, 0, 0, 0, ...new Array(16).fill(0), ...body],
    ]),
  fc.constant([64 + 40, 0, 0, 0, 26, 0, 0, 0, ...new Array(32).fill(0), 7, 0, 0, 0, 45, 0, 0, 0]),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => [...bytes]),
);

const attack = fc.record({
  features: fc.bigInt({ min: 0n, max: 2n ** 41n - 1n }),
  queues: fc.array(queue, { minLength: 1, maxLength: 5 }),
  requests: fc.array(fc.tuple(fc.nat({ max: GUEST_SIZE - 256 }), request), { maxLength: 12 }),
  noise: fc.nat(),
  rounds: fc.integer({ min: 1, max: 6 }),
  changing: fc.boolean(),
});

describe.each(Object.keys(TARGETS))("a hostile driver of a %s device", (name) => {
  it("gets errors at most, touches nothing else, and can begin again", () => {
    const counts = { live: 0, broken: 0 };
    fc.assert(
      fc.property(attack, ({ features, queues, requests, noise, rounds, changing }) => {
        const { memory, check } = guardedMemory();
        const { device, contents } = target(name, memory);
        const common = new CommonConfig(device);
        const write = (register: string, value: bigint): void => {
          const { at, size } = common.place(register);
          const bytes = new Uint8Array(8);
          new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
          common.write(at, bytes.subarray(0, size));
        };
        const accepted = (features & device.features) | VERSION_1;
        for (const window of [0n, 1n]) {
          write("driver_feature_select", window);
          write("driver_feature", (accepted >> (window * 32n)) & 0xffff_ffffn);
        }
        write("device_status", BigInt(READY));
        queues.forEach(({ places, size, descriptors, available }, index) => {
          write("queue_select", BigInt(index));
          write("queue_size", BigInt(size));
          write("queue_desc", places[0]);
          write("queue_driver", places[1]);
          write("queue_device", places[2]);
          write("queue_enable", 1n);
          for (const [place, bytes] of [
            [places[0], Uint8Array.from(descriptors.flatMap((one) => [...one]))],
            [places[1], available],
          ] as const) {
            if (place < GUEST_SIZE - 512) memory.write(Number(place), bytes);
          }
        });
        for (const [at, bytes] of requests) memory.write(at, Uint8Array.from(bytes));
        const next = numbers(noise);
        const end = changing ? otherProcessor(memory, device, next) : () => {};
        try {
          write("device_status", BigInt(DRIVER_OK));
          for (let round = 0; round < rounds; round++) {
            device.notify(next() % 8);
            device.run(undefined, 1000);
            device.finish();
            // More requests, where the driver has its available ring.
            for (const { places } of queues) {
              const at = Number(places[1]) + 2;
              if (places[1] < GUEST_SIZE - 4) memory.write(at, Uint8Array.of(next() % 32, 0));
            }
          }
        } finally {
          end();
        }
        if ((device.status & NEEDS_RESET) === 0) counts.live++;
        else counts.broken++;
        check();
        expect(isLeaked(contents())).toBe(false);
        device.save();

        const bus = { common, notify: (index: number) => device.notify(index) };
        const again = new GuestDriver(bus, memory, new Allocator(0x1000, GUEST_SIZE), VERSION_1);
        expect(again.status).toBe(DRIVER_OK);
        device.run();
        expect(again.status).toBe(DRIVER_OK);
      }),
      { seed, numRuns: 200 },
    );
    // A run in which every attack fails at once, or none does any harm, tests nothing.
    expect(counts.live).toBeGreaterThan(20);
    expect(counts.broken).toBeGreaterThan(20);
  });
});

describe.each(MEMBERS)("a chain that names the same memory over and over, for a %s device", (name) => {
  it("is not copied when it is longer than what the device can use", () => {
    const memory = GuestMemory.of(1 << 20);
    const { device } = target(name, memory);
    const bus = { common: new CommonConfig(device), notify: (index: number) => device.notify(index) };
    const driver = new GuestDriver(bus, memory, new Allocator(0x1000, 1 << 19), VERSION_1 | (1n << 28n));
    // Of each kind of request that takes data.
    const heads = [
      [1, 0, 0, 0],
      [11, 0, 0, 0],
      [0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0],
    ];
    const REQUEST = 0xff000;
    const TABLE = 0xe0000;
    // struct virtq_desc: the request, 200 times the same 832 KiB, and room for an answer.
    const chain = [[REQUEST, 4096, 1], ...new Array(200).fill([0x10000, 0xd0000, 1]), [0xf0000, 64, 2]];
    const table = new DataView(new ArrayBuffer(16 * chain.length));
    chain.forEach(([at, length, flags], index) => {
      table.setBigUint64(16 * index, BigInt(at), true);
      table.setUint32(16 * index + 8, length, true);
      table.setUint16(16 * index + 12, flags, true);
      table.setUint16(16 * index + 14, index + 1, true);
    });
    memory.write(TABLE, new Uint8Array(table.buffer));
    const indirect = new DataView(new ArrayBuffer(16));
    indirect.setBigUint64(0, BigInt(TABLE), true);
    indirect.setUint32(8, table.byteLength, true);
    indirect.setUint16(12, 4, true);
    let answered = 0;
    const readSizes: number[] = [];
    const original = DescriptorChain.prototype.readInto;
    const spy = vi.spyOn(DescriptorChain.prototype, "readInto").mockImplementation(function (
      this: DescriptorChain,
      into: Uint8Array,
      start?: number,
    ) {
      readSizes.push(into.length);
      return original.call(this, into, start);
    });
    try {
      for (const [index, { place }] of driver.queues.entries()) {
        memory.write(place.descriptorArea, new Uint8Array(indirect.buffer));
        for (const [count, head] of heads.entries()) {
          memory.write(REQUEST, Uint8Array.from(head));
          memory.write(place.driverArea + 2, Uint8Array.of(count + 1));
          device.notify(index);
          // A buffer that the device keeps, to receive into, cannot be offered again.
          if (memory.read(place.deviceArea + 2, 1)[0] !== count + 1) break;
          answered++;
        }
      }
    } finally {
      spy.mockRestore();
    }
    expect(driver.status).toBe(DRIVER_OK);
    expect(answered).toBeGreaterThanOrEqual(heads.length);
    // All of it would be 162 MiB. A request of a file system device is 1 MiB and its head.
    expect(Math.max(0, ...readSizes)).toBeLessThan(1.1 * (1 << 20));
  });
});

describe("a driver whose device makes buffers available to itself", () => {
  it("does not keep it at work for ever", () => {
    const RUN = 1 << 16;
    const sectors = RUN / 2 + 8;
    const disk = new Uint8Array(sectors * 512);
    const view = new DataView(disk.buffer);
    // Reading sector k makes the next request available, and it reads sector k + 1: the request and the available ring
    // lie in what is read.
    for (let k = 0; k < sectors; k++) {
      view.setBigUint64(k * 512 + 8, BigInt(k + 1), true);
      view.setUint16(k * 512 + 34, (k + 2) & 0xffff, true);
    }
    const memory = GuestMemory.of(0x10000);
    const type = new BlkDevice({ disk, queueSize: 1 });
    const device = new VirtioDevice(type, memory, { queue: () => {}, config: () => {} }, { deferred: true });
    const REQUEST = 0x4000;
    const put = (at: number, bytes: readonly number[]) => memory.write(at, Uint8Array.from(bytes));
    // One descriptor: an indirect table with the head of the request, the sector that is read over it, and the status.
    put(0x1000, [0, 0x20, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 4, 0, 0, 0]);
    put(0x2000, [0, 0x40, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0]);
    put(0x2010, [0, 0x40, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 2, 0]);
    put(0x2020, [0, 0x50, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
    const common = new CommonConfig(device);
    const write = (register: string, value: number): void => {
      const { at, size } = common.place(register);
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setUint32(0, value, true);
      common.write(at, bytes.subarray(0, size));
    };
    for (const [window, bits] of [
      [0, 1 << 28],
      [1, 1],
    ] as const) {
      write("driver_feature_select", window);
      write("driver_feature", bits);
    }
    write("device_status", READY);
    write("queue_desc", 0x1000);
    write("queue_driver", REQUEST + 32);
    write("queue_device", 0x6000);
    write("queue_enable", 1);
    write("device_status", DRIVER_OK);
    put(REQUEST + 34, [1, 0]);
    expect(device.run()).toBe(RUN);
    expect(type.completed).toBe(RUN / 2);
    expect(device.status).toBe(DRIVER_OK);
  });
});
