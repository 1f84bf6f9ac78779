/**
 * The requirements of virtio 1.4 on legacy access through the owner, sentence by sentence, each driven through the
 * administration virtqueue.
 * @source virtio 1.4, Legacy Interfaces (admin-cmds-legacy-interface.tex)
 */
import { describe, expect, it } from "vitest";
import { LegacyDriver } from "../../../src/device/drivers/legacy-driver.js";
import type { CommandProfile } from "../../../src/device/owner/command.js";
import { type LegacyOptions, legacyCommands } from "../../../src/device/owner/legacy-access.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { SplitDriverQueue } from "../../../src/device/rings/split-driver.js";
import { type Host, host, MEMBER, SECTORS } from "./bench.js";

const OK = 0;
const EINVAL = 22;
const INVALID_OPCODE = 2;
const INVALID_FIELD = 3;
const COMMON_WRITE = 2;
const COMMON_READ = 3;
const DEVICE_WRITE = 4;
const DEVICE_READ = 5;
const NOTIFY_INFO = 6;

interface Scene extends Host {
  readonly legacy: LegacyDriver;
  /** A command with exactly these bytes behind its head, and exactly this room for a result. */
  readonly exact: (opcode: number, data: readonly number[], room?: number) => Answer;
}

interface Answer {
  readonly status: number;
  readonly qualifier: number;
  readonly result: Uint8Array;
}

function scene(legacy: LegacyOptions = {}, options: Parameters<typeof host>[1] = {}): Scene {
  const one = host(new Virtio14Profile({ legacy }), options);
  const msix = legacy.msixEnabled === undefined;
  return {
    ...one,
    legacy: new LegacyDriver(one.admin, MEMBER, msix),
    exact: (opcode, data, room = 0) => {
      const head = [opcode, 0, 1, 0, ...new Array(12).fill(0), MEMBER, ...new Array(7).fill(0)];
      const bytes = one.admin.attemptRaw(Uint8Array.from([...head, ...data]), 8 + room);
      return { status: bytes[0] ?? 0, qualifier: bytes[2] ?? 0, result: bytes.slice(8) };
    },
  };
}

const writeData = (offset: number, bytes: readonly number[]) => [offset, 0, 0, 0, 0, 0, 0, 0, ...bytes];

/** Offsets and sizes from the tables of the specification: the registers, with MSI-X, and struct virtio_blk_config. */
const COMMON = [
  [0, 4],
  [4, 4],
  [8, 4],
  [12, 2],
  [14, 2],
  [16, 2],
  [18, 1],
  [19, 1],
  [20, 2],
  [22, 2],
] as const;
const BLK_CONFIG = [
  [0, 8],
  [8, 4],
  [12, 4],
  [16, 2],
  [18, 1],
  [19, 1],
  [20, 4],
  [24, 1],
  [25, 1],
  [26, 2],
  [28, 4],
  [32, 1],
  [33, 1],
  [34, 2],
  [36, 4],
  [40, 4],
  [44, 4],
  [48, 4],
  [52, 4],
  [56, 1],
  [57, 3],
] as const;

/** Every access of up to 9 bytes; that of 8 is left out, because it may be a shorter one that was filled up. */
function checkEveryAccess(
  { exact }: Scene,
  fields: readonly (readonly [number, number])[],
  read: number,
  write: number,
): void {
  for (let offset = 0; offset < 64; offset++) {
    for (const length of [1, 2, 3, 4, 5, 6, 7, 9]) {
      const inOne = fields.some(([at, size]) => offset >= at && offset + length <= at + size);
      const expected = inOne ? { status: OK } : { status: EINVAL, qualifier: INVALID_FIELD };
      expect([offset, length, exact(read, [offset], length)]).toMatchObject([offset, length, expected]);
      const zeros = new Array<number>(length).fill(0);
      expect(exact(write, writeData(offset, zeros))).toMatchObject(expected);
    }
    expect(exact(read, [offset], 0)).toMatchObject({ status: EINVAL });
    expect(exact(write, writeData(offset, []))).toMatchObject({ status: EINVAL });
  }
}

const QUEUE = 0x8000;
const REQUEST = 0xc000;
const DRIVER = 3;
const DRIVER_OK = 7;

