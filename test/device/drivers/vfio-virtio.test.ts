import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DevicePartsDriver,
  enableDeviceParts,
  ObjectIds,
} from "../../../src/device/drivers/device-parts-driver.js";
import {
  NEXT_STATE,
  pathBetween,
  VFIO_STATES,
  type VfioState,
} from "../../../src/device/drivers/vfio-states.js";
import {
  mergedPolicy,
  SERIES_POLICY,
  VfioError,
  VfioVirtioDevice,
  type VfioVirtioOptions,
} from "../../../src/device/drivers/vfio-virtio.js";
import { Virtio14Profile } from "../../../src/device/owner/virtio-1-4.js";
import { seed } from "../../properties/drawn.js";
import { guestOn, type Host, host, MEMBER, moveGuest } from "../owner/bench.js";

const BLK = 2;
const SELF = 0;

interface Scene extends Host {
  readonly vfio: VfioVirtioDevice;
  readonly parts: DevicePartsDriver;
}

function scene(options: Partial<VfioVirtioOptions> = {}): Scene {
  const one = host(new Virtio14Profile());
  one.admin.useAll(SELF);
  enableDeviceParts(one.admin);
  const parts = new DevicePartsDriver(one.admin, MEMBER, new ObjectIds());
  return { ...one, parts, vfio: new VfioVirtioDevice(parts, { device: BLK, ...options }) };
}

function everything(vfio: VfioVirtioDevice, piece = 64): Uint8Array {
  const bytes: number[] = [];
  for (let next = vfio.read(piece); next.length > 0; next = vfio.read(piece)) bytes.push(...next);
  return Uint8Array.from(bytes);
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof VfioError ? error.code : String(error);
  }
  return undefined;
}

/** struct virtiovf_migration_header { le64 record_size; le32 flags; le32 tag; } */
function record(flags: number, tag: number, data: readonly number[]): number[] {
  return [data.length, 0, 0, 0, 0, 0, 0, 0, flags, 0, 0, 0, tag, 0, 0, 0, ...data];
}

