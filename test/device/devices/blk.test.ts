import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../src/device/devices/blk.js";
import { Allocator } from "../../../src/device/guest/allocator.js";
import { BlkDriver } from "../../../src/device/guest/blk-driver.js";
import { CommonConfig } from "../../../src/device/member/common-config.js";
import { VirtioDevice } from "../../../src/device/member/virtio-device.js";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";

const PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;

function machine(without: bigint, depth = 1) {
  const disk = new Uint8Array(64 * 512);
  disk.forEach((_, i) => {
    disk[i] = i >> 9;
  });
  const memory = GuestMemory.of(1 << 20);
  const interrupts: number[] = [];
  const type = new BlkDevice({ disk, depth, queueSize: 16, serial: "disk-1" });
  const device = new VirtioDevice(
    type,
    memory,
    { queue: (queue) => interrupts.push(queue), config: () => {} },
    { packed: true },
  );
  const bus = { common: new CommonConfig(device), notify: (queue: number) => device.notify(queue) };
  const driver = new BlkDriver(bus, memory, new Allocator(0x1000, 1 << 20), { without });
  return { disk, memory, device, driver, interrupts };
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
