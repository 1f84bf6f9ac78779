/**
 * What virtio 1.4 requires of every group administration command, whatever the profile.
 * @source virtio 1.4, Group administration commands; Administration Virtqueues (admin.tex)
 */
import { describe, expect, it } from "vitest";
import { AdminDriver } from "../../../src/device/drivers/admin-driver.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { GuestDriver } from "../../../src/device/guest/guest-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { OwnerDevice } from "../../../src/device/owner/owner-device.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { type Host, host, MEMBER } from "./bench.js";

const OK = 0;
const EINVAL = 22;
const INVALID_OPCODE = 2;
const INVALID_FIELD = 3;
const INVALID_GROUP = 4;
const INVALID_MEMBER = 5;
const SRIOV = 1;
const LIST_QUERY = 0;
const LIST_USE = 1;

/** Puts a command into the owner's administration virtqueue byte by byte, and gives what comes back. */
function raw(one: Host, readable: readonly number[], writable: number): Uint8Array {
  return one.admin.attemptRaw(Uint8Array.from(readable), writable);
}

const le16 = (value: number): number[] => [value & 0xff, value >> 8];
const command = (opcode: number, member: number, data: readonly number[] = [], group = SRIOV): number[] => [
  ...le16(opcode),
  ...le16(group),
  ...new Array(12).fill(0),
  member,
  ...new Array(7).fill(0),
  ...data,
];