describe("the states of a VFIO device", () => {
  /** Linux' table, rows and columns in the order of the header: see vfio_mig_get_next_state in drivers/vfio/vfio_main.c. */
  const COLUMNS: readonly VfioState[] = [
    "STOP",
    "RUNNING",
    "PRE_COPY",
    "PRE_COPY_P2P",
    "STOP_COPY",
    "RESUMING",
    "RUNNING_P2P",
  ];
  const KERNEL: Readonly<Record<string, string>> = {
    STOP: "STOP RUNNING_P2P RUNNING_P2P RUNNING_P2P STOP_COPY RESUMING RUNNING_P2P",
    RUNNING: "RUNNING_P2P RUNNING PRE_COPY RUNNING_P2P RUNNING_P2P RUNNING_P2P RUNNING_P2P",
    PRE_COPY: "RUNNING RUNNING PRE_COPY PRE_COPY_P2P PRE_COPY_P2P RUNNING RUNNING",
    PRE_COPY_P2P: "RUNNING_P2P RUNNING_P2P PRE_COPY PRE_COPY_P2P STOP_COPY RUNNING_P2P RUNNING_P2P",
    STOP_COPY: "STOP STOP ERROR ERROR STOP_COPY STOP STOP",
    RESUMING: "STOP STOP STOP STOP STOP RESUMING STOP",
    RUNNING_P2P: "STOP RUNNING RUNNING PRE_COPY_P2P STOP STOP RUNNING_P2P",
    ERROR: "ERROR ERROR ERROR ERROR ERROR ERROR ERROR",
  };

  it.each(Object.entries(KERNEL))("lead on from %s as the kernel's table says", (from, row) => {
    const expected = row.split(" ");
    expect(COLUMNS.map((to) => NEXT_STATE[from as VfioState][to])).toEqual(expected);
  });

  it("are reached from everywhere but ERROR, and STOP_COPY has no way to PRE_COPY", () => {
    for (const from of VFIO_STATES) {
      for (const to of VFIO_STATES) {
        const impossible =
          (from === "ERROR") !== (to === "ERROR") ||
          (from === "STOP_COPY" && (to === "PRE_COPY" || to === "PRE_COPY_P2P"));
        expect([from, to, pathBetween(from, to) === undefined]).toEqual([from, to, impossible]);
      }
    }
  });

  it("are passed over where the device cannot be in them", () => {
    // The way without P2P and PRE_COPY, and with one of them: vfio_mig_get_next_state and its table of flags.
    expect(pathBetween("RUNNING", "STOP_COPY", [])).toEqual(["STOP", "STOP_COPY"]);
    expect(pathBetween("STOP_COPY", "RUNNING", [])).toEqual(["STOP", "RUNNING"]);
    expect(pathBetween("RUNNING", "RESUMING", ["P2P"])).toEqual(["RUNNING_P2P", "STOP", "RESUMING"]);
    expect(pathBetween("PRE_COPY", "STOP_COPY", ["PRE_COPY"])).toEqual(["STOP_COPY"]);
    expect(pathBetween("STOP", "PRE_COPY", ["PRE_COPY"])).toEqual(["RUNNING", "PRE_COPY"]);
    const impossible = [
      [[], ["PRE_COPY", "PRE_COPY_P2P", "RUNNING_P2P"]],
      [["P2P"], ["PRE_COPY", "PRE_COPY_P2P"]],
      [["PRE_COPY"], ["PRE_COPY_P2P", "RUNNING_P2P"]],
    ] as const;
    for (const [features, states] of impossible) {
      for (const from of VFIO_STATES) {
        for (const state of states) expect(pathBetween(from, state, features)).toBeUndefined();
        const passed = VFIO_STATES.flatMap((to) => pathBetween(from, to, features) ?? []);
        expect(states.filter((state) => passed.includes(state))).toEqual([]);
      }
    }
  });

  it("bring the device along: it stops on the way to RUNNING_P2P, and runs again on the way back", () => {
    const { vfio, member } = scene();
    const modes = (
      [
        "RUNNING_P2P",
        "STOP",
        "RUNNING_P2P",
        "RUNNING",
        "PRE_COPY",
        "PRE_COPY_P2P",
        "STOP_COPY",
        "STOP",
        "RUNNING",
      ] as const
    ).map((state) => {
      vfio.setState(state);
      return member.mode;
    });
    expect(modes).toEqual(["stop", "stop", "stop", "active", "active", "stop", "stop", "stop", "active"]);
  });

  it("refuse what has no way, and stay", () => {
    const { vfio } = scene();
    vfio.setState("STOP_COPY");
    expect(codeOf(() => vfio.setState("PRE_COPY"))).toBe("EINVAL");
    expect(codeOf(() => vfio.setState("ERROR"))).toBe("EINVAL");
    expect(vfio.state).toBe("STOP_COPY");
  });
});