/** What a legacy driver does to its device, all of it by commands. Gives the virtqueue that it has set up. */
function setUp({ legacy, memory }: Scene): SplitDriverQueue {
  legacy.write("device_status", 0);
  legacy.write("device_status", 1);
  legacy.write("device_status", DRIVER);
  legacy.write("driver_features", legacy.read("device_features") & ~(1 << 29));
  legacy.write("queue_select", 0);
  const size = legacy.read("queue_size");
  expect(size).toBe(16);
  legacy.write("queue_address", QUEUE / 4096);
  legacy.write("queue_msix_vector", 3);
  legacy.write("device_status", DRIVER_OK);
  // The descriptors, behind them the available ring, and from the next page on the used ring.
  const place = { size, descriptorArea: QUEUE, driverArea: QUEUE + 256, deviceArea: QUEUE + 4096 };
  return new SplitDriverQueue(memory, place, { indirect: true });
}

/** struct virtio_blk_req: a read of one sector. */
function addRead({ memory }: Scene, queue: SplitDriverQueue, sector: number): void {
  memory.write(REQUEST, new Uint8Array(1024));
  memory.write(REQUEST + 8, Uint8Array.of(sector));
  queue.add({
    readable: [{ address: REQUEST, length: 16 }],
    writable: [{ address: REQUEST + 16, length: 513 }],
  });
}

const ADDRESSES = [
  { device: "member", bar: 2, offset: 0x10n },
  { device: "owner", bar: 1, offset: 0x2000n },
] as const;

