/** Damaged states are refused with a fault or taken, nothing else is thrown, and what was taken can be written anywhere. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLANK_QUEUE } from "../../../src/device/formats/blank.js";
import {
  type DeviceState,
  readQemuState,
  StateReader,
  writeDeviceContext,
  writeQemuState,
  writeState,
} from "../../../src/device/index.js";
import { WireError } from "../../../src/runtime/index.js";
import { virtioDeviceOf } from "../../../src/streams/index.js";
import { seed } from "../../properties/drawn.js";
import { savedDevices } from "../../streams/qemu/virtio/saved-devices.js";
import { memoryOf } from "./capture-memory.js";
import { deviceStates } from "./states.js";

const FORMATS = ["device-context", "device-parts", "vfio-virtio"] as const;

const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });

function damaged(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of changes) copy[at % copy.length] = value;
  return copy;
}

/** Gives what is read, or nothing when it is refused as it should be. */
function accepted<T>(
  read: () => T,
  refusals: readonly (abstract new (...args: never[]) => Error)[],
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (refusals.some((refusal) => error instanceof refusal)) return undefined;
    throw error;
  }
}

/** Where the damage has made thousands of virtqueues of a few, reading them is enough. */
const MANY = 300;

function writesEverywhere(state: DeviceState): void {
  if (state.queues.length > MANY) return;
  for (const format of FORMATS) accepted(() => writeState(state, format), [WireError]);
}

describe.each(FORMATS)("a damaged state in the format %s", (format) => {
  it("is refused, or is a state", () => {
    const counts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(deviceStates, damage, (state, changes) => {
        const bytes = damaged(writeState(state, format).bytes, changes);
        const reader = new StateReader(format, state.deviceType);
        reader.push(bytes);
        const reading = accepted(() => reader.end(), [WireError]);
        counts[reading === undefined ? "refused" : "taken"]++;
        if (reading !== undefined) writesEverywhere(reading.state);
      }),
      { seed, numRuns: 150 },
    );
    expect(counts.taken).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(0);
  });
});

it("writes as many virtqueues as there can be", () => {
  const [state] = fc.sample(deviceStates, { seed, numRuns: 1 });
  if (state === undefined) return;
  const queue = { ...BLANK_QUEUE, enabled: true };
  const queues = Array.from({ length: 0xffff }, () => queue);
  expect(writeDeviceContext({ ...state, queues }).length).toBeGreaterThan(0xffff * 46);
});

const CAPTURE = "test/captures/x86-q35-net-blk.bin";
const devices = savedDevices(CAPTURE).filter(({ section }) => virtioDeviceOf(section.name) !== undefined);

describe.each(devices)("the section $section.name", ({ bytes, section }) => {
  const memory = memoryOf(CAPTURE);
  // What lies behind is, for the most part, arrays for virtqueues that the device has not.
  const head = fc.array(fc.tuple(fc.nat(1100), fc.nat(255)), { minLength: 1, maxLength: 3 });

  it("is refused when damaged, or is a state that is written back", () => {
    let taken = 0;
    fc.assert(
      fc.property(head, (changes) => {
        const copy = damaged(bytes, changes);
        const reading = accepted(() => readQemuState(copy, section, { memory }), [WireError]);
        if (reading === undefined) return;
        taken++;
        writesEverywhere(reading.state);
        const again = accepted(
          () => writeQemuState(copy, section, reading.state, memory),
          [WireError, RangeError],
        );
        if (again === undefined) return;
        // Not the same bytes where the section contradicts itself: QEMU keeps some values twice.
        expect(readQemuState(again.bytes, section, { memory }).state).toEqual(reading.state);
      }),
      { seed, numRuns: 40 },
    );
    expect(taken).toBeGreaterThan(0);
  });

  it("takes a state of another device, or refuses it", () => {
    const { state: own } = readQemuState(bytes, section, { memory });
    let taken = 0;
    fc.assert(
      fc.property(deviceStates, (state) => {
        const { deviceType, config, queues } = own;
        const other = {
          ...state,
          ...{ deviceType, config, isBigEndian: false },
          driverFeatures: BigInt.asUintN(64, state.driverFeatures),
          queues: queues.map((queue, i) => ({ ...queue, ...state.queues[i] })),
        };
        const written = accepted(
          () => writeQemuState(bytes, section, other, memory),
          [WireError, RangeError],
        );
        if (written !== undefined) taken++;
        // Another type of device, or another number of virtqueues, is none of this one's.
        const isOther = state.deviceType !== deviceType || state.queues.length !== queues.length;
        if (isOther) expect(() => writeQemuState(bytes, section, state, memory)).toThrow(RangeError);
      }),
      { seed, numRuns: 40 },
    );
    expect(taken).toBeGreaterThan(0);
  });
});