describe("a device that migrates through vfio-virtio", () => {
  it("goes on elsewhere, whatever the pieces of the stream", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        (precopy, out, into) => {
          const from = scene();
          const to = scene();
          const guest = guestOn(from);
          guest.writeSectors(1, new Uint8Array(512).fill(1));
          const stream: number[] = [];
          if (precopy) {
            from.vfio.setState("PRE_COPY");
            while (from.vfio.precopyInfo().initialBytes > 0) stream.push(...from.vfio.read(out));
            guest.readSectors(1, 1);
          }
          from.vfio.setState("STOP_COPY");
          stream.push(...everything(from.vfio, out));
          to.vfio.setState("RESUMING");
          for (let at = 0; at < stream.length; at += into)
            to.vfio.write(Uint8Array.from(stream.slice(at, at + into)));
          to.vfio.setState("STOP");
          moveGuest(guest, from, to);
          to.vfio.setState("RUNNING");
          while (guest.poll() !== undefined);
          guest.writeSectors(2, new Uint8Array(512).fill(2));
          expect(guest.poll()?.status).toBe(0);
          expect(to.disk[1024]).toBe(2);
          expect(to.member.save().driverFeatures).toBe(guest.driver.features);
        },
      ),
      { seed, numRuns: 40 },
    );
  });

  it("keeps objects only while it migrates", () => {
    const { vfio, parts } = scene();
    expect(parts.openObjects).toBe(0);
    vfio.setState("PRE_COPY");
    expect(parts.openObjects).toBe(1);
    vfio.setState("STOP_COPY");
    vfio.setState("RUNNING");
    expect(parts.openObjects).toBe(0);
  });

  it("passes over optional records that it does not know, and refuses the others", () => {
    const from = scene();
    from.vfio.setState("STOP_COPY");
    const known = [...everything(from.vfio)];
    const { vfio } = scene();
    vfio.setState("RESUMING");
    vfio.write(Uint8Array.from([...record(1, 7, [1, 2, 3, 4, 5]), ...record(1, 9, []), ...known]));
    expect(codeOf(() => vfio.write(Uint8Array.from(record(0, 7, [1]))))).toBe("EOPNOTSUPP");
  });

  it("refuses a record that no command can carry", () => {
    const { vfio } = scene();
    vfio.setState("RESUMING");
    const head = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(codeOf(() => vfio.write(Uint8Array.from(head)))).toBe("ENOMEM");
  });

  it("says that there is no more for now while the machine runs, and ends the stream after it", () => {
    const { vfio } = scene();
    vfio.setState("PRE_COPY");
    const { initialBytes } = vfio.precopyInfo();
    expect(vfio.read(1 << 20).length).toBe(initialBytes);
    expect(codeOf(() => vfio.read(1))).toBe("ENOMSG");
    vfio.setState("STOP_COPY");
    expect(everything(vfio).length).toBe(initialBytes);
    expect(vfio.read(1).length).toBe(0);
    vfio.setState("STOP");
    expect(codeOf(() => vfio.read(1))).toBe("ENODEV");
    expect(codeOf(() => vfio.precopyInfo())).toBe("EINVAL");
  });

  it("reads the device at most once a second, as the merged driver does", () => {
    let now = 0;
    const { vfio, log } = scene({ policy: mergedPolicy, clock: () => now });
    vfio.setState("PRE_COPY");
    const reads = () => log.filter(({ opcode }) => opcode === 0x0f).length;
    vfio.precopyInfo();
    vfio.read(1 << 20);
    const before = reads();
    for (let i = 0; i < 10; i++) expect(vfio.precopyInfo().dirtyBytes).toBe(0);
    expect(reads()).toBe(before);
    now = 1000;
    expect(vfio.precopyInfo().dirtyBytes).toBeGreaterThan(0);
    expect(reads()).toBe(before + 1);
  });

  it("reads the device 128 times, as the series has it, and then reports nothing", () => {
    const { vfio } = scene({ policy: () => SERIES_POLICY });
    vfio.setState("PRE_COPY");
    vfio.read(1 << 20);
    let reports = 0;
    while (vfio.precopyInfo().dirtyBytes > 0) {
      reports++;
      vfio.read(1 << 20);
    }
    expect(reports).toBe(127);
  });

  it("is running again after a reset, at once or when a change of state has ended", () => {
    const { vfio, parts, member } = scene();
    vfio.setState("STOP_COPY");
    vfio.reset();
    expect([vfio.state, parts.openObjects]).toEqual(["RUNNING", 0]);
    expect(codeOf(() => vfio.read(1))).toBe("ENODEV");
    vfio.setState("PRE_COPY");
    // The guest resets its device while the owner stops it.
    const stop = parts.stop.bind(parts);
    parts.stop = () => {
      vfio.reset();
      expect(vfio.state).toBe("PRE_COPY");
      stop();
    };
    vfio.setState("STOP_COPY");
    expect([vfio.state, parts.openObjects]).toEqual(["RUNNING", 0]);
    expect(member.status).toBe(0);
  });
});