describe.each([
  // Group type 0 is the self group, which the draft's owner has no commands for.
  ["draft-v2", () => new DraftV2Profile(), 0x08, INVALID_GROUP],
  ["virtio 1.4", () => new Virtio14Profile(), 0x11, INVALID_OPCODE],
] as const)("administration commands, %s", (_, profile, modeSet, groupZero) => {
  const scene = () => host(profile());

  it("checks the group before the opcode, and the opcode before the member", () => {
    const { admin } = scene();
    const failure = (opcode: number, memberId: number, groupType: number) =>
      admin.attempt({ opcode, memberId, groupType });
    expect(failure(0x7fff, 9, 7)).toMatchObject({ status: EINVAL, qualifier: INVALID_GROUP });
    expect(failure(0x7fff, 9, SRIOV)).toMatchObject({ status: EINVAL, qualifier: INVALID_OPCODE });
    expect(failure(modeSet, 9, SRIOV)).toMatchObject({ status: EINVAL, qualifier: INVALID_MEMBER });
    expect(failure(modeSet, 0, SRIOV)).toMatchObject({ status: EINVAL, qualifier: INVALID_MEMBER });
  });

  it("checks the group first for opcodes that may stand in another structure, too", () => {
    for (const opcode of [0x8000, 0xffff]) {
      expect([...raw(scene(), command(opcode, MEMBER, [], 7), 8).subarray(0, 4)]).toEqual([
        EINVAL,
        0,
        INVALID_GROUP,
        0,
      ]);
      expect([...raw(scene(), command(opcode, 9), 8).subarray(0, 4)]).toEqual([EINVAL, 0, INVALID_OPCODE, 0]);
    }
  });

  it("knows only the two commands of lists before the driver has said what it uses", () => {
    const { admin } = host(profile(), { useAll: false });
    expect(admin.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(1) })).toMatchObject({
      status: EINVAL,
      qualifier: INVALID_OPCODE,
    });
    admin.useAll();
    expect(admin.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(1) }).status).toBe(OK);
  });

  it("fails what is not in the list that the driver has given, lists included", () => {
    const { admin } = scene();
    const use = (word: bigint) => {
      const data = new Uint8Array(8);
      new DataView(data.buffer).setBigUint64(0, word, true);
      return admin.attempt({ opcode: LIST_USE, memberId: 0, data });
    };
    expect(use(1n << 63n)).toMatchObject({ status: EINVAL, qualifier: INVALID_FIELD });
    expect(use(0b10n).status).toBe(OK);
    expect(admin.attempt({ opcode: LIST_QUERY, memberId: 0, room: 8 })).toMatchObject({
      qualifier: INVALID_OPCODE,
    });
    expect(admin.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(0) }).status).toBe(EINVAL);
  });

  it("keeps the lists of group types apart", () => {
    const { admin } = scene();
    const use = (groupType: number, word: number) =>
      admin.attempt({
        opcode: LIST_USE,
        memberId: 0,
        groupType,
        data: Uint8Array.of(word, 0, 0, 0, 0, 0, 0, 0),
      });
    if (groupZero === INVALID_GROUP) {
      expect(use(0, 3)).toMatchObject({ status: EINVAL, qualifier: INVALID_GROUP });
      return;
    }
    expect(use(0, 0b11).status).toBe(OK);
    expect(admin.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(0) }).status).toBe(OK);
    const lists = [0, SRIOV].map(
      (groupType) => admin.attempt({ opcode: LIST_QUERY, memberId: 0, groupType, room: 8 }).result,
    );
    expect(lists[0]).not.toEqual(lists[1]);
  });

  it("never reports less than before, and after a reset takes the list that was used before it", () => {
    const one = scene();
    const list = (admin: typeof one.admin) =>
      admin.attempt({ opcode: LIST_QUERY, memberId: 0, room: 16 }).result;
    const before = list(one.admin);
    one.admin.attempt({ opcode: LIST_USE, memberId: 0, data: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0) });
    expect(list(one.admin)).toEqual(before);
    const again = one.connect();
    expect(again.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(0) })).toMatchObject({
      status: EINVAL,
      qualifier: INVALID_OPCODE,
    });
    expect(list(again)).toEqual(before);
    expect(again.attempt({ opcode: LIST_USE, memberId: 0, data: before }).status).toBe(OK);
  });

  it("has no group while there are no members", () => {
    const memory = GuestMemory.of(1 << 16);
    const type = new OwnerDevice({ members: new Map(), profile: profile() });
    const owner = new VirtioDevice(type, memory, { queue: () => {}, config: () => {} });
    const bus = { common: new CommonConfig(owner), notify: (queue: number) => owner.notify(queue) };
    const admin = new AdminDriver(bus, memory, new Allocator(0x1000, 1 << 16), 1 << 10);
    for (const opcode of [LIST_QUERY, LIST_USE, modeSet, 0x7fff]) {
      expect(admin.attempt({ opcode, memberId: 1 })).toMatchObject({
        status: EINVAL,
        qualifier: INVALID_GROUP,
      });
    }
  });

  it("writes every byte of the answer's head, whatever was there", () => {
    const { owner } = scene();
    const memory = GuestMemory.of(1 << 16);
    const members = new Map([[MEMBER, scene().member]]);
    const type = new OwnerDevice({ members, profile: profile() });
    const other = new VirtioDevice(type, memory, { queue: () => {}, config: () => {} });
    const bus = { common: new CommonConfig(other), notify: (queue: number) => other.notify(queue) };
    const driver = new GuestDriver(bus, memory, new Allocator(0x1000, 1 << 16), owner.features);
    memory.write(0x100, Uint8Array.from(command(LIST_QUERY, 0)));
    memory.write(0x200, new Uint8Array(64).fill(0xff));
    const [queue] = driver.queues;
    queue?.add({ readable: [{ address: 0x100, length: 24 }], writable: [{ address: 0x200, length: 64 }] });
    other.notify(0);
    expect(queue?.poll()?.written).toBe(16);
    expect([...memory.read(0x200, 8), ...memory.read(0x210, 2)]).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
    ]);
  });

  it("takes commands that are too short, and reads zeros where bytes are missing", () => {
    const one = scene();
    // Mode 0 is what is missing; a whole command ends in a group's member, which is 0 when it is cut off.
    expect(raw(one, command(modeSet, MEMBER), 8)[0]).toBe(OK);
    expect([...raw(one, command(modeSet, MEMBER).slice(0, 16), 8).subarray(0, 4)]).toEqual([22, 0, 5, 0]);
    expect([...raw(one, [0xff], 8).subarray(0, 4)]).toEqual([22, 0, groupZero, 0]);
  });

  it("takes commands that are longer, and ignores what is beyond", () => {
    const one = scene();
    expect(
      raw(one, command(modeSet, MEMBER, [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 64),
    ).toHaveLength(8);
    expect(one.member.mode).toBe("stop");
  });

  it("takes lengths that are no multiple of 8, as Linux sends them", () => {
    const one = scene();
    expect(raw(one, command(modeSet, MEMBER, [1]), 8)[0]).toBe(OK);
    expect(one.member.mode).toBe("stop");
  });

  it("writes no more than there is room for, and says how much that is", () => {
    const one = scene();
    for (const room of [1, 2, 3, 4, 7, 8, 9]) {
      expect(raw(one, command(LIST_QUERY, 0), room)).toHaveLength(room);
    }
  });

  it("changes nothing when it fails", () => {
    const one = scene();
    const before = one.member.save();
    for (let opcode = 0; opcode < 0x20; opcode++) {
      const { status } = one.admin.attempt({
        opcode,
        memberId: MEMBER,
        data: new Uint8Array(40).fill(0xff),
        room: 64,
      });
      if (status !== OK) expect(one.member.save()).toEqual(before);
    }
  });

  it("carries out the commands of a queue in order", () => {
    const one = scene();
    for (const mode of [1, 0, 1])
      one.admin.attempt({ opcode: modeSet, memberId: MEMBER, data: Uint8Array.of(mode) });
    expect(one.log.slice(-3).map(({ status }) => status)).toEqual([OK, OK, OK]);
    expect(one.member.mode).toBe("stop");
  });
});
