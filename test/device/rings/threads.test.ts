/** A device and a driver in two threads, on the same memory: what a ring shows is there. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { PackedDriverQueue } from "../../../src/device/rings/packed-driver.js";
import { SplitDriverQueue } from "../../../src/device/rings/split-driver.js";
import { placeOf } from "./layout.js";
import { END, type Shared } from "./threads.js";

const SIZE = 32;
/** Even: they come back two by two. */
const BUFFERS = 2000;
const LENGTH = 48;
const STRIDE = 256;
const START = 0x40000;

/** A thread does not take TypeScript. */
const program = buildSync({
  entryPoints: [fileURLToPath(new URL("./device-thread.ts", import.meta.url))],
  bundle: true,
  write: false,
  platform: "node",
  format: "cjs",
}).outputFiles[0]?.text as string;

describe.each([
  ["split", false],
  ["packed", true],
])("a device in another thread on a %s ring", (_, packed) => {
  it("answers every buffer whole, and shows those together that belong together", async () => {
    const buffer = new SharedArrayBuffer(1 << 20);
    const place = placeOf(SIZE);
    const bytes = new Uint8Array(buffer);
    const memory = new GuestMemory([{ guestAddress: 0, bytes }]);
    const driver = packed ? new PackedDriverQueue(memory, place) : new SplitDriverQueue(memory, place);
    const workerData: Shared = { buffer, place, packed };
    const device = new Worker(program, { eval: true, workerData });
    try {
      await once(device, "message");
      const slots = Array.from({ length: SIZE / 2 }, (_, i) => i);
      const sent = new Map<number, { serial: number; slot: number }>();
      let serial = 0;
      let answered = 0;
      const poll = (): boolean => {
        const used = driver.poll();
        if (used === undefined) return false;
        const one = sent.get(used.id);
        if (one === undefined) throw new Error(`buffer ${used.id} comes back twice`);
        sent.delete(used.id);
        slots.push(one.slot);
        expect(used.written).toBe(LENGTH);
        const answer = memory.read(START + one.slot * STRIDE + LENGTH, LENGTH);
        expect(answer.every((byte) => byte === ((one.serial & 0xff) ^ 0xff))).toBe(true);
        answered++;
        return true;
      };
      for (let turn = 0; answered < BUFFERS; turn++) {
        // Lets the test's own time limit strike.
        if (turn % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
        while (serial < BUFFERS && slots.length > 0) {
          const slot = slots.shift() as number;
          const address = START + slot * STRIDE;
          memory.write(address, new Uint8Array(LENGTH).fill(serial & 0xff));
          const id = driver.add({
            readable: [{ address, length: LENGTH }],
            writable: [{ address: address + LENGTH, length: LENGTH }],
          });
          sent.set(id as number, { serial: serial++, slot });
        }
        if (poll()) expect(poll()).toBe(true);
      }
      expect(sent.size).toBe(0);
    } finally {
      Atomics.store(bytes, END, 1);
      await device.terminate();
    }
  }, 120_000);
});
