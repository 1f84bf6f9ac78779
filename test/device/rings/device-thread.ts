/** The device's side of a virtqueue in a thread of its own: answers buffers two by two, until it is told to end. */
import { parentPort, workerData } from "node:worker_threads";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import type { DescriptorChain } from "../../../src/device/rings/chain.js";
import { PackedDeviceQueue } from "../../../src/device/rings/packed-device.js";
import { SplitDeviceQueue } from "../../../src/device/rings/split-device.js";
import { END, type Shared } from "./threads.js";

const { buffer, place, packed } = workerData as Shared;
const bytes = new Uint8Array(buffer);
const memory = new GuestMemory([{ guestAddress: 0, bytes }]);
const queue = packed ? new PackedDeviceQueue(memory, place) : new SplitDeviceQueue(memory, place);
let first: DescriptorChain | undefined;

function answer(chain: DescriptorChain): DescriptorChain {
  chain.write(chain.read().map((byte) => byte ^ 0xff));
  return chain;
}

parentPort?.postMessage("ready");
while (Atomics.load(bytes, END) === 0) {
  const chain = queue.take();
  if (chain === undefined) continue;
  if (first === undefined) {
    first = answer(chain);
    continue;
  }
  // The driver must not see one of the two without the other.
  queue.give(first, true);
  queue.give(answer(chain));
  first = undefined;
}
