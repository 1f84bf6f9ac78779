/** Virtqueues of devices whose state and memory hold anything at all. */
import { describe, expect, it } from "vitest";
import { WireError } from "../../../../src/runtime/index.js";
import { type GuestBytes, RingMemory, readDeviceRings } from "../../../../src/streams/index.js";
import { savedDevices } from "./saved-devices.js";

const DEVICES = ["in-flight", "net", "serial", "gpu"].flatMap((name) =>
  savedDevices(`test/captures/virtio-states/${name}.bin.gz`).filter(({ section }) =>
    /\/virtio-/.test(section.name),
  ),
);

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Memory that is different at each look, small numbers more often than not, and holes. */
function noise(random: () => number): GuestBytes {
  return (_, length) => {
    if (random() < 0.1) return undefined;
    const few = random() < 0.5;
    return Uint8Array.from({ length }, () => (few && random() < 0.9 ? 0 : Math.floor(random() * 256)));
  };
}

describe("virtqueues of a hostile guest in a damaged state", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("are read to an end, or refused: seed %i", (seed) => {
    const random = randomFrom(seed);
    let read = 0;
    for (const { section, bytes } of DEVICES) {
      for (let round = 0; round < 6; round++) {
        const damaged = bytes.slice();
        for (let i = 0; i < round; i++) {
          // The queues stand in the first part of the state.
          const at = Math.floor(random() * Math.min(damaged.length, 2000));
          damaged[at] = Math.floor(random() * 256);
        }
        try {
          const rings = readDeviceRings(damaged, section, new RingMemory(noise(random)));
          for (const queue of rings.queues) {
            const chains = queue.kind === "split" ? queue.chains : (queue.content?.inFlight ?? []);
            expect(chains.length).toBeLessThanOrEqual(queue.size);
          }
          read++;
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }
    }
    expect(read).toBeGreaterThan(DEVICES.length);
  });
});
