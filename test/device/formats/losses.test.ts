/**
 * Random states written in each format and read back are the same, but for what the report calls lost; and what it calls
 * lost really is. Guest memory is not in a format: of a split virtqueue it says what is used.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DeviceState, type StateFormat, StateReader, writeState } from "../../../src/device/index.js";
import { seed } from "../../properties/drawn.js";
import { deviceStates, flat, PACKED } from "./states.js";

const FORMATS = ["device-context", "device-parts", "vfio-virtio"] as const;

function readBack(
  format: StateFormat,
  bytes: Uint8Array,
  deviceType: number,
  piece = bytes.length,
): DeviceState {
  const reader = new StateReader(format, deviceType);
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  return reader.end().state;
}

describe.each(FORMATS)("a state in the format %s", (format) => {
  it("comes back the same but for what is reported, which is gone", () => {
    fc.assert(
      fc.property(deviceStates, (state) => {
        const { bytes, losses } = writeState(state, format);
        const back = flat(readBack(format, bytes, state.deviceType));
        const paths = new Set(losses.map(({ path }) => path));
        for (const [path, value] of flat(state)) {
          const isSame = equal(back.get(path), value);
          if (isSame) expect([path, paths.has(path)]).toEqual([path, false]);
          else expect([path, paths.has(path) || inMemory(state, path)]).toEqual([path, true]);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  it("comes back the same however it is cut", () => {
    fc.assert(
      fc.property(deviceStates, fc.integer({ min: 1, max: 40 }), (state, piece) => {
        const { bytes } = writeState(state, format);
        expect(readBack(format, bytes, state.deviceType, piece)).toEqual(
          readBack(format, bytes, state.deviceType),
        );
      }),
      { seed, numRuns: 50 },
    );
  });

  it("is refused when it is cut off", () => {
    fc.assert(
      fc.property(deviceStates, fc.nat(), (state, at) => {
        const { bytes } = writeState(state, format);
        const cut = bytes.subarray(0, at % bytes.length);
        // Parts end where the input ends: between two of them nothing is missing.
        if (format !== "device-parts") expect(() => readBack(format, cut, state.deviceType)).toThrow();
      }),
      { seed, numRuns: 50 },
    );
  });
});

/** What a destination finds in guest memory: all of a split virtqueue is used, or it can be taken once more. */
function inMemory({ driverFeatures, queues }: DeviceState, path: string): boolean {
  const [, index, name] = /^queues\[(\d+)\]\.(last_avail_idx|owned)$/.exec(path) ?? [];
  const standing = queues[Number(index)]?.standing;
  if (name === undefined || standing === undefined || (driverFeatures & PACKED) !== 0n) return false;
  return (
    standing.isRetakable === true || (standing.used !== undefined && standing.used === standing.available)
  );
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify([a], text) === JSON.stringify([b], text);
}

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
