/** An owner's driver that sends anything through the administration virtqueue, while the member's guest is at work. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { GuestDriver } from "../../../src/device/guest/guest-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { OwnerDevice } from "../../../src/device/owner/owner-device.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { seed } from "../../properties/drawn.js";
import { guardedHost, numbers, otherProcessor, target } from "./scene.js";

const VERSION_1 = 1n << 32n;
const ADMIN_VQ = 1n << 41n;
const OK = 0;
/** Every status that there is. */
const STATUSES = [0, 6, 11, 12, 16, 17, 22, 28];

const word = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(0x100, 0x102, 0x1000, 0xffff, 0xffffffff));
/** Fields of 1 to 8 bytes with small numbers, and bytes without a meaning. */
const data = fc
  .array(
    fc.oneof(
      fc
        .tuple(word, fc.constantFrom(1, 2, 4, 8))
        .map(([value, size]) =>
          Array.from({ length: size }, (_, i) => (i < 4 ? (value >>> (8 * i)) & 0xff : 0)),
        ),
      fc.uint8Array({ maxLength: 24 }).map((bytes) => [...bytes]),
    ),
    { maxLength: 12 },
  )
  .map((fields) => fields.flat());

const command = fc
  .record({
    opcode: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 0x13 }) }, fc.nat({ max: 0xffff })),
    group: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 1, 1) }, fc.nat({ max: 0xffff })),
    member: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 1, 1) }, fc.nat({ max: 0xffff })),
    data,
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(1000) }, fc.nat({ max: 40 })),
    room: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 2000 })),
  })
  .map(({ opcode, group, member, data, cut, room }) => {
    const head = new Uint8Array(24);
    const view = new DataView(head.buffer);
    view.setUint16(0, opcode, true);
    view.setUint16(2, group, true);
    view.setUint16(16, member, true);
    return { bytes: [...head, ...data].slice(0, Math.max(1, cut)), room: Math.max(1, room) };
  });

describe.each([
  ["draft-v2", () => new DraftV2Profile()],
  ["virtio 1.4", () => new Virtio14Profile({ legacy: { notifyAddresses: () => [] } })],
] as const)("a hostile driver of an owner, %s", (_, profile) => {
  it("gets a status for everything, and touches nothing else", () => {
    const statuses = new Map<number, number>();
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 5, maxLength: 40 }),
        fc.nat(),
        fc.boolean(),
        (commands, noise, changing) => {
          const { owner, member, admin, guest, memory, check, connect } = guardedHost(profile());
          const next = numbers(noise);
          const end = changing ? otherProcessor(memory, member, next) : () => {};
          try {
            for (const { bytes, room } of commands) {
              const answer = admin.attemptRaw(Uint8Array.from(bytes), room);
              // As much of a status as there is room for.
              expect(answer.length).toBeLessThanOrEqual(room);
              if (room >= 2) {
                const status = (answer[0] ?? 0) + 256 * (answer[1] ?? 0);
                expect(STATUSES).toContain(status);
                statuses.set(status, (statuses.get(status) ?? 0) + 1);
              }
              if (!changing && next() % 4 === 0) guest.readSectors(next() % 8, 1);
              member.run(undefined, 100);
            }
          } finally {
            end();
          }
          check();
          const again = connect();
          expect(again.useAll().slice(0, 2)).toEqual([0, 1]);
          expect(owner.isLive).toBe(true);
        },
      ),
      { seed, numRuns: 150 },
    );
    // Some of it has to get beyond the first check.
    expect(statuses.get(OK) ?? 0).toBeGreaterThan(100);
    expect(statuses.size).toBeGreaterThan(1);
  });

  it("gets a refusal for more data than the owner takes, and none of it is copied", () => {
    const memory = GuestMemory.of(1 << 21);
    const members = new Map([[1, target("blk", GuestMemory.of(1 << 16)).device]]);
    const type = new OwnerDevice({ members, profile: profile() });
    const owner = new VirtioDevice(type, memory, { queue: () => {}, config: () => {} });
    const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
    const driver = new GuestDriver(bus, memory, new Allocator(0x1000, 1 << 20), VERSION_1 | ADMIN_VQ);
    const [queue] = driver.queues;
    // 126 MiB: all of memory, 63 times.
    const whole = { address: 0, length: 1 << 21 };
    queue?.add({ readable: new Array(63).fill(whole), writable: [{ address: 0x200, length: 8 }] });
    owner.notify(0);
    expect(queue?.poll()?.written).toBe(8);
    // ENOMEM, with VIRTIO_ADMIN_STATUS_Q_NORESOURCE.
    expect([...memory.read(0x200, 4)]).toEqual([12, 0, 6, 0]);
  });

  it("cannot keep the owner busy with a list of millions of commands", () => {
    const memory = GuestMemory.of(1 << 21);
    const members = new Map([[1, target("blk", GuestMemory.of(1 << 16)).device]]);
    const type = new OwnerDevice({ members, profile: profile() });
    const owner = new VirtioDevice(type, memory, { queue: () => {}, config: () => {} });
    const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
    const driver = new GuestDriver(bus, memory, new Allocator(0x1000, 1 << 20), VERSION_1 | ADMIN_VQ);
    const [queue] = driver.queues;
    const list = (bits: number): number[] => {
      memory.write(1 << 20, new Uint8Array(1 << 20).fill(bits));
      // LIST_USE of the SR-IOV group, and 16 MiB of opcodes.
      memory.write(0x100, Uint8Array.of(1, 0, 1, 0, ...new Array<number>(20).fill(0)));
      const ones = { address: 1 << 20, length: 1 << 20 };
      queue?.add({
        readable: [{ address: 0x100, length: 24 }, ...new Array(16).fill(ones)],
        writable: [{ address: 0x200, length: 8 }],
      });
      owner.notify(0);
      expect(queue?.poll()?.written).toBe(8);
      return [...memory.read(0x200, 4)];
    };
    // EINVAL, with VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD.
    expect(list(0xff)).toEqual([22, 0, 3, 0]);
    // No command at all can be asked for at any length.
    expect(list(0)).toEqual([0, 0, 0, 0]);
  });
});
