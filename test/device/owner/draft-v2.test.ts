/**
 * The requirements of the draft series, sentence by sentence, each driven through the administration virtqueue.
 * @source virtio-comment v2, patches 4 to 8 of 8
 */
import { describe, expect, it } from "vitest";
import { type Disk, MemoryDisk } from "../../../src/device/devices/disk.js";
import { AdminCommandError } from "../../../src/device/drivers/admin-driver.js";
import { DraftV2Driver } from "../../../src/device/drivers/draft-v2-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { GUEST_SIZE, guestOn, type Host, host, MEMBER, moveGuest } from "./bench.js";

interface Scene extends Host {
  readonly driver: DraftV2Driver;
  /** Any command, by number, with raw data. */
  readonly send: (
    opcode: number,
    data?: readonly number[],
    room?: number,
  ) => ReturnType<Host["admin"]["attempt"]>;
}

function scene(options: Parameters<typeof host>[1] = {}): Scene {
  const one = host(new DraftV2Profile(), options);
  return {
    ...one,
    driver: new DraftV2Driver(one.admin, MEMBER),
    send: (opcode, data = [], room = 0) =>
      one.admin.attempt({ opcode, memberId: MEMBER, data: Uint8Array.from(data), room }),
  };
}

function contextOf(driver: DraftV2Driver, piece?: number): Uint8Array {
  return Uint8Array.from([...driver.readContext(piece)].flatMap((bytes) => [...bytes]));
}

const OK = 0;
const EINVAL = 22;
const ACTIVE = 0;
const STOP = 1;
const FREEZE = 2;
const MODE_GET = 0x07;
const MODE_SET = 0x08;
const SIZE_GET = 0x09;
const CTX_READ = 0x0a;
const CTX_WRITE = 0x0b;
const FIELDS_QUERY = 0x0c;
const DISCARD = 0x0d;
const RECORD_CAPS = 0x0f;
const RECORD_START = 0x10;
const RECORD_STOP = 0x11;
const RECORD_READ = 0x12;

/** struct virtio_admin_cmd_write_record_start_data: page size, count, then address and number of pages of each range. */
function startData(...ranges: readonly (readonly [page: number, count: number])[]): number[] {
  const bytes = new Uint8Array(16 + 16 * ranges.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4096, true);
  view.setUint32(8, ranges.length, true);
  ranges.forEach(([page, count], index) => {
    view.setBigUint64(16 + 16 * index, BigInt(page * 4096), true);
    view.setBigUint64(24 + 16 * index, BigInt(count), true);
  });
  return [...bytes];
}

