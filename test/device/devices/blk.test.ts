import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../src/device/devices/blk.js";
import type { Disk } from "../../../src/device/devices/disk.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { BlkDriver } from "../../../src/device/guest/blk-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";

const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;

const FLUSH = 1n << 9n;
const NO_DISK: Disk = {
  length: 0,
  read: () => undefined,
  write: () => undefined,
  flush: () => undefined,
  clear: () => undefined,
};

function machine(without: bigint, depth = 1, other?: Disk) {
  const disk = new Uint8Array(64 * 512);
  disk.forEach((_, i) => {
    disk[i] = i >> 9;
  });
  const memory = GuestMemory.of(1 << 20);
  const interrupts: number[] = [];
  const type = new BlkDevice({ disk: other ?? disk, depth, queueSize: 16, serial: "disk-1" });
  const device = new VirtioDevice(
    type,
    memory,
    { queue: (queue) => interrupts.push(queue), config: () => {} },
    { packed: true },
  );
  const bus = { common: new CommonConfig(device), notify: (queue: number) => device.notify(queue) };
  const driver = new BlkDriver(bus, memory, new Allocator(0x1000, 1 << 20), { without });
  return { disk, memory, type, device, driver, interrupts };
}

describe.each([
  ["split rings", PACKED | EVENT_IDX],
  ["split rings with event indices", PACKED],
  ["packed rings", EVENT_IDX],
  ["packed rings with event indices", 0n],
])("a block device on %s", (_, without) => {
  it("reads, writes and flushes", () => {
    const { disk, driver, device } = machine(without);
    expect(device.has(PACKED)).toBe((without & PACKED) === 0n);
    const read = driver.readSectors(3, 2);
    const answer = driver.poll();
    expect([answer?.id, answer?.status]).toEqual([read, 0]);
    expect(answer?.data).toEqual(disk.slice(3 * 512, 5 * 512));
    driver.writeSectors(62, new Uint8Array(1024).fill(0xab));
    expect(driver.poll()?.status).toBe(0);
    expect(disk.subarray(62 * 512).every((byte) => byte === 0xab)).toBe(true);
    driver.flush();
    expect(driver.poll()?.status).toBe(0);
    expect(driver.outstanding).toBe(0);
  });

  it("refuses what lies behind the end of the disk, and writes nothing of it", () => {
    const { disk, driver } = machine(without);
    const before = disk.slice();
    driver.readSectors(63, 2);
    expect(driver.poll()?.status).toBe(1);
    driver.writeSectors(63, new Uint8Array(1024));
    expect(driver.poll()?.status).toBe(1);
    driver.writeSectors(2 ** 52, new Uint8Array(512));
    expect(driver.poll()?.status).toBe(1);
    expect(disk).toEqual(before);
  });

  it("keeps requests in flight up to its depth", () => {
    const { driver, device } = machine(without, 4);
    device.setMode("stop");
    for (let i = 0; i < 4; i++) driver.readSectors(i, 1);
    expect(driver.poll()).toBeUndefined();
    device.setMode("active");
    const answers = Array.from({ length: 4 }, () => driver.poll());
    expect(answers.map((answer) => answer?.data[0])).toEqual([0, 1, 2, 3]);
  });
});

