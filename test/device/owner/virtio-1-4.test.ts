/**
 * The requirements of virtio 1.4 on capabilities, resource objects and device parts, sentence by sentence, each driven
 * through the administration virtqueue.
 * @source virtio 1.4, admin-cmds-capabilities.tex, admin-cmds-resource-objects.tex, admin-cmds-device-parts.tex
 */
import { describe, expect, it } from "vitest";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../../src/device/drivers/device-parts-driver.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { guestOn, type Host, host, MEMBER, moveGuest } from "./bench.js";

const SELF = 0;
const SRIOV = 1;
const OK = 0;
const ENXIO = 6;
const ENOMEM = 12;
const EBUSY = 16;
const EEXIST = 17;
const EINVAL = 22;
const ENOSPC = 28;
const CAP_LIST = 0x07;
const CAP_GET = 0x08;
const CAP_SET = 0x09;
const CREATE = 0x0a;
const MODIFY = 0x0b;
const QUERY = 0x0c;
const DESTROY = 0x0d;
const METADATA = 0x0e;
const PARTS_GET = 0x0f;
const PARTS_SET = 0x10;
const MODE_SET = 0x11;
const STOPPED = 1;

interface Scene extends Host {
  readonly parts: DevicePartsDriver;
  readonly send: (
    opcode: number,
    data?: readonly number[],
    room?: number,
    groupType?: number,
  ) => ReturnType<Host["admin"]["attempt"]>;
}

function scene(options: Parameters<typeof host>[1] & { readonly caps?: boolean } = {}): Scene {
  const one = host(new Virtio14Profile(), options);
  one.admin.useAll(SELF);
  if (options.caps !== false) enableDeviceParts(one.admin);
  return {
    ...one,
    parts: new DevicePartsDriver(one.admin, MEMBER, new ObjectIds()),
    send: (opcode, data = [], room = 0, groupType = SRIOV) =>
      one.admin.attempt({
        opcode,
        memberId: groupType === SELF ? 0 : MEMBER,
        groupType,
        data: Uint8Array.from(data),
        room,
      }),
  };
}

/** struct virtio_admin_cmd_resource_obj_cmd_hdr { le16 type; u8 reserved[2]; le32 id; } */
const head = (id: number, type = 0): number[] => [type, 0, 0, 0, id, 0, 0, 0];
/** The header, le64 flags, struct virtio_resource_obj_dev_parts { u8 type; u8 reserved[7]; } */
const object = (id: number, purpose: number): number[] => [
  ...head(id),
  ...new Array(8).fill(0),
  purpose,
  ...new Array(7).fill(0),
];
const GET = 0;
const SET = 1;

/** struct virtio_dev_part_hdr { le16 part_type; u8 flags; u8 reserved; u8 selector[8]; le32 length; } */
interface Header {
  readonly type: number;
  readonly flags: number;
  readonly selector: number;
  readonly length: number;
}

function headersIn(bytes: Uint8Array): Header[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Header[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at + 12, true);
    found.push({
      type: view.getUint16(at, true),
      flags: view.getUint8(at + 2),
      selector: view.getUint32(at + 4, true),
      length,
    });
    at += 16 + length;
  }
  return found;
}

