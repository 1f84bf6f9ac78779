/**
 * Devices whose driver is out to break them: guest memory lies between bytes that nobody may touch, and changes whenever
 * the device has written to it or read from it, as if another processor was at work.
 */
import fc from "fast-check";
import { expect, vi } from "vitest";
import { BlkDevice } from "../../../src/device/devices/blk.js";
import { FsTree } from "../../../src/device/devices/fs/tree.js";
import { FsDevice } from "../../../src/device/devices/fs.js";
import { NetDevice } from "../../../src/device/devices/net.js";
import { Responder } from "../../../src/device/devices/responder.js";
import { AdminDriver } from "../../../src/device/drivers/admin-driver.js";
import { enableDeviceParts } from "../../../src/device/drivers/device-parts-driver.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { BlkDriver } from "../../../src/device/guest/blk-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import type { DeviceType } from "../../../src/device/member/device-type.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import type { CommandProfile } from "../../../src/device/owner/command.js";
import { OwnerDevice } from "../../../src/device/owner/owner-device.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { DescriptorChain } from "../../../src/device/rings/chain.js";

const GUARD = 4096;
const MARK = 0xc5;
const PACKED = 1n << 34n;
export const GUEST_SIZE = 1 << 16;

export interface Guarded {
  readonly memory: GuestMemory;
  /** Fails when a byte outside guest memory has changed. */
  readonly check: () => void;
}

/** Guest memory with bytes around it. */
export function guardedMemory(size: number = GUEST_SIZE): Guarded {
  const all = new Uint8Array(size + 2 * GUARD).fill(MARK);
  const bytes = all.subarray(GUARD, GUARD + size).fill(0);
  return {
    memory: new GuestMemory([{ guestAddress: 0, bytes }]),
    check: () => {
      const around = [all.subarray(0, GUARD), all.subarray(GUARD + size)];
      for (const guard of around) expect(guard.findIndex((byte) => byte !== MARK)).toBe(-1);
    },
  };
}

/** Whether what the guest may not see has come to where it can. */
export function isLeaked(bytes: Uint8Array): boolean {
  for (let at = bytes.indexOf(MARK), run = 0; at >= 0 && at < bytes.length; at++) {
    run = bytes[at] === MARK ? run + 1 : 0;
    if (run === 8) return true;
  }
  return false;
}

export interface Target {
  readonly type: DeviceType;
  /** All that is stored in the device, for a look at what has come into it. */
  readonly contents: () => Uint8Array;
}

export const TARGETS: Readonly<Record<string, () => Target>> = {
  blk: () => {
    const disk = new Uint8Array(64 * 512);
    return { type: new BlkDevice({ disk, queues: 2, queueSize: 16, depth: 4 }), contents: () => disk };
  },
  fs: () => {
    const tree = new FsTree({ capacity: 1 << 16, nodes: 64 });
    tree.put("a", new Uint8Array(100).fill(1));
    tree.put("d/b", new Uint8Array(10).fill(2));
    const type = new FsDevice({ tree, requestQueues: 2, queueSize: 16, depth: 4, notifications: true });
    return {
      type,
      contents: () => {
        const file = tree.find("a");
        return file?.kind === "file" ? file.room : new Uint8Array(0);
      },
    };
  },
  net: () => {
    const link = new Responder({ address: 0x0a000001, mac: Uint8Array.of(2, 0, 0, 0, 0, 1) });
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 2);
    const type = new NetDevice({ mac, link, pairs: 2, queueSize: 16, ahead: 2 });
    return { type, contents: () => type.config() };
  },
  owner: () => {
    const { device } = target("blk", GuestMemory.of(GUEST_SIZE));
    const type = new OwnerDevice({
      members: new Map([[1, device]]),
      profile: new Virtio14Profile({ legacy: {} }),
      queueSize: 16,
    });
    return { type, contents: () => device.type.config() };
  },
};

/** Those that an owner migrates. */
export const MEMBERS: readonly string[] = Object.keys(TARGETS).filter((name) => name !== "owner");

/** A device of one of the types, in guarded memory. */
export function target(name: string, memory: GuestMemory): Target & { readonly device: VirtioDevice } {
  const make = TARGETS[name];
  if (make === undefined) throw new RangeError(name);
  const one = make();
  const device = new VirtioDevice(one.type, memory, { queue: () => {}, config: () => {} }, { packed: true });
  return { ...one, device };
}

/**
 * Changes memory whenever a device has written to it, or has read a chain: what it looks at a second time is another.
 * `next` gives numbers from 0 up to 2^32. Gives what ends this.
 */
export function otherProcessor(memory: GuestMemory, device: VirtioDevice, next: () => number): () => void {
  const scramble = (): void => {
    for (const { bytes } of memory.regions) {
      for (let i = 0; i < 4; i++) bytes[next() % bytes.length] = next() & 0xff;
    }
  };
  const observer = { wrote: scramble };
  device.memory.observe(observer);
  const original = DescriptorChain.prototype.readInto;
  const spy = vi.spyOn(DescriptorChain.prototype, "readInto").mockImplementation(function (
    this: DescriptorChain,
    into: Uint8Array,
    start?: number,
  ) {
    const size = original.call(this, into, start);
    scramble();
    return size;
  });
  return () => {
    device.memory.unobserve(observer);
    spy.mockRestore();
  };
}

/** Numbers that a seed decides (xorshift). */
export function numbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** An owner with one block device as member 1, whose guest works; both in guarded memory. */
export function guardedHost(profile: CommandProfile) {
  const guest = guardedMemory();
  const { device: member } = target("blk", guest.memory);
  const own = guardedMemory();
  const type = new OwnerDevice({ members: new Map([[1, member]]), profile });
  const owner = new VirtioDevice(type, own.memory, { queue: () => {}, config: () => {} });
  const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
  const connect = (): AdminDriver =>
    new AdminDriver(bus, own.memory, new Allocator(0x1000, GUEST_SIZE), 1 << 13);
  const admin = connect();
  admin.useAll();
  if (profile.ownerCommands.length > 0) {
    admin.useAll(0);
    enableDeviceParts(admin);
  }
  const memberBus = { common: new CommonConfig(member), notify: (queue: number) => member.notify(queue) };
  const driver = new BlkDriver(memberBus, guest.memory, new Allocator(0x1000, GUEST_SIZE), {
    without: PACKED,
    slots: 8,
    sectors: 2,
  });
  const check = (): void => {
    guest.check();
    own.check();
  };
  return { owner, member, admin, guest: driver, memory: guest.memory, connect, check };
}

/** Bytes that are close to something valid: with up to `width` of them changed, cut out or put in, up to `most` times. */
export function damaged(bytes: Uint8Array, most = 6, width = 16): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom("set", "set", "set", "cut", "put", "double"),
    at: fc.nat({ max: Math.max(0, bytes.length - 1) }),
    with: fc.uint8Array({ minLength: 1, maxLength: width }),
  });
  return fc.array(edit, { minLength: 1, maxLength: most }).map((edits) => {
    let changed = [...bytes];
    for (const { kind, at, with: given } of edits) {
      const { length } = given;
      if (kind === "set") changed.splice(at, length, ...given);
      else if (kind === "cut") changed.splice(at, length * 4);
      else if (kind === "put") changed.splice(at, 0, ...given);
      else changed = [...changed.slice(0, at), ...changed.slice(at, at + 64), ...changed.slice(at)];
    }
    return Uint8Array.from(changed);
  });
}
