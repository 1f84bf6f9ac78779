/**
 * What a real QEMU has saved of its devices, converted and brought back: onto the device as it was after a reset, so that
 * every byte that is right afterwards has come through the other format. Set VIRTWIRE_CAPTURES to a folder of streams of
 * your own.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type DeviceState,
  type GuestBytes,
  readQemuState,
  type StateFormat,
  StateReader,
  writeQemuState,
  writeState,
} from "../../../src/device/index.js";
import { virtioDeviceOf } from "../../../src/streams/index.js";
import { type Saved, savedDevices } from "../../streams/qemu/virtio/saved-devices.js";
import { memoryOf } from "./capture-memory.js";

const FORMATS = ["device-context", "device-parts", "vfio-virtio"] as const;
const STREAM = /^(?!.*(return|channel|-ch[1-9]|-forward\.[1-9])).*\.bin(\.gz)?$/;

function streamsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => STREAM.test(name) && !name.startsWith("microvm"))
    .map((name) => `${folder}/${name}`);
}

const own = process.env["VIRTWIRE_CAPTURES"];
const streams = [
  ...streamsIn("test/captures"),
  ...streamsIn("test/captures/virtio-states"),
  ...(own === undefined ? [] : streamsIn(own)),
];

function converted(state: DeviceState, format: StateFormat): { state: DeviceState; lost: string[] } {
  const { bytes, losses } = writeState(state, format);
  const reader = new StateReader(format, state.deviceType);
  reader.push(bytes);
  const lost = losses.filter(({ kind }) => kind === "lost").map(({ path }) => path);
  return { state: reader.end().state, lost };
}

/** The section of the same device when nobody has set it up. What no format carries stays. */
function afterReset({ bytes, section }: Saved, state: DeviceState, memory: GuestBytes): Uint8Array {
  const queues = state.queues.map((queue) => ({
    ...queue,
    size: queue.maxSize ?? queue.size,
    msixVector: 0xffff,
    enabled: false,
    descriptorArea: 0n,
    driverArea: 0n,
    deviceArea: 0n,
    standing: undefined,
    owned: [],
  }));
  const blank = { ...state, status: 0, driverFeatures: 0n, configMsixVector: 0xffff, queues };
  return writeQemuState(bytes, section, blank, memory).bytes;
}

describe.each(streams)("the virtio devices of %s", (path) => {
  const memory = memoryOf(path);
  const devices = savedDevices(path).filter(({ section }) => virtioDeviceOf(section.name) !== undefined);

  it("are read, and written back byte for byte", () => {
    for (const { bytes, section } of devices) {
      const { state } = readQemuState(bytes, section, { memory });
      expect([section.name, writeQemuState(bytes, section, state, memory)]).toEqual([
        section.name,
        { bytes, losses: [], assumed: [] },
      ]);
    }
  });

  it.each(FORMATS)("come back from the format %s", (format) => {
    for (const device of devices) {
      const { bytes, section } = device;
      const { state } = readQemuState(bytes, section, { memory });
      const there = converted(state, format);
      const back = writeQemuState(afterReset(device, state, memory), section, there.state, memory);
      if (there.lost.length > 0) continue;
      const reread = readQemuState(back.bytes, section, { memory }).state;
      expect([section.name, reread]).toEqual([section.name, withRetaken(state, reread)]);
      // In which order requests of several virtqueues came, only the section says, and some are in the ring again.
      if (state.queues.some(({ owned }) => owned.length > 0)) continue;
      expect([section.name, back.bytes]).toEqual([section.name, bytes]);
    }
  });
});

/** Buffers that are in the ring again: the device stands at the used index, and owns none. */
function withRetaken(before: DeviceState, after: DeviceState): DeviceState {
  const queues = before.queues.map((queue, index) => {
    const { standing } = queue;
    const isRetaken = queue.owned.length > 0 && after.queues[index]?.owned.length === 0;
    if (!isRetaken || standing?.isRetakable !== true) return queue;
    return { ...queue, owned: [], standing: { ...standing, available: standing.used } };
  });
  return { ...before, queues };
}