const requirements: readonly (readonly [id: string, source: string, check: () => void])[] = [
  [
    "parts-all-or-none",
    "device parts: all of, or none of, the commands",
    () => {
      const { admin } = scene();
      expect(admin.useAll(SRIOV)).toEqual([0, 1, 10, 11, 12, 13, 14, 15, 16, 17]);
      expect(admin.useAll(SELF)).toEqual([0, 1, 7, 8, 9]);
    },
  ],
  [
    "caps-self-only",
    "capabilities: the commands fail for other groups than the self group",
    () => {
      const { send } = scene();
      for (const opcode of [CAP_LIST, CAP_GET, CAP_SET]) {
        expect(send(opcode, new Array(16).fill(0), 64, SRIOV)).toMatchObject({
          status: EINVAL,
          qualifier: 2,
        });
      }
      expect(send(CAP_LIST, [], 64, SELF).result[0]).toBe(1);
    },
  ],
  [
    "caps-limits",
    "capabilities: limits that are the same or smaller are set, larger ones refused",
    () => {
      const { send } = scene();
      expect([...send(CAP_GET, new Array(8).fill(0), 2, SELF).result]).toEqual([255, 255]);
      for (const limits of [
        [255, 255],
        [3, 7],
        [0, 0],
      ]) {
        expect(send(CAP_SET, [...new Array(8).fill(0), ...limits], 0, SELF).status).toBe(OK);
      }
    },
  ],
  [
    "caps-list",
    "capabilities: the list has a bit for each that there is, in words of 64 bits",
    () => {
      const { result } = scene().send(CAP_LIST, [], 64, SELF);
      expect([...result]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    },
  ],
  [
    "caps-unknown",
    "capabilities: an id that is not listed gives ENXIO",
    () => {
      const { send } = scene();
      for (const opcode of [CAP_GET, CAP_SET]) {
        expect(send(opcode, [9, 0, ...new Array(14).fill(0)], 64, SELF).status).toBe(ENXIO);
      }
    },
  ],
  [
    "caps-busy",
    "capabilities: disabling one while it has objects gives EBUSY",
    () => {
      const { send } = scene();
      expect(send(CREATE, object(1, GET)).status).toBe(OK);
      expect(send(CAP_SET, [...new Array(8).fill(0), 0, 255], 0, SELF).status).toBe(EBUSY);
      expect(send(DESTROY, head(1)).status).toBe(OK);
      expect(send(CAP_SET, [...new Array(8).fill(0), 0, 255], 0, SELF).status).toBe(OK);
    },
  ],
  [
    "caps-zero-before-set",
    "capabilities: limits are zero before the driver has set them, and after a reset of the device",
    () => {
      const one = scene({ caps: false });
      expect(one.send(CREATE, object(1, GET)).status).toBe(ENOSPC);
      enableDeviceParts(one.admin);
      expect(one.send(CREATE, object(1, GET)).status).toBe(OK);
      const again = one.connect();
      again.useAll();
      const create = { opcode: CREATE, memberId: MEMBER, data: Uint8Array.from(object(1, GET)) };
      expect(again.attempt(create).status).toBe(ENOSPC);
    },
  ],
  [
    "objects-exist",
    "resource objects: an id that exists gives EEXIST, one that does not ENXIO",
    () => {
      const { send } = scene();
      expect(send(CREATE, object(7, GET)).status).toBe(OK);
      expect(send(CREATE, object(7, SET)).status).toBe(EEXIST);
      for (const opcode of [QUERY, DESTROY]) expect(send(opcode, head(8), 8).status).toBe(ENXIO);
      expect(send(MODIFY, object(8, GET)).status).toBe(ENXIO);
    },
  ],
  [
    "objects-recreate",
    "resource objects: one that was destroyed can be created again, with any id",
    () => {
      const { send } = scene();
      for (let i = 0; i < 3; i++) {
        expect(send(CREATE, object(200 - i, SET)).status).toBe(OK);
        expect(send(DESTROY, head(200 - i)).status).toBe(OK);
      }
    },
  ],
  [
    "objects-limit",
    "resource objects: as many as the driver's capability says, then ENOSPC",
    () => {
      const { send } = scene();
      for (let id = 0; id < 255; id++) expect(send(CREATE, object(id, GET)).status).toBe(OK);
      expect(
        send(CREATE, [...object(0, GET).slice(0, 4), 0, 1, 0, 0, ...object(0, GET).slice(8)]).status,
      ).toBe(ENOSPC);
      expect(
        send(CREATE, [...object(0, SET).slice(0, 4), 0, 1, 0, 0, ...object(0, SET).slice(8)]).status,
      ).toBe(OK);
    },
  ],
  [
    "objects-reset",
    "resource objects: a reset of the device destroys them all",
    () => {
      const one = scene();
      for (const id of [1, 2, 3]) expect(one.send(CREATE, object(id, GET)).status).toBe(OK);
      const again = one.connect();
      again.useAll();
      again.useAll(SELF);
      enableDeviceParts(again);
      const send = (opcode: number, data: readonly number[]) =>
        again.attempt({ opcode, memberId: MEMBER, data: Uint8Array.from(data), room: 8 }).status;
      for (const id of [1, 2, 3]) {
        expect(send(QUERY, head(id))).toBe(ENXIO);
        expect(send(CREATE, object(id, SET))).toBe(OK);
      }
    },
  ],
  [
    "objects-query",
    "resource objects: QUERY gives what the last CREATE or MODIFY has given; a MODIFY that fails changes nothing",
    () => {
      const { send } = scene();
      send(CREATE, object(1, SET));
      expect([...send(QUERY, [...head(1), ...new Array(8).fill(0)], 8).result]).toEqual([
        1, 0, 0, 0, 0, 0, 0, 0,
      ]);
      expect(send(MODIFY, object(1, GET)).status).toBe(OK);
      expect(send(QUERY, head(1), 8).result[0]).toBe(GET);
      expect(send(MODIFY, object(1, 9)).status).toBe(EINVAL);
      expect(send(QUERY, head(1), 8).result[0]).toBe(GET);
    },
  ],
  [
    "objects-purpose",
    "device parts: an object for getting does not set, and the reverse",
    () => {
      const { send, parts } = scene();
      send(CREATE, object(1, GET));
      send(CREATE, object(2, SET));
      parts.stop();
      expect(send(PARTS_SET, head(1)).status).toBe(EINVAL);
      expect(send(PARTS_GET, [...head(2), 1, ...new Array(7).fill(0)], 4096).status).toBe(EINVAL);
      expect(send(METADATA, [...head(2), 0, ...new Array(7).fill(0)], 8).status).toBe(EINVAL);
      expect(send(PARTS_SET, head(3)).status).toBe(ENXIO);
    },
  ],
  [
    "metadata",
    "device parts: size, count and list describe what GET brings",
    () => {
      const { send, parts } = scene();
      const all = parts.getParts();
      send(CREATE, object(5, GET));
      const ask = (type: number, room: number) =>
        send(METADATA, [...head(5), type, ...new Array(7).fill(0)], room).result;
      const word = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      expect(word(ask(0, 8))).toBe(all.length);
      const headers = headersIn(all);
      expect(word(ask(1, 8))).toBe(headers.length);
      const list = ask(2, 8 + 16 * headers.length);
      expect(word(list)).toBe(headers.length);
      expect(list.length).toBe(8 + 16 * headers.length);
      // And in the same order: those that have to precede others do so in the list, too.
      const types = headers.map((_, index) =>
        new DataView(list.buffer, list.byteOffset).getUint16(8 + 16 * index, true),
      );
      expect(types).toEqual(headers.map(({ type }) => type));
    },
  ],
  [
    "metadata-room",
    "device parts: a result that does not fit gives ENOMEM",
    () => {
      const { send } = scene();
      send(CREATE, object(1, GET));
      expect(send(METADATA, [...head(1), 2, ...new Array(7).fill(0)], 64).status).toBe(ENOMEM);
      expect(send(PARTS_GET, [...head(1), 1, ...new Array(7).fill(0)], 64).status).toBe(ENOMEM);
      // A failure with ENOMEM has no side effects, and can be tried again.
      const again = send(PARTS_GET, [...head(1), 1, ...new Array(7).fill(0)], 4096);
      expect([again.status, headersIn(again.result)[0]?.type]).toEqual([OK, 0x100]);
    },
  ],
  [
    "order",
    "device parts: in the order of the table, DEV_FEATURES optional",
    () => {
      const one = scene();
      guestOn(one);
      const headers = headersIn(one.parts.getParts());
      const types = headers.map(({ type }) => type);
      expect(types).toEqual([...types].sort((a, b) => a - b));
      expect(types[0]).toBe(0x100);
      expect(new Set(types)).toEqual(new Set([0x100, 0x101, 0x102, 0x103, 0x104, 0x105]));
      expect(headers.filter(({ flags }) => flags === 1).map(({ type }) => type)).toEqual([0x100]);
      expect(
        headers.filter(({ type }) => type === 0x102).map(({ selector, length }) => [selector, length]),
      ).toEqual([
        [0, 4],
        [8, 4],
        [16, 2],
        [18, 2],
        [21, 1],
        [22, 2],
      ]);
    },
  ],
  [
    "get-many-times",
    "device parts: parts can be got multiple times",
    () => {
      const { parts } = scene();
      expect(parts.getParts()).toEqual(parts.getParts());
    },
  ],
  [
    "get-selected",
    "device parts: selected parts, and those that do not exist are left out",
    () => {
      const { send } = scene();
      send(CREATE, object(1, GET));
      const wanted = [
        [0x03, 0x01, 0, 0, ...new Array(12).fill(0)],
        [0x04, 0x01, 0, 0, 9, 0, ...new Array(10).fill(0)],
        [0x02, 0x01, 0, 0, 22, 0, ...new Array(10).fill(0)],
      ];
      const { status, result } = send(
        PARTS_GET,
        [...head(1), ...new Array(8).fill(0), ...wanted.flat()],
        256,
      );
      expect(status).toBe(OK);
      expect(headersIn(result).map(({ type, selector }) => [type, selector])).toEqual([
        [0x102, 22],
        [0x103, 0],
      ]);
    },
  ],
  [
    "set-stopped",
    "device parts: SET fails unless the device is stopped",
    () => {
      const { send, parts } = scene();
      const all = [...parts.getParts()];
      send(CREATE, object(9, SET));
      expect(send(PARTS_SET, [...head(9), ...all])).toMatchObject({ status: EINVAL, qualifier: 1 });
      parts.stop();
      expect(send(PARTS_SET, [...head(9), ...all]).status).toBe(OK);
    },
  ],
  [
    "set-many-times",
    "device parts: the same or different parts can be set multiple times",
    () => {
      const from = scene();
      guestOn(from);
      from.parts.stop();
      const all = from.parts.getParts();
      const to = scene();
      to.parts.stop();
      to.parts.setParts(all);
      to.parts.setParts(all);
      // One by one, and some of them again.
      let at = 0;
      for (const { length } of headersIn(all)) {
        const one = all.slice(at, at + 16 + length);
        to.parts.setParts(one);
        to.parts.setParts(one);
        at += one.length;
      }
      expect(to.parts.getParts()).toEqual(all);
    },
  ],
  [
    "set-verifies-invariants",
    "device parts: what is read-only and invariant is verified and not applied",
    () => {
      const { parts, member } = scene();
      parts.stop();
      const all = parts.getParts();
      const headers = headersIn(all);
      // num_queues is at offset 18 of the common configuration.
      const index = headers.findIndex(({ type, selector }) => type === 0x102 && selector === 18);
      const at = headers.slice(0, index).reduce((sum, { length }) => sum + 16 + length, 0);
      const part = all.slice(at, at + 18);
      parts.setParts(part);
      part[16] = (part[16] ?? 0) + 1;
      expect(() => parts.setParts(part)).toThrow(/EINVAL/);
      expect(member.queues.length).toBe(1);
    },
  ],
  [
    "set-length",
    "device parts: SET fails for a part of another length, and has no side effects",
    () => {
      const one = scene();
      one.parts.stop();
      const before = one.member.save();
      const all = one.parts.getParts();
      const status = headersIn(all).findIndex(({ type }) => type === 0x103);
      const at = headersIn(all)
        .slice(0, status)
        .reduce((sum, { length }) => sum + 16 + length, 0);
      const longer = Uint8Array.from([...all.subarray(0, at + 12), 2, 0, 0, 0, 15, 0]);
      expect(() => one.parts.setParts(longer)).toThrow(/EINVAL/);
      one.parts.resume();
      expect(one.member.save()).toEqual(before);
    },
  ],
  [
    "set-features",
    "device parts: DEV_FEATURES is only verified",
    () => {
      const { parts } = scene();
      parts.stop();
      const all = parts.getParts();
      const own = all.slice(0, 24);
      parts.setParts(own);
      own[16] = (own[16] ?? 0) ^ 1;
      expect(() => parts.setParts(own)).toThrow(/EINVAL/);
    },
  ],
  [
    "set-takes-effect",
    "device parts: what is set takes effect when the device is resumed",
    () => {
      const from = scene();
      const guest = guestOn(from);
      from.parts.stop();
      const all = from.parts.getParts();
      const to = scene();
      const fresh = to.member.save();
      to.parts.stop();
      to.parts.setParts(all);
      expect(to.member.save()).toEqual(fresh);
      expect(to.parts.getParts()).toEqual(all);
      moveGuest(guest, from, to);
      to.parts.resume();
      guest.writeSectors(3, new Uint8Array(512).fill(9));
      expect(guest.poll()?.status).toBe(OK);
      expect(to.disk[3 * 512]).toBe(9);
    },
  ],
  [
    "reset-clears",
    "device parts: a reset or FLR of the member clears the parts to their defaults",
    () => {
      const from = scene();
      guestOn(from);
      from.parts.stop();
      const all = from.parts.getParts();
      const to = scene();
      const fresh = to.parts.getParts();
      to.parts.stop();
      to.parts.setParts(all);
      to.member.reset();
      expect(to.parts.getParts()).toEqual(fresh);
      to.parts.resume();
      expect(to.member.status).toBe(0);
    },
  ],
  [
    "stop-writes-back",
    "device parts: a device that is stopped gives back all buffers that it has seen",
    () => {
      const one = scene({ depth: 8, queueSize: 32, deferred: true });
      const guest = guestOn(one);
      for (let i = 0; i < 4; i++) guest.readSectors(i, 1);
      expect(one.member.run(undefined, 4)).toBe(4);
      expect(one.member.save().queues[0]?.owned.length).toBe(4);
      one.parts.stop();
      expect(one.member.save().queues[0]?.owned.length).toBe(0);
      for (let i = 0; i < 4; i++) expect(guest.poll()?.status).toBe(OK);
    },
  ],
  [
    "stopped-is-silent",
    "device parts: a stopped device touches no virtqueue and sends no notification",
    () => {
      const one = scene();
      const guest = guestOn(one);
      one.parts.stop();
      one.interrupts.length = 0;
      one.member.configChanged();
      guest.readSectors(0, 1);
      expect(guest.poll()).toBeUndefined();
      expect(one.interrupts).toEqual([]);
      one.parts.resume();
      expect(guest.poll()?.status).toBe(OK);
      expect(one.interrupts).toContain("config");
    },
  ],
  [
    "stopped-accepts",
    "device parts: a stopped device accepts driver notifications, and answers reads with valid values",
    () => {
      const one = scene();
      const guest = guestOn(one);
      one.parts.stop();
      expect(guest.driver.status).toBe(0x0f);
      expect(guest.driver.read("num_queues")).toBe(1);
      guest.readSectors(3, 1);
      guest.driver.write("config_msix_vector", 7);
      expect(one.member.configMsixVector).toBe(7);
      one.parts.resume();
      expect(guest.poll()?.status).toBe(OK);
    },
  ],
  [
    "stopped-initiates-nothing",
    "device parts: a stopped device initiates no PCI transaction: what was outstanding is finished before the answer",
    () => {
      const one = scene({ depth: 8, queueSize: 32, deferred: true });
      const guest = guestOn(one);
      for (let i = 0; i < 4; i++) guest.readSectors(i, 1);
      one.member.run(undefined, 3);
      one.parts.stop();
      one.interrupts.length = 0;
      const before = one.memory.read(0, 1 << 16);
      one.member.run();
      one.member.finish();
      one.member.configChanged();
      expect(Buffer.compare(one.memory.read(0, 1 << 16), before)).toBe(0);
      // Nor a PCI PME: nothing at all is told to the guest.
      expect(one.interrupts).toEqual([]);
    },
  ],
  [
    "stopped-resets",
    "device parts: the PCI architected interfaces operate in the same way in both modes: a function level reset resets",
    () => {
      for (const stop of [true, false]) {
        const one = scene();
        guestOn(one);
        if (stop) one.parts.stop();
        one.member.reset();
        expect([one.member.status, one.member.mode]).toEqual([0, stop ? "stop" : "active"]);
      }
    },
  ],
  [
    "mode-same",
    "device parts: stopping a stopped device and resuming a running one succeed",
    () => {
      const { parts } = scene();
      parts.resume();
      parts.stop();
      parts.stop();
      parts.resume();
      parts.resume();
    },
  ],
  [
    "mode-flags",
    "device parts: flags that are not defined fail",
    () => {
      const { send, member } = scene();
      expect(send(MODE_SET, [STOPPED | 2])).toMatchObject({ status: EINVAL, qualifier: 3 });
      expect(member.mode).toBe("active");
    },
  ],
  ...(["function-level-reset", "device-reset", "power"] as const).map(
    (transition): [string, string, () => void] => [
      `waits-for-${transition}`,
      "device parts: MODE_SET and PARTS_SET are answered after what is in progress",
      () => {
        for (const [opcode, data] of [
          [MODE_SET, [STOPPED]],
          [PARTS_SET, head(1)],
        ] as const) {
          const one = scene();
          one.member.transition = transition;
          one.admin.submit({ opcode, memberId: MEMBER, data: Uint8Array.from(data) });
          expect(one.admin.poll()).toBeUndefined();
          one.member.transition = undefined;
          one.owner.run();
          expect(one.admin.poll()).toBeDefined();
        }
      },
    ],
  ),
];

describe("the requirements of virtio 1.4", () => {
  it("have an id each", () => {
    const ids = requirements.map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(requirements)("%s (%s)", (_id, _source, check) => check());
});

describe("a driver of device parts", () => {
  it("keeps objects only while it is open", () => {
    const one = scene();
    const ids = new ObjectIds();
    const driver = new DevicePartsDriver(one.admin, MEMBER, ids);
    driver.getParts();
    driver.stop();
    driver.setParts(driver.getParts());
    expect(driver.openObjects).toBe(2);
    driver.close();
    expect(driver.openObjects).toBe(0);
    expect(ids.take()).toBe(0);
    expect(one.send(QUERY, head(0), 8).status).toBe(ENXIO);
  });
});
