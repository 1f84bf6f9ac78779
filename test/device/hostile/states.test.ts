/** Contexts, parts, records and internal states that somebody has damaged, written to a device. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FuseSession } from "../../../src/device/devices/fs/session.js";
import { restoreSession, saveSession } from "../../../src/device/devices/fs/state.js";
import { FsTree } from "../../../src/device/devices/fs/tree.js";
import { AdminCommandError, AdminDriver } from "../../../src/device/drivers/admin-driver.js";
import { DevicePartsDriver, ObjectIds } from "../../../src/device/drivers/device-parts-driver.js";
import { VfioError, VfioVirtioDevice } from "../../../src/device/drivers/vfio-virtio.js";
import { writeDeviceContext } from "../../../src/device/formats/device-context.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { GuestDriver } from "../../../src/device/guest/guest-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { OwnerDevice } from "../../../src/device/owner/owner-device.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { seed } from "../../properties/drawn.js";
import { damaged, GUEST_SIZE, guardedHost, guardedMemory, MEMBERS, target } from "./scene.js";

const VERSION_1 = 1n << 32n;
const OK = 0;
const EINVAL = 22;
const BLK = 2;
const CTX_WRITE = 0x0b;
const MODE_SET = 0x08;
const DISCARD = 0x0d;
const ACTIVE = 0;
const FREEZE = 2;

/** Pieces of a context as commands carry them: multiples of 8 bytes, the last one filled up. */
function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = new Uint8Array(Math.ceil(Math.min(size, bytes.length - at) / 8) * 8);
    piece.set(bytes.subarray(at, at + size));
    found.push(piece);
  }
  return found;
}

/** A device that a driver has set up, as a context. */
function contextOf(name: string): Uint8Array {
  const { memory } = guardedMemory();
  const { device } = target(name, memory);
  const bus = { common: new CommonConfig(device), notify: (queue: number) => device.notify(queue) };
  new GuestDriver(bus, memory, new Allocator(0x1000, GUEST_SIZE), VERSION_1);
  return writeDeviceContext(device.save());
}

describe.each(MEMBERS)("a damaged context of a %s device", (name) => {
  it("is refused or taken, and breaks nothing", () => {
    const context = contextOf(name);
    const counts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(
        damaged(context),
        fc.integer({ min: 1, max: 40 }),
        fc.uint8Array({ maxLength: 200 }),
        (bytes, units, memoryBytes) => {
          const { memory, check } = guardedMemory();
          const { device } = target(name, memory);
          const own = guardedMemory();
          const type = new OwnerDevice({ members: new Map([[1, device]]), profile: new DraftV2Profile() });
          const owner = new VirtioDevice(type, own.memory, { queue: () => {}, config: () => {} });
          const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
          const admin = new AdminDriver(bus, own.memory, new Allocator(0x1000, GUEST_SIZE), 1 << 13);
          admin.useAll();
          const send = (opcode: number, data: Uint8Array) => admin.attempt({ opcode, memberId: 1, data });
          expect(send(MODE_SET, Uint8Array.of(FREEZE)).status).toBe(OK);
          const fresh = device.save();
          for (const piece of pieces(bytes, units * 8)) {
            const { status } = send(CTX_WRITE, piece);
            expect([OK, EINVAL]).toContain(status);
            if (status !== OK) break;
          }
          // Guest memory comes with the guest, and its driver is hostile, too.
          for (let at = 0x1000; at < GUEST_SIZE - 200; at += 0x1000) memory.write(at, memoryBytes);
          if (send(MODE_SET, Uint8Array.of(ACTIVE)).status === OK) counts.taken++;
          else {
            counts.refused++;
            expect(device.save()).toEqual(fresh);
            send(DISCARD, new Uint8Array(0));
            expect(send(MODE_SET, Uint8Array.of(ACTIVE)).status).toBe(OK);
          }
          device.run(undefined, 100);
          device.save();
          check();
          own.check();
          device.reset();
          const guest = { common: new CommonConfig(device), notify: (queue: number) => device.notify(queue) };
          const driver = new GuestDriver(guest, memory, new Allocator(0x1000, GUEST_SIZE), VERSION_1);
          expect(driver.status).toBe(0x0f);
        },
      ),
      { seed, numRuns: 150 },
    );
    expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(10);
  });
});

function partsHost() {
  const one = guardedHost(new Virtio14Profile());
  return { ...one, parts: new DevicePartsDriver(one.admin, 1, new ObjectIds()) };
}

describe("damaged device parts", () => {
  it("are refused or taken, and break nothing", () => {
    const all = partsHost().parts.getParts();
    const counts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(damaged(all), (bytes) => {
        const { parts, member, check, guest } = partsHost();
        parts.stop();
        const before = parts.getParts();
        try {
          parts.setParts(bytes);
          counts.taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(AdminCommandError);
          counts.refused++;
          expect(parts.getParts()).toEqual(before);
        }
        parts.resume();
        member.run(undefined, 100);
        member.reset();
        check();
        expect(guest.driver.status).toBe(0);
      }),
      { seed, numRuns: 200 },
    );
    expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(5);
  });
});

describe("a damaged stream of records", () => {
  it("is refused or taken, and breaks nothing", () => {
    const from = partsHost();
    const saving = new VfioVirtioDevice(from.parts, { device: BLK });
    saving.setState("STOP_COPY");
    const stream = saving.read(1 << 16);
    const counts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(damaged(stream), fc.integer({ min: 1, max: 400 }), (bytes, size) => {
        const { parts, member, check } = partsHost();
        const vfio = new VfioVirtioDevice(parts, { device: BLK });
        vfio.setState("RESUMING");
        try {
          for (let at = 0; at < bytes.length; at += size) vfio.write(bytes.subarray(at, at + size));
          counts.taken++;
        } catch (error) {
          if (!(error instanceof AdminCommandError)) expect(error).toBeInstanceOf(VfioError);
          counts.refused++;
        }
        vfio.setState("STOP");
        expect(parts.openObjects).toBe(0);
        vfio.setState("RUNNING");
        member.run(undefined, 100);
        check();
      }),
      { seed, numRuns: 200 },
    );
    expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(5);
  });
});

describe("a damaged session of a file system device", () => {
  it("is refused or taken, and leaves nothing behind", () => {
    const tree = new FsTree({ nodes: 64 });
    for (const name of ["a", "b", "d/e", "d/f"]) tree.put(name, new Uint8Array(1));
    const session = new FuseSession(tree, true, 45);
    const d = tree.lookup(tree.root, "d");
    for (const name of ["e", "f"]) session.opened(session.lookedUp(tree.lookup(d, name)), 2);
    session.lookedUp(tree.lookup(tree.root, "a"));
    const state = saveSession(session);
    session.end();
    const counts = { taken: 0, refused: 0 };
    const nodes = [tree.root, d, ...[...tree.root.entries.values()].map(({ node }) => node)];
    fc.assert(
      fc.property(damaged(state, 2, 1), (bytes) => {
        try {
          const restored = restoreSession(bytes, tree);
          if (restored !== undefined) restoreSession(saveSession(restored), tree)?.end();
          // Numbers that a reply can still hold.
          expect(restored === undefined || restored.next.node < 2n ** 64n).toBe(true);
          restored?.end();
          counts.taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          counts.refused++;
        }
        expect(nodes.map(({ holders }) => holders)).toEqual(nodes.map(() => 0));
      }),
      { seed, numRuns: 500 },
    );
    expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(5);
  });
});
