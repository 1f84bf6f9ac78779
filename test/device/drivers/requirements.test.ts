/**
 * What the draft series and virtio 1.4 require of drivers, sentence by sentence, on the drivers here: against an owner that
 * says what a row wants it to say, or against a real one whose log is looked at.
 * @source virtio-comment v2 5/8 and 8/8; virtio 1.4, admin.tex, admin-cmds-capabilities.tex,
 *   admin-cmds-resource-objects.tex, admin-cmds-device-parts.tex
 */
import { describe, expect, it } from "vitest";
import { AdminCommandError } from "../../../src/device/drivers/admin-driver.js";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../../src/device/drivers/device-parts-driver.js";
import { DraftV2Driver } from "../../../src/device/drivers/draft-v2-driver.js";
import { AdminError } from "../../../src/device/owner/admin-error.js";
import type { Answer, CommandInput, CommandProfile } from "../../../src/device/owner/command.js";
import { DraftV2Profile } from "../../../src/device/owner/draft-v2.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { guestOn, type Host, host, MEMBER } from "../owner/bench.js";

const SELF = 0;
const OK = 0;
const EAGAIN = 11;
const LIST_QUERY = 0;
const LIST_USE = 1;
/** The draft's. */
const MODE_GET = 0x07;
const MODE_SET = 0x08;
const CTX_READ = 0x0a;
const CTX_WRITE = 0x0b;
const CTX_DISCARD = 0x0d;
const RECORD_START = 0x10;
const RECORD_STOP = 0x11;
/** Those of virtio 1.4. */
const CAP_GET = 0x08;
const CAP_SET = 0x09;
const OBJ_CREATE = 0x0a;
const OBJ_DESTROY = 0x0d;
const METADATA = 0x0e;
const PARTS_GET = 0x0f;
const PARTS_SET = 0x10;

type Run = (input: CommandInput) => Answer;

/** An owner whose commands are what a row makes of them: for members, and for itself. */
function saying(commands: Readonly<Record<number, Run>>, own: Readonly<Record<number, Run>> = {}): Host {
  const profile: CommandProfile = {
    name: "an owner that says anything",
    memberCommands: Object.entries(commands).map(([opcode, run]) => ({
      opcode: Number(opcode),
      waits: false,
      run: (_member, input) => run(input),
    })),
    ownerCommands: Object.entries(own).map(([opcode, run]) => ({ opcode: Number(opcode), run })),
    reset: () => {},
  };
  return host(profile);
}

function draft(options: Parameters<typeof host>[1] = {}) {
  const one = host(new DraftV2Profile(), options);
  return { ...one, driver: new DraftV2Driver(one.admin, MEMBER) };
}

function parts() {
  const one = host(new Virtio14Profile());
  one.admin.useAll(SELF);
  const ids = new ObjectIds(enableDeviceParts(one.admin));
  return { ...one, ids, driver: new DevicePartsDriver(one.admin, MEMBER, ids) };
}

const opcodesOf = ({ log }: Pick<Host, "log">): number[] => log.map(({ opcode }) => opcode);

function contextOf(driver: DraftV2Driver): Uint8Array {
  return Uint8Array.from([...driver.readContext()].flatMap((bytes) => [...bytes]));
}