/** Rows: an id, the sentence's place, and a test of it. */
const requirements: readonly (readonly [id: string, source: string, check: () => void])[] = [
  [
    "all-or-none",
    "5/8: supports all of, or none of, the commands of modes and context; 8/8: and of write records",
    () => {
      const { admin } = scene({ useAll: false });
      expect(admin.useAll()).toEqual([0, 1, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18]);
    },
  ],
  [
    "active-first",
    "1/8: Active is the default mode after instantiation",
    () => expect(scene().send(MODE_GET, [], 1).result).toEqual(Uint8Array.of(ACTIVE)),
  ],
  [
    "same-mode",
    "5/8: MODE_SET with the mode that the device is in completes successfully",
    () => {
      const { send } = scene();
      for (const mode of [ACTIVE, STOP, STOP, FREEZE, FREEZE, ACTIVE])
        expect(send(MODE_SET, [mode]).status).toBe(OK);
    },
  ],
  [
    "unknown-mode",
    "5/8: MODE_SET fails for other modes than Active, Stop and Freeze; the device retains its mode",
    () => {
      const { send, driver } = scene();
      driver.setMode("stop");
      for (const mode of [3, 0x7f, 0xff])
        expect(send(MODE_SET, [mode])).toMatchObject({ status: EINVAL, qualifier: 3 });
      expect(driver.mode()).toBe("stop");
    },
  ],
  [
    "partial-read",
    "5/8: MODE_SET to Active or Stop fails while the context is partially read",
    () => {
      const { send, driver } = scene();
      driver.setMode("freeze");
      send(CTX_READ, [], 16);
      for (const mode of [ACTIVE, STOP]) expect(send(MODE_SET, [mode]).status).toBe(EINVAL);
      expect(driver.mode()).toBe("freeze");
      send(DISCARD);
      expect(send(MODE_SET, [STOP]).status).toBe(OK);
    },
  ],
  [
    "partial-write",
    "5/8: MODE_SET to Active or Stop fails while the context is partially written",
    () => {
      const { send, driver } = scene();
      const context = contextOf(driver);
      driver.setMode("freeze");
      expect(send(CTX_WRITE, [...context.subarray(0, 64)]).status).toBe(OK);
      for (const mode of [ACTIVE, STOP]) expect(send(MODE_SET, [mode]).status).toBe(EINVAL);
      send(DISCARD);
      expect(send(MODE_SET, [ACTIVE]).status).toBe(OK);
    },
  ],
  [
    "read-again",
    "5/8: when the complete context is read, READ succeeds with context_len zero",
    () => {
      const { send, driver } = scene();
      expect(contextOf(driver).length).toBeGreaterThan(100);
      for (let i = 0; i < 2; i++) {
        const { status, output, result } = send(CTX_READ, [], 64);
        expect([status, [...output], result.length]).toEqual([OK, [0, 0, 0, 0], 0]);
      }
      expect(driver.contextSize()).toBe(0);
    },
  ],
  [
    "read-any-mode",
    "5/8: reading the context is supported in Active, Stop and Freeze",
    () => {
      const { driver } = scene();
      for (const mode of ["active", "stop", "freeze"] as const) {
        driver.setMode(mode);
        expect(contextOf(driver).length).toBeGreaterThan(100);
      }
    },
  ],
  [
    "new-after-change",
    "4/8: SIZE_GET returns zero until a new context is generated",
    () => {
      const one = scene();
      const guest = guestOn(one);
      const first = contextOf(one.driver);
      expect(one.driver.contextSize()).toBe(0);
      guest.readSectors(0, 1);
      expect(one.driver.contextSize()).toBe(first.length);
      expect(contextOf(one.driver)).not.toEqual(first);
    },
  ],
  [
    "size-shrinks",
    "4/8: the remaining size is reduced by what has been read",
    () => {
      const { send, driver } = scene();
      const whole = driver.contextSize();
      send(CTX_READ, [], 80);
      expect(driver.contextSize()).toBe(whole - 80);
      expect(driver.contextSize(true)).toBe(whole - 80);
    },
  ],
  [
    "discard-read",
    "5/8: after DISCARD, READ and SIZE_GET are as if READ had never been received in this mode",
    () => {
      const { send, driver } = scene();
      const whole = driver.contextSize();
      send(CTX_READ, [], 80);
      send(DISCARD);
      expect(driver.contextSize()).toBe(whole);
      const first = contextOf(driver);
      send(DISCARD);
      expect(contextOf(driver)).toEqual(first);
    },
  ],
  [
    "discard-read-every-mode",
    "5/8: so it is in every mode",
    () => {
      const { send, driver } = scene();
      for (const mode of ["active", "stop", "freeze"] as const) {
        driver.setMode(mode);
        const whole = driver.contextSize();
        send(CTX_READ, [], 80);
        send(DISCARD);
        expect(driver.contextSize()).toBe(whole);
        expect(contextOf(driver).length).toBe(whole);
      }
    },
  ],
  [
    "new-mode-new-context",
    "4/8: in another mode there is a context of that mode",
    () => {
      const { driver } = scene();
      const active = contextOf(driver);
      expect(driver.contextSize()).toBe(0);
      driver.setMode("freeze");
      expect(contextOf(driver)).toEqual(active);
    },
  ],
  [
    "write-many-times",
    "5/8: the complete context can be written multiple times; the most recent one counts",
    () => {
      const from = scene();
      const guest = guestOn(from);
      const early = contextOf(from.driver);
      guest.readSectors(1, 1);
      guest.poll();
      from.driver.setMode("freeze");
      const late = contextOf(from.driver);
      const to = scene();
      to.driver.setMode("freeze");
      to.driver.writeContext(early);
      to.driver.writeContext(late);
      moveGuest(guest, from, to);
      to.driver.setMode("active");
      expect(to.member.save()).toEqual(from.member.save());
      guest.readSectors(2, 1);
      expect(guest.poll()?.status).toBe(0);
    },
  ],
  [
    "write-only-frozen",
    "5/8: WRITE fails when the mode is not Freeze",
    () => {
      const { send, driver } = scene();
      const context = [...contextOf(driver)];
      expect(send(CTX_WRITE, context).status).toBe(EINVAL);
      driver.setMode("stop");
      expect(send(CTX_WRITE, context).status).toBe(EINVAL);
      driver.setMode("freeze");
      expect(send(CTX_WRITE, context).status).toBe(OK);
    },
  ],
  [
    "no-memory-access",
    "5/8: the device does not access virtqueue memory when the mode is not Active",
    () => {
      const one = scene();
      const guest = guestOn(one);
      for (const mode of ["stop", "freeze"] as const) {
        one.driver.setMode(mode);
        guest.readSectors(0, 1);
        const before = one.memory.read(0, GUEST_SIZE);
        const written: number[] = [];
        const observer = {
          wrote: (address: number): void => {
            written.push(address);
          },
        };
        one.member.memory.observe(observer);
        one.member.notify(0);
        one.member.run();
        one.member.memory.unobserve(observer);
        expect(written).toEqual([]);
        expect(Buffer.compare(one.memory.read(0, GUEST_SIZE), before)).toBe(0);
        expect(guest.poll()).toBeUndefined();
      }
      one.driver.setMode("active");
      expect([guest.poll()?.status, guest.poll()?.status]).toEqual([0, 0]);
    },
  ],
  [
    "outstanding-first",
    "5/8: the device finishes all outstanding PCI transactions before completing MODE_SET, and initiates none afterwards",
    () => {
      for (const mode of ["stop", "freeze"] as const) {
        const one = scene({ depth: 8, queueSize: 32, deferred: true });
        const guest = guestOn(one);
        for (let i = 0; i < 4; i++) guest.readSectors(i, 1);
        one.member.run(undefined, 3);
        one.driver.setMode(mode);
        one.interrupts.length = 0;
        const before = one.memory.read(0, GUEST_SIZE);
        one.member.run();
        one.member.finish();
        expect(Buffer.compare(one.memory.read(0, GUEST_SIZE), before)).toBe(0);
        expect(one.interrupts).toEqual([]);
      }
    },
  ],
  [
    "architected-interfaces",
    "5/8: the PCI architected interfaces function the same in every mode: a function level reset resets",
    () => {
      for (const mode of ["active", "stop", "freeze"] as const) {
        const one = scene();
        guestOn(one);
        one.driver.setMode(mode);
        one.member.reset();
        expect([one.member.status, one.driver.mode()]).toEqual([0, mode]);
      }
    },
  ],
  [
    "no-pme",
    "5/8: no PCI PME when the device is not in Active: nothing at all is told to the guest",
    () => {
      const one = scene();
      const guest = guestOn(one);
      for (const mode of ["stop", "freeze"] as const) {
        one.driver.setMode(mode);
        one.interrupts.length = 0;
        guest.readSectors(0, 1);
        one.member.configChanged();
        one.member.finish();
        expect(one.interrupts).toEqual([]);
      }
    },
  ],
  [
    "pci-cfg-window",
    "5/8: in Freeze writes are ignored, also through VIRTIO_PCI_CAP_PCI_CFG, and reads are the same in every mode",
    () => {
      const one = scene();
      guestOn(one);
      const registers = new CommonConfig(one.member);
      const read = () => registers.read(0, registers.length);
      const active = read();
      for (const mode of ["stop", "freeze"] as const) {
        one.driver.setMode(mode);
        expect(read()).toEqual(active);
      }
      registers.write(0, new Uint8Array(registers.length).fill(0xff));
      one.member.writeConfig(0, new Uint8Array(60).fill(0xff));
      expect(read()).toEqual(active);
      expect(one.member.type.config()[0]).toBe(64);
    },
  ],
  [
    "no-notifications",
    "5/8: no configuration change notification when the mode is not Active; it is sent afterwards",
    () => {
      const one = scene();
      guestOn(one);
      one.driver.setMode("stop");
      one.interrupts.length = 0;
      one.member.configChanged();
      one.driver.setMode("freeze");
      expect(one.interrupts).toEqual([]);
      one.driver.setMode("active");
      expect(one.interrupts).toContain("config");
    },
  ],
  [
    "stop-accepts",
    "5/8: in Stop the device accepts driver notifications and answers reads with valid values",
    () => {
      const one = scene();
      const guest = guestOn(one);
      one.driver.setMode("stop");
      expect(guest.driver.status).toBe(0x0f);
      guest.driver.write("queue_select", 0);
      expect(guest.driver.read("queue_size")).toBe(16);
      guest.readSectors(3, 1);
      one.driver.setMode("active");
      expect(guest.poll()?.status).toBe(0);
    },
  ],
  [
    "freeze-is-still",
    "5/8: in Freeze no field of the context changes, whatever the driver writes",
    () => {
      const one = scene();
      const guest = guestOn(one);
      one.driver.setMode("freeze");
      const before = one.member.save();
      guest.driver.write("queue_select", 5);
      guest.driver.write("config_msix_vector", 9);
      guest.driver.write("device_status", 0);
      guest.readSectors(3, 1);
      expect(one.member.save()).toEqual(before);
    },
  ],
  [
    "discard-write",
    "5/8: after DISCARD the device is as if WRITE had never been received",
    () => {
      const from = scene();
      guestOn(from);
      from.driver.setMode("freeze");
      const context = contextOf(from.driver);
      const to = scene();
      const fresh = to.member.save();
      to.driver.setMode("freeze");
      to.send(CTX_WRITE, [...context.subarray(0, 160)]);
      to.driver.discard();
      to.driver.setMode("active");
      expect(to.member.save()).toEqual(fresh);
    },
  ],
  [
    "field-length",
    "5/8: WRITE fails when the length of a field is not that of the device's field",
    () => {
      const { send, driver } = scene();
      const context = contextOf(driver);
      driver.setMode("freeze");
      const longer = context.slice();
      // The length of the first field, 4 + 8 bytes into the context: 56 of the common configuration.
      expect(longer[12]).toBe(56);
      longer[12] = 57;
      expect(send(CTX_WRITE, [...longer])).toMatchObject({ status: EINVAL, qualifier: 3 });
      expect(send(MODE_SET, [ACTIVE]).status).toBe(OK);
    },
  ],
  [
    "other-device",
    "5/8: and when the configuration cannot be that of this device; nothing is changed then",
    () => {
      const from = scene();
      const to = scene({ disk: new Uint8Array(512) });
      const context = contextOf(from.driver);
      to.driver.setMode("freeze");
      // Another capacity has the same length.
      const before = to.member.save();
      expect(to.send(CTX_WRITE, [...context])).toMatchObject({ status: EINVAL, qualifier: 3 });
      expect(to.send(MODE_SET, [ACTIVE]).status).toBe(OK);
      expect(to.member.save()).toEqual(before);
    },
  ],
  ...(["function-level-reset", "device-reset", "power"] as const).map(
    (transition): [string, string, () => void] => [
      `waits-for-${transition}`,
      "5/8: MODE_SET, WRITE and READ are answered after a reset or a power transition that is in progress",
      () => {
        for (const [opcode, data] of [
          [MODE_SET, [STOP]],
          [CTX_READ, []],
          [CTX_WRITE, []],
        ] as const) {
          const one = scene();
          one.member.transition = transition;
          expect(one.driver.mode()).toBe("active");
          one.admin.submit({ opcode, memberId: MEMBER, data: Uint8Array.from(data), room: 16 });
          expect(one.admin.poll()).toBeUndefined();
          one.owner.run();
          expect(one.admin.poll()).toBeUndefined();
          one.member.transition = undefined;
          one.owner.run();
          expect(one.admin.poll()).toBeDefined();
        }
      },
    ],
  ),
  [
    "fields",
    "4/8: FIELDS_QUERY gives every type with its length",
    () => {
      const { send, driver } = scene();
      const { result } = send(FIELDS_QUERY, [], 1024);
      const view = new DataView(result.buffer, result.byteOffset, result.byteLength);
      const fields = Array.from({ length: result.length / 16 }, (_, i) => [
        view.getUint16(i * 16, true),
        Number(view.getBigUint64(i * 16 + 8, true)),
      ]);
      expect(fields).toEqual([
        [0x0000, 56],
        [0x0001, 8],
        [0x0002, 30],
        [0x0003, 5],
        [0x0004, 4 + 2 * 16],
        [0x1000, 60],
      ]);
      expect(driver.mode()).toBe("active");
    },
  ],
  [
    "record-capabilities",
    "8/8: at least one page size and a number of ranges that is not zero",
    () => {
      const { driver, send } = scene();
      const { pageSizes, ranges } = driver.recordCapabilities();
      expect(pageSizes).toContain(4096);
      expect(ranges).toBeGreaterThan(0);
      expect(send(RECORD_CAPS, [], 8).result.length).toBe(8);
    },
  ],
  [
    "record-read-before-start",
    "8/8: reading records fails when recording is not started",
    () => expect(scene().send(RECORD_READ, new Array(16).fill(1), 64).status).toBe(EINVAL),
  ],
  [
    "record-stop-always",
    "8/8: STOP succeeds, even when recording is not started or already stopped",
    () => {
      const { send, driver } = scene();
      expect(send(RECORD_STOP).status).toBe(OK);
      driver.startRecords(4096, [{ address: 0, length: GUEST_SIZE }]);
      expect([send(RECORD_STOP).status, send(RECORD_STOP).status]).toEqual([OK, OK]);
    },
  ],
  [
    "records-clear",
    "8/8: returned records are cleared; a new write of the same page is a new record",
    () => {
      const one = scene();
      const guest = guestOn(one);
      const everything = { address: 0, length: GUEST_SIZE };
      one.driver.startRecords(4096, [everything]);
      guest.readSectors(0, 1);
      guest.poll();
      const first = [...one.driver.takeRecords(everything)];
      expect(first.length).toBeGreaterThan(0);
      expect([...one.driver.takeRecords(everything)]).toEqual([]);
      guest.readSectors(0, 1);
      guest.poll();
      expect([...one.driver.takeRecords(everything)].length).toBeGreaterThan(0);
    },
  ],
  [
    "records-survive-flr",
    "8/8: function level reset neither stops recording nor clears records",
    () => {
      const one = scene();
      const guest = guestOn(one);
      const everything = { address: 0, length: GUEST_SIZE };
      one.driver.startRecords(4096, [everything]);
      guest.readSectors(0, 1);
      one.member.reset();
      expect([...one.driver.takeRecords(everything)].length).toBeGreaterThan(0);
      guestOn(one).readSectors(0, 1);
      expect([...one.driver.takeRecords(everything)].length).toBeGreaterThan(0);
    },
  ],
  [
    "records-overlap",
    "8/8: ranges that overlap, within a command and across commands, are not to be sent, and are refused",
    () => {
      const { send } = scene();
      expect(send(RECORD_START, startData([0, 2], [1, 1])).status).toBe(EINVAL);
      expect(send(RECORD_READ, new Array(16).fill(1), 64).status).toBe(EINVAL);
      expect(send(RECORD_START, startData([0, 2])).status).toBe(OK);
      expect(send(RECORD_START, startData([1, 1])).status).toBe(EINVAL);
      expect(send(RECORD_START, startData([2, 1])).status).toBe(OK);
    },
  ],
  [
    "records-after-stop",
    "8/8: reading records fails when recording was stopped, and what was recorded is gone",
    () => {
      const one = scene();
      const guest = guestOn(one);
      const everything = { address: 0, length: GUEST_SIZE };
      one.driver.startRecords(4096, [everything]);
      guest.readSectors(0, 1);
      one.driver.stopRecords();
      expect(one.send(RECORD_READ, new Array(16).fill(1), 64).status).toBe(EINVAL);
      one.driver.startRecords(4096, [everything]);
      expect([...one.driver.takeRecords(everything)]).toEqual([]);
    },
  ],
  [
    "records-in-every-mode",
    "6/8: records can be read while the device runs, and after it was stopped",
    () => {
      const one = scene();
      const guest = guestOn(one);
      const everything = { address: 0, length: GUEST_SIZE };
      one.driver.startRecords(4096, [everything]);
      guest.readSectors(0, 1);
      one.driver.setMode("freeze");
      expect([...one.driver.takeRecords(everything)].length).toBeGreaterThan(0);
    },
  ],
  [
    "records-page-sizes",
    "7/8: the page size is a supported one, the length of READ a multiple of one",
    () => {
      const { driver, send } = scene();
      expect(() => driver.startRecords(8192, [{ address: 0, length: 8192 }])).toThrow(AdminCommandError);
      driver.startRecords(4096, [{ address: 0, length: 8192 }]);
      expect(send(RECORD_READ, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 64).status).toBe(EINVAL);
      expect(send(RECORD_START, []).status).toBe(EINVAL);
    },
  ],
  [
    "size-needs-little-room",
    "admin.tex: results are cut off where the driver has no room, and the command succeeds",
    () => {
      const { send } = scene();
      expect(send(SIZE_GET, [0], 0)).toMatchObject({ status: OK });
      expect(send(MODE_GET, [], 0)).toMatchObject({ status: OK });
    },
  ],
];