const requirements: readonly (readonly [id: string, source: string, check: () => void])[] = [
  [
    "legacy-all-or-none",
    "device: all of, or none of, the four commands; with NOTIFY_INFO all of the others",
    () => {
      const listed = (profile: Virtio14Profile) =>
        host(profile)
          .admin.useAll()
          .filter((opcode) => opcode >= 2 && opcode <= 6);
      expect(listed(new Virtio14Profile())).toEqual([]);
      expect(listed(new Virtio14Profile({ legacy: {} }))).toEqual([2, 3, 4, 5]);
      expect(listed(new Virtio14Profile({ legacy: { notifyAddresses: () => [] } }))).toEqual([2, 3, 4, 5, 6]);
    },
  ],
  [
    "legacy-sriov-only",
    "text: the commands are only defined for the SR-IOV group type",
    () => {
      const { admin } = scene({ notifyAddresses: () => [] });
      admin.useAll(0);
      for (const opcode of [2, 3, 4, 5, 6]) {
        expect(admin.attempt({ opcode, memberId: 0, groupType: 0 })).toMatchObject({
          status: EINVAL,
          qualifier: INVALID_OPCODE,
        });
      }
    },
  ],
  [
    "legacy-little-endian",
    "device: data are decoded and encoded as little-endian",
    () => {
      const { exact, member } = scene();
      expect(exact(COMMON_WRITE, writeData(4, [0x04, 0x02, 0, 0])).status).toBe(OK);
      expect(member.driverFeatures).toBe(0x204n);
      expect([...exact(COMMON_READ, [4], 4).result]).toEqual([0x04, 0x02, 0, 0]);
      expect([...exact(DEVICE_READ, [0], 8).result]).toEqual([SECTORS, 0, 0, 0, 0, 0, 0, 0]);
    },
  ],
  [
    "legacy-common-one-field",
    "device: an access that is not to one field of the common configuration, and completely in it, fails",
    () => checkEveryAccess(scene(), COMMON, COMMON_READ, COMMON_WRITE),
  ],
  [
    "legacy-common-no-msix",
    "transport: without MSI-X there are two registers less",
    () => {
      const withoutVectors = COMMON.filter(([at]) => at < 20);
      checkEveryAccess(scene({ msixEnabled: () => false }), withoutVectors, COMMON_READ, COMMON_WRITE);
    },
  ],
  [
    "legacy-device-one-field",
    "device: an access that is not to one field of the device-specific configuration, and completely in it, fails",
    () => checkEveryAccess(scene(), BLK_CONFIG, DEVICE_READ, DEVICE_WRITE),
  ],
  [
    "legacy-filled-up",
    "admin.tex: a driver fills both parts up to a multiple of 64 bits, and the command does not fail for that",
    () => {
      const { exact, member } = scene();
      expect(exact(COMMON_WRITE, writeData(18, [1, 0, 0, 0, 0, 0, 0, 0])).status).toBe(OK);
      expect(member.status).toBe(1);
      expect([...exact(COMMON_READ, [18], 8).result]).toEqual([1]);
      // What is not zero was meant for something that is not there.
      expect(exact(COMMON_WRITE, writeData(18, [2, 0, 0, 0, 0, 0, 0, 1])).status).toBe(EINVAL);
      expect(exact(COMMON_READ, [18], 16).status).toBe(EINVAL);
      expect(member.status).toBe(1);
    },
  ],
  [
    "legacy-common-write",
    "device: COMMON_CFG_WRITE has the effect of a write through the legacy interface",
    () => {
      const one = scene();
      const queue = setUp(one);
      one.disk.fill(0xab, 512, 1024);
      addRead(one, queue, 1);
      one.legacy.write("queue_notify", 0);
      expect(queue.poll()?.written).toBe(513);
      expect([...one.memory.read(REQUEST + 16, 2), ...one.memory.read(REQUEST + 16 + 511, 2)]).toEqual([
        0xab, 0xab, 0xab, 0,
      ]);
      expect(one.interrupts).toEqual(["queue 0"]);
      one.legacy.write("device_status", 0);
      expect([one.member.status, one.member.queues[0]?.enabled]).toEqual([0, false]);
    },
  ],
  [
    "legacy-common-read",
    "device: COMMON_CFG_READ has the effect of a read through the legacy interface",
    () => {
      const one = scene();
      const queue = setUp(one);
      expect(one.legacy.read("device_status")).toBe(DRIVER_OK);
      expect(one.legacy.read("queue_address")).toBe(QUEUE / 4096);
      expect(one.legacy.read("queue_msix_vector")).toBe(3);
      // Without a vector the ISR status says why the device has interrupted, once.
      one.legacy.write("queue_msix_vector", 0xffff);
      addRead(one, queue, 1);
      one.legacy.write("queue_notify", 0);
      one.member.configChanged();
      expect([one.legacy.read("isr_status"), one.legacy.read("isr_status")]).toEqual([3, 0]);
    },
  ],
  [
    "legacy-low-features",
    "transport: feature bits 32 to 63 are taken as not acknowledged, and none that is not offered",
    () => {
      const one = scene({}, { packed: true });
      expect(one.legacy.read("device_features")).toBe(Number(one.member.features & 0xffff_ffffn));
      one.legacy.write("driver_features", 0xffff_ffff);
      expect(one.member.driverFeatures).toBe(one.member.features & 0xffff_ffffn);
    },
  ],
  [
    "legacy-queue-gone",
    "transport: address zero takes a virtqueue out of use",
    () => {
      const one = scene();
      one.legacy.write("queue_address", 8);
      expect(one.member.queues[0]?.enabled).toBe(true);
      one.legacy.write("queue_address", 0);
      expect(one.member.queues[0]?.enabled).toBe(false);
      one.legacy.write("queue_select", 9);
      expect([one.legacy.read("queue_size"), one.legacy.read("queue_address")]).toEqual([0, 0]);
      one.legacy.write("queue_address", 8);
    },
  ],
  [
    "legacy-device-read",
    "device: DEV_CFG_READ has the effect of a read through the legacy interface, whatever its width",
    () => {
      const { legacy, member } = scene();
      const whole = BLK_CONFIG.flatMap(([at, size]) => [...legacy.readConfig(at, size)]);
      expect(Uint8Array.from(whole)).toEqual(member.type.config());
      const bytes = Array.from({ length: 60 }, (_, at) => legacy.readConfig(at, 1)[0]);
      expect(bytes).toEqual(whole);
    },
  ],
  [
    "legacy-device-write",
    "device: DEV_CFG_WRITE has the effect of a write through the legacy interface",
    () => {
      const { legacy, member } = scene();
      const written: (readonly [number, ...number[]])[] = [];
      member.type.writeConfig = (offset, bytes) => written.push([offset, ...bytes]);
      legacy.writeConfig(32, Uint8Array.of(1));
      expect(written).toEqual([[32, 1]]);
    },
  ],
  [
    "legacy-notify-list",
    "device: the last entry has flags of zero; valid ones a base address register from 1 on and an even offset",
    () => {
      const { exact } = scene({ notifyAddresses: () => ADDRESSES });
      const { result } = exact(NOTIFY_INFO, [], 64);
      expect([...result]).toEqual([
        ...[2, 2, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0],
        ...[1, 1, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0],
        ...new Array(32).fill(0),
      ]);
      const offered = (notifyAddresses: LegacyOptions["notifyAddresses"]) =>
        notifyAddresses && scene({ notifyAddresses }).exact(NOTIFY_INFO, [], 64).status;
      const [address] = ADDRESSES;
      expect(offered(() => [{ ...address, bar: 0 }])).toBe(EINVAL);
      expect(offered(() => [{ ...address, offset: 3n }])).toBe(EINVAL);
      expect(offered(() => [address, address, address, address])).toBe(EINVAL);
    },
  ],
  [
    "legacy-notify-effect",
    "device: a notification at such an address is as one by COMMON_CFG_WRITE",
    () => {
      const one = scene({ notifyAddresses: () => ADDRESSES });
      const queue = setUp(one);
      addRead(one, queue, 1);
      // What a bus does with a write to the address.
      one.member.notify(0);
      expect(queue.poll()?.written).toBe(513);
    },
  ],
  [
    "legacy-driver-encodes",
    "driver: data are encoded and decoded as little-endian, offset and length those of one field",
    () => {
      const { legacy, log, member } = scene();
      legacy.write("driver_features", 0x0000_0204);
      expect(legacy.read("driver_features")).toBe(0x204);
      expect(member.driverFeatures).toBe(0x204n);
      expect(log.every(({ status }) => status === OK)).toBe(true);
    },
  ],
  [
    "legacy-driver-end",
    "driver: an entry with flags of zero and all that follow are ignored",
    () => expect(addressesIn([entry(2, 2, 0), entry(0, 2, 2), entry(1, 1, 4)])).toEqual([[2, 0n]]),
  ],
  [
    "legacy-driver-checks",
    "driver: an entry with other flags, no such base address register, an odd offset or one behind its end is ignored",
    () => {
      const bad = [entry(3, 2, 0), entry(2, 3, 0), entry(1, 2, 0), entry(2, 0, 0)];
      for (const one of [
        ...bad,
        entry(2, 2, 5),
        entry(2, 2, 4096),
        entry(2, 2, 4095),
        entry(1, 1, 2 ** 53),
      ]) {
        expect(addressesIn([one, entry(2, 2, 4094)])).toEqual([[2, 4094n]]);
      }
    },
  ],
  [
    "legacy-driver-short",
    "admin.tex (driver): what the device has not written reads as zero",
    () => expect(addressesIn([entry(2, 2, 0)].map((bytes) => bytes.slice(0, 9)))).toEqual([[2, 0n]]),
  ],
];