describe("a block device's answers", () => {
  it("gives its serial number", () => {
    const { memory, device, driver } = machine(PACKED | EVENT_IDX);
    // struct virtio_blk_req by hand: type 8 is GET_ID.
    memory.write(0xf0000, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const [queue] = driver.driver.queues;
    queue?.add({
      readable: [{ address: 0xf0000, length: 16 }],
      writable: [{ address: 0xf0100, length: 21 }],
    });
    device.notify(0);
    const text = new TextDecoder().decode(memory.read(0xf0100, 20));
    expect(text).toBe("disk-1".padEnd(20, "\0"));
    expect(memory.read(0xf0114, 1)[0]).toBe(0);
    expect(queue?.poll()?.written).toBe(21);
  });

  it.each([
    ["an unknown type", [99, 0, 0, 0], 2],
    ["a write of half a sector", [1, 0, 0, 0], 1],
  ])("refuses %s", (_, head, status) => {
    const { memory, device, driver } = machine(PACKED | EVENT_IDX);
    memory.write(0xf0000, Uint8Array.from([...head, ...new Array(112).fill(0)]));
    const [queue] = driver.driver.queues;
    queue?.add({
      readable: [{ address: 0xf0000, length: 116 }],
      writable: [{ address: 0xf0100, length: 1 }],
    });
    device.notify(0);
    expect(memory.read(0xf0100, 1)[0]).toBe(status);
  });

  const DISCARD = 11;
  const WRITE_ZEROES = 13;
  const UNMAP = 1;
  /** struct virtio_blk_discard_write_zeroes: le64 sector, le32 num_sectors, le32 flags. */
  type Range = readonly [sector: number, sectors: number, flags?: number];
  const cleared = (type: number, ranges: readonly Range[], one = machine(PACKED | EVENT_IDX)) => {
    const { memory, device, driver, disk } = one;
    const words = [type, 0, 0, 0, ...ranges.flatMap(([at, count, flags = 0]) => [at, 0, count, flags])];
    memory.write(0xf0000, new Uint8Array(Uint32Array.from(words).buffer));
    const [queue] = driver.driver.queues;
    queue?.add({
      readable: [{ address: 0xf0000, length: words.length * 4 }],
      writable: [{ address: 0xf8000, length: 1 }],
    });
    device.notify(0);
    const zeros = Array.from({ length: 64 }, (_, i) => i).filter((i) => disk[i * 512] === 0);
    return { status: memory.read(0xf8000, 1)[0], zeros };
  };

  it.each<[string, number, readonly Range[], number, readonly number[]]>([
    [
      "discards ranges",
      DISCARD,
      [
        [2, 2],
        [60, 4],
      ],
      0,
      [0, 2, 3, 60, 61, 62, 63],
    ],
    ["writes zeroes", WRITE_ZEROES, [[1, 1]], 0, [0, 1]],
    ["writes zeroes, and may unmap", WRITE_ZEROES, [[1, 1, UNMAP]], 0, [0, 1]],
    ["does not discard with the flag for the other", DISCARD, [[1, 1, UNMAP]], 2, [0]],
    [
      "knows no other flag",
      WRITE_ZEROES,
      [
        [1, 1],
        [2, 1, 2],
      ],
      2,
      [0],
    ],
    ["knows no other flag of a discard", DISCARD, [[2, 1, 0x80000000]], 2, [0]],
    [
      "refuses all for one behind the end",
      DISCARD,
      [
        [1, 1],
        [63, 2],
      ],
      1,
      [0],
    ],
    ["refuses no range", WRITE_ZEROES, [], 1, [0]],
    [
      "takes as many ranges as it says",
      DISCARD,
      Array.from({ length: 16 }, (_, i) => [i, 1] as const),
      0,
      Array.from({ length: 16 }, (_, i) => i),
    ],
    ["and not more", DISCARD, Array.from({ length: 17 }, (_, i) => [i, 1] as const), 1, [0]],
  ])("%s", (_, type, ranges, status, zeros) => {
    expect(cleared(type, ranges)).toEqual({ status, zeros });
  });

  it("are whole only when all of a request is over, and tell of one failure among them", async () => {
    const ends: ((error?: Error) => void)[] = [];
    const disk: Disk = {
      length: 64 * 512,
      read: () => undefined,
      write: () => undefined,
      flush: () => undefined,
      clear: (at) => {
        if (at === 0) throw new Error("no hole there");
        return new Promise((resolve, reject) => {
          ends.push((error) => (error === undefined ? resolve() : reject(error)));
        });
      },
    };
    const one = machine(PACKED | EVENT_IDX, 1, disk);
    cleared(
      DISCARD,
      [
        [1, 1],
        [0, 1],
        [2, 1],
        [3, 1],
      ],
      one,
    );
    const status = (): number | undefined => one.memory.read(0xf8000, 1)[0];
    one.memory.write(0xf8000, Uint8Array.of(0xff));
    ends[0]?.(new Error("worn out"));
    ends[1]?.();
    await Promise.resolve();
    expect([ends.length, one.type.busy, status()]).toEqual([3, true, 0xff]);
    ends[2]?.();
    await one.type.settled();
    expect(status()).toBe(1);
  });

  it.each([
    [
      "are safe on the disk for a driver that knows no flush",
      FLUSH,
      ["write", "flush", "write", "flush", "clear", "flush"],
    ],
    ["are not for one that does", 0n, ["write", "write", "clear"]],
  ])("%s", (_, without, expected) => {
    const steps: string[] = [];
    const step = (name: string): undefined => {
      steps.push(name);
    };
    const disk: Disk = {
      length: 64 * 512,
      read: () => undefined,
      write: () => step("write"),
      flush: () => step("flush"),
      clear: () => step("clear"),
    };
    const one = machine(PACKED | EVENT_IDX | without, 1, disk);
    for (let i = 0; i < 2; i++) {
      one.driver.writeSectors(i, new Uint8Array(512));
      expect(one.driver.poll()?.status).toBe(0);
    }
    cleared(WRITE_ZEROES, [[1, 1]], one);
    expect(steps).toEqual(expected);
  });

  it("say how large a range may be of a disk that is larger than any range", () => {
    const disk: Disk = { ...NO_DISK, length: 2 ** 42 };
    const view = new DataView(new BlkDevice({ disk }).config().buffer);
    // struct virtio_blk_config: le64 capacity; max_discard_sectors at 36, max_write_zeroes_sectors at 48.
    expect([view.getBigUint64(0, true), view.getUint32(36, true), view.getUint32(48, true)]).toEqual([
      2n ** 33n,
      0xffffffff,
      0xffffffff,
    ]);
  });

  it("gives back a request that has no room for a status, and goes on", () => {
    const { memory, device, driver } = machine(PACKED | EVENT_IDX);
    const [queue] = driver.driver.queues;
    const id = queue?.add({ readable: [{ address: 0xf0000, length: 16 }], writable: [] });
    device.notify(0);
    expect(queue?.poll()).toEqual({ id, written: 0 });
    driver.readSectors(1, 1);
    expect(driver.poll()?.status).toBe(0);
    expect(memory.read(0xf0000, 1)[0]).toBe(0);
  });
});