describe("the draft series' requirements", () => {
  it("have an id each", () => {
    const ids = requirements.map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(requirements)("%s (%s)", (_id, _source, check) => check());
});

describe("a member whose disk takes its time", () => {
  /** A disk that is done when the test says so. */
  function slow() {
    const bytes = new MemoryDisk(new Uint8Array(64 * 512).fill(7));
    const steps: (() => void)[] = [];
    const later = (act: () => void): Promise<void> =>
      new Promise((resolve) => {
        steps.push(() => {
          act();
          resolve();
        });
      });
    const disk: Disk = {
      length: bytes.length,
      read: (at, into) => later(() => bytes.read(at, into)),
      write: (at, from) => later(() => bytes.write(at, from)),
      flush: () => undefined,
      clear: () => undefined,
    };
    return { disk, steps };
  }

  it.each([
    ["draft-v2", () => new DraftV2Profile(), MODE_SET, FREEZE],
    ["virtio 1.4", () => new Virtio14Profile(), 0x11, 1],
  ] as const)(
    "is stopped once what is under way has ended, and takes no more: %s",
    async (_, profile, opcode, stop) => {
      const { disk, steps } = slow();
      const one = host(profile(), { disk, depth: 2, deferred: true });
      const guest = guestOn(one);
      for (let i = 0; i < 4; i++) guest.readSectors(i, 1);
      one.member.run();
      expect(steps.length).toBe(2);
      one.admin.submit({ opcode, memberId: MEMBER, data: Uint8Array.of(stop) });
      expect(one.admin.poll()).toBeUndefined();
      expect(one.member.mode).toBe("active");
      steps.shift()?.();
      await Promise.resolve();
      one.member.run();
      expect(one.admin.poll()).toBeUndefined();
      expect(steps.length).toBe(1);
      steps.shift()?.();
      await one.type.settled();
      await Promise.resolve();
      expect(one.admin.poll()?.status).toBe(OK);
      expect(one.member.mode).not.toBe("active");
      expect([guest.poll()?.data[0], guest.poll()?.data[0], guest.poll()]).toEqual([7, 7, undefined]);
      // It goes on with those that it had not begun.
      one.admin.submit({ opcode, memberId: MEMBER, data: Uint8Array.of(0) });
      expect(one.admin.poll()?.status).toBe(OK);
      one.member.run();
      for (const step of steps.splice(0)) step();
      await one.type.settled();
      expect([guest.poll()?.status, guest.poll()?.status]).toEqual([OK, OK]);
    },
  );

  it("goes on when the owner is reset, and the command is nobody's any more", async () => {
    const { disk, steps } = slow();
    const one = host(new DraftV2Profile(), { disk, depth: 1, deferred: true });
    const guest = guestOn(one);
    for (let i = 0; i < 2; i++) guest.readSectors(i, 1);
    one.member.run();
    one.admin.submit({ opcode: MODE_SET, memberId: MEMBER, data: Uint8Array.of(FREEZE) });
    expect(one.admin.poll()).toBeUndefined();
    one.connect();
    steps.shift()?.();
    await one.type.settled();
    await Promise.resolve();
    expect(one.member.mode).toBe("active");
    one.member.run();
    steps.shift()?.();
    await one.type.settled();
    expect([guest.poll()?.status, guest.poll()?.status]).toEqual([OK, OK]);
  });

  it("goes on when the command has failed", async () => {
    const { disk, steps } = slow();
    const one = host(new DraftV2Profile(), { disk, depth: 1, deferred: true });
    const guest = guestOn(one);
    for (let i = 0; i < 2; i++) guest.readSectors(i, 1);
    one.member.run();
    one.admin.submit({ opcode: MODE_SET, memberId: MEMBER, data: Uint8Array.of(9) });
    expect(one.admin.poll()).toBeUndefined();
    steps.shift()?.();
    await one.type.settled();
    await Promise.resolve();
    expect(one.admin.poll()?.status).toBe(EINVAL);
    one.member.run();
    steps.shift()?.();
    await one.type.settled();
    expect([guest.poll()?.status, guest.poll()?.status]).toEqual([OK, OK]);
  });
});

describe("a context on its way", () => {
  it.each([8, 16, 24, 64, 4096])("arrives whole in pieces of %i bytes", (piece) => {
    const from = scene();
    const guest = guestOn(from);
    from.driver.setMode("freeze");
    const to = scene();
    to.driver.setMode("freeze");
    to.driver.writeContext(contextOf(from.driver, piece), piece);
    moveGuest(guest, from, to);
    to.driver.setMode("active");
    expect(to.member.save()).toEqual(from.member.save());
    guest.writeSectors(5, new Uint8Array(512).fill(7));
    expect(guest.poll()?.status).toBe(0);
    expect(to.disk[5 * 512]).toBe(7);
  });

  it("brings requests in flight along, and each is carried out once", () => {
    const from = scene({ depth: 8, queueSize: 32, deferred: true });
    const guest = guestOn(from);
    for (let i = 0; i < 5; i++) guest.writeSectors(i, new Uint8Array(512).fill(i + 1));
    // Five are taken, none is carried out; a sixth is not even taken.
    expect(from.member.run(undefined, 5)).toBe(5);
    guest.readSectors(0, 1);
    from.driver.setMode("freeze");
    expect(from.member.save().queues[0]?.owned.length).toBe(5);
    const to = scene({ queueSize: 32 });
    to.driver.setMode("freeze");
    to.driver.writeContext(contextOf(from.driver));
    moveGuest(guest, from, to);
    to.driver.setMode("active");
    const answers = Array.from({ length: 6 }, () => guest.poll());
    expect(answers.map((answer) => [answer?.id, answer?.status])).toEqual(
      [0, 1, 2, 3, 4, 5].map((id) => [id, 0]),
    );
    expect(answers[5]?.data.every((byte) => byte === 1)).toBe(true);
    expect([from.type.completed, to.type.completed]).toEqual([0, 6]);
    expect(guest.poll()).toBeUndefined();
  });
});