/** struct virtio_pci_legacy_notify_info { u8 flags; u8 bar; u8 padding[6]; le64 offset; } */
function entry(flags: number, bar: number, offset: number): number[] {
  const bytes = new Uint8Array(16);
  bytes.set([flags, bar]);
  new DataView(bytes.buffer).setBigUint64(8, BigInt(offset), true);
  return [...bytes];
}

/** What a driver makes of an owner's answer: base address registers and offsets. */
function addressesIn(entries: readonly (readonly number[])[]): (readonly [number, bigint])[] {
  const result = Uint8Array.from(entries.flat());
  const profile: CommandProfile = {
    name: "an owner that says anything",
    memberCommands: [...legacyCommands({}), { opcode: NOTIFY_INFO, waits: false, run: () => ({ result }) }],
    ownerCommands: [],
    reset: () => {},
  };
  const driver = new LegacyDriver(host(profile).admin, MEMBER);
  const sizes = { owner: new Map([[1, 8192n]]), member: new Map([[2, 4096n]]) };
  return driver.notifyAddresses(sizes).map(({ bar, offset }) => [bar, offset]);
}

describe("the requirements of virtio 1.4 on legacy access", () => {
  it("have an id each", () => {
    const ids = requirements.map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(requirements)("%s (%s)", (_id, _source, check) => check());
});