const requirements: readonly (readonly [id: string, source: string, check: () => void])[] = [
  [
    "list-use-first",
    "admin.tex: LIST_USE is issued and completed before any command other than the two of lists",
    () => {
      const { admin, log } = host(new DraftV2Profile(), { useAll: false });
      const driver = new DraftV2Driver(admin, MEMBER);
      expect(() => driver.mode()).toThrow(/not in use/);
      expect(log).toEqual([]);
      admin.useAll();
      expect(driver.mode()).toBe("active");
      expect(opcodesOf({ log })).toEqual([LIST_QUERY, LIST_USE, MODE_GET]);
    },
  ],
  [
    "list-use-alone",
    "admin.tex: no LIST_USE while another command has not completed",
    () => {
      const { admin, member, owner, log } = draft();
      member.transition = "power";
      admin.submit({ opcode: MODE_SET, memberId: MEMBER, data: Uint8Array.of(1) });
      const before = log.length;
      expect(() => admin.useAll()).toThrow(/not answered/);
      member.transition = undefined;
      owner.run();
      expect(admin.poll()?.status).toBe(OK);
      expect(log.length).toBe(before + 1);
    },
  ],
  [
    "list-use-reported",
    "admin.tex: no use of commands that were not reported, and of none that the driver is not familiar with",
    () => {
      const one = saying({ [MODE_GET]: () => ({}), 64: () => ({}), 200: () => ({}) });
      expect(one.admin.useAll()).toEqual([0, 1, MODE_GET]);
      const left = one.admin.attempt({ opcode: 64, memberId: MEMBER });
      expect([left.status, left.qualifier]).toEqual([22, 2]);
    },
  ],
  [
    "reserved-status",
    "admin.tex: a reserved status is handled as EINVAL is, and a reserved qualifier as INVALID_COMMAND",
    () => {
      for (const [status, qualifier] of [
        [22, 1],
        [99, 1],
        [22, 77],
        [0xffff, 0xffff],
      ] as const) {
        const { admin } = saying({
          [MODE_GET]: () => {
            throw new AdminError(status, qualifier, "");
          },
        });
        expect(() => new DraftV2Driver(admin, MEMBER).mode()).toThrow(AdminCommandError);
      }
    },
  ],
  [
    "multiples-of-64-bits",
    "Administration Virtqueues: both parts are a multiple of 64 bits in length, and larger than zero",
    () => {
      const sizes: number[] = [];
      const { admin } = saying({
        [MODE_SET]: ({ data, room }) => {
          sizes.push(data.length, room);
          return {};
        },
      });
      for (const length of [0, 1, 7, 8, 9]) {
        const data = new Uint8Array(length);
        admin.execute({ opcode: MODE_SET, memberId: MEMBER, data, room: length });
      }
      expect(sizes).toEqual([0, 0, 8, 8, 8, 8, 8, 8, 16, 16]);
    },
  ],
  [
    "unused-is-zero",
    "Administration Virtqueues: what the device has not written is taken to be zero",
    () => {
      const nothing = (): Answer => ({});
      const one = saying({ [MODE_GET]: nothing, 9: nothing, 15: nothing, [CTX_READ]: nothing });
      const driver = new DraftV2Driver(one.admin, MEMBER);
      expect(driver.mode()).toBe("active");
      expect(driver.contextSize()).toBe(0);
      expect(driver.recordCapabilities()).toEqual({ pageSizes: [], ranges: 0 });
      expect([...driver.readContext()]).toEqual([]);
    },
  ],
  [
    "again",
    "Administration Virtqueues: a command that completed with EAGAIN is sent again, but not for ever",
    () => {
      let left = 3;
      const again = (): Answer => {
        if (left-- > 0) throw new AdminError(EAGAIN, 7, "");
        return { result: Uint8Array.of(2) };
      };
      expect(new DraftV2Driver(saying({ [MODE_GET]: again }).admin, MEMBER).mode()).toBe("freeze");
      left = Number.POSITIVE_INFINITY;
      const { admin, log } = saying({ [MODE_GET]: again });
      expect(() => new DraftV2Driver(admin, MEMBER).mode()).toThrow(/EAGAIN/);
      expect(log.length).toBeLessThan(20);
    },
  ],
  [
    "read-completely",
    "5/8: the complete context is read by one or multiple READ commands",
    () => {
      for (const piece of [8, 24, 4096]) {
        const one = draft();
        const whole = one.driver.contextSize();
        const pieces = [...one.driver.readContext(piece)];
        expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(whole);
        expect(one.driver.contextSize()).toBe(0);
      }
    },
  ],
  [
    "write-completely",
    "5/8: a complete context is written by one or multiple WRITE commands, and the mode is not changed in between",
    () => {
      const context = contextOf(draft().driver);
      for (const piece of [8, 24, 4096]) {
        const one = draft();
        one.driver.setMode("freeze");
        one.log.length = 0;
        one.driver.writeContext(context, piece);
        one.driver.setMode("active");
        const writes = Math.ceil(context.length / piece);
        expect(opcodesOf(one)).toEqual([...new Array(writes).fill(CTX_WRITE), MODE_SET]);
        expect(one.log.every(({ status }) => status === OK)).toBe(true);
      }
    },
  ],
  [
    "write-no-part",
    "5/8: no change to Stop or Active while a context is partially written: what was refused is discarded first",
    () => {
      const one = draft();
      const context = contextOf(one.driver);
      // The length of a field in the middle.
      context[200] = (context[200] ?? 0) ^ 0xff;
      context[209] = 0xff;
      one.driver.setMode("freeze");
      expect(() => one.driver.writeContext(context, 64)).toThrow(AdminCommandError);
      expect(opcodesOf(one).at(-1)).toBe(CTX_DISCARD);
      one.driver.setMode("active");
    },
  ],
  [
    "no-config-access",
    "5/8: no access to the configuration of the device in Stop and Freeze, and no write through VIRTIO_PCI_CAP_PCI_CFG",
    () => {
      const one = draft();
      guestOn(one);
      let writes = 0;
      for (const name of ["writeStatus", "writeDriverFeatures", "writeConfig", "notify"] as const) {
        one.member[name] = () => {
          writes++;
        };
      }
      one.driver.setMode("stop");
      one.driver.setMode("freeze");
      one.driver.writeContext(contextOf(one.driver));
      one.driver.setMode("active");
      expect(writes).toBe(0);
    },
  ],
  [
    "records-unique",
    "8/8: no START for ranges that overlap; each range that is supplied is unique",
    () => {
      const { driver, log } = draft();
      const range = (address: number, length: number) => ({ address, length });
      driver.startRecords(4096, [range(0, 8192)]);
      log.length = 0;
      for (const ranges of [[range(4096, 4096)], [range(0, 8192)], [range(8192, 8192), range(12288, 4096)]]) {
        expect(() => driver.startRecords(4096, ranges)).toThrow(RangeError);
      }
      expect(log).toEqual([]);
      driver.startRecords(4096, [range(8192, 4096)]);
      driver.stopRecords();
      driver.startRecords(4096, [range(4096, 4096)]);
      expect(opcodesOf({ log })).toEqual([RECORD_START, RECORD_STOP, RECORD_START]);
    },
  ],
  [
    "records-stopped",
    "8/8: recording that was started is stopped explicitly: the driver knows that it has to",
    () => {
      const { driver } = draft();
      expect(driver.isRecording).toBe(false);
      driver.startRecords(4096, [{ address: 0, length: 4096 }]);
      expect(driver.isRecording).toBe(true);
      driver.stopRecords();
      expect(driver.isRecording).toBe(false);
    },
  ],
  [
    "caps-first",
    "capabilities, resource objects: DRIVER_CAP_SET comes before any object that depends on it, and not while there are some",
    () => {
      const one = parts();
      one.driver.getParts();
      one.driver.stop();
      one.driver.setParts(one.driver.getParts());
      one.driver.close();
      const log = opcodesOf(one);
      expect(log.filter((opcode) => opcode === CAP_SET)).toHaveLength(1);
      expect(log.indexOf(CAP_SET)).toBeLessThan(log.indexOf(OBJ_CREATE));
    },
  ],
  [
    "caps-not-larger",
    "capabilities: no limit larger than the reported one",
    () => {
      const set: number[] = [];
      const { admin } = saying(
        {},
        {
          [CAP_GET]: () => ({ result: Uint8Array.of(7, 3) }),
          [CAP_SET]: ({ data }) => {
            set.push(...data.subarray(8, 10));
            return {};
          },
        },
      );
      admin.useAll(SELF);
      expect(enableDeviceParts(admin)).toBe(3);
      expect(set).toEqual([3, 3]);
    },
  ],
  [
    "objects-unique",
    "resource objects: no second object with an id before the first one was destroyed",
    () => {
      const one = parts();
      const other = new DevicePartsDriver(one.admin, MEMBER, one.ids);
      for (const driver of [one.driver, other]) {
        driver.getParts();
        driver.stop();
        driver.setParts(driver.getParts());
      }
      one.driver.close();
      one.driver.getParts();
      other.close();
      one.driver.close();
      const made = one.log.filter(({ opcode }) => opcode === OBJ_CREATE || opcode === OBJ_DESTROY);
      expect(made).toHaveLength(10);
      expect(made.every(({ status }) => status === OK)).toBe(true);
    },
  ],
  [
    "objects-limit",
    "resource objects: no more of them than the limit that the driver has set",
    () => {
      const one = parts();
      const ids = new ObjectIds(1);
      const driver = new DevicePartsDriver(one.admin, MEMBER, ids);
      driver.getParts();
      driver.stop();
      one.log.length = 0;
      expect(() => driver.setParts(new Uint8Array(0))).toThrow(/1 objects are all/);
      expect(one.log).toEqual([]);
    },
  ],
  [
    "objects-destroyed",
    "resource objects: no use of an object that was destroyed",
    () => {
      const one = parts();
      one.driver.getParts();
      one.driver.close();
      one.log.length = 0;
      one.driver.close();
      expect(one.log).toEqual([]);
      one.driver.getParts();
      expect(opcodesOf(one)).toEqual([OBJ_CREATE, METADATA, PARTS_GET]);
    },
  ],
  [
    "stopped-before-set",
    "device parts: the mode is set to stopped before parts are set",
    () => {
      const { driver, log } = parts();
      const all = driver.getParts();
      log.length = 0;
      expect(() => driver.setParts(all)).toThrow(/not stopped/);
      expect(log).toEqual([]);
      driver.stop();
      driver.setParts(all);
      driver.resume();
      expect(() => driver.setParts(all)).toThrow(/not stopped/);
    },
  ],
  [
    "parts-in-order",
    "device parts: parts are set in the order of the table",
    () => {
      const sent: number[] = [];
      const from = parts();
      const all = from.driver.getParts();
      const to = saying({
        [OBJ_CREATE]: () => ({}),
        17: () => ({}),
        [PARTS_SET]: ({ data }) => {
          sent.push(...data.subarray(8, 8 + all.length));
          return {};
        },
      });
      const driver = new DevicePartsDriver(to.admin, MEMBER, new ObjectIds());
      driver.stop();
      driver.setParts(all);
      expect(Uint8Array.from(sent)).toEqual(all);
    },
  ],
  [
    "parts-room",
    "device parts: the buffers for a response are large enough for all of it",
    () => {
      const one = parts();
      const guest = guestOn(one);
      for (let i = 0; i < 3; i++) {
        guest.readSectors(i, 1);
        one.log.length = 0;
        expect(one.driver.getParts().length).toBe(one.driver.partsSize());
        expect(one.log.every(({ status }) => status === OK)).toBe(true);
      }
    },
  ],
];

describe("the requirements on drivers", () => {
  it("have an id each", () => {
    const ids = requirements.map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(requirements)("%s (%s)", (_id, _source, check) => check());
});
