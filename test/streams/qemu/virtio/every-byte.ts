/** The promise for virtio devices, held to one stream. */
import { expect } from "vitest";
import { Reader } from "../../../../src/runtime/index.js";
import { decodeVirtioState, encodeVirtioState, walkVirtioState } from "../../../../src/streams/index.js";
import { Coverage } from "./coverage.js";
import { savedDevices } from "./saved-devices.js";

/** Every byte of every virtio device is a field, and what was decoded encodes to the same bytes. Gives the devices. */
export function expectEveryByteNamed(path: string): string[] {
  const devices = savedDevices(path);
  for (const { section, at, bytes } of devices) {
    const coverage = new Coverage();
    walkVirtioState(new Reader(bytes, { base: at }), section, coverage, section.name);
    expect({ name: section.name, faults: coverage.faults, breaks: coverage.breaks }).toEqual({
      name: section.name,
      faults: [],
      breaks: [],
    });
    expect(coverage.at).toBe(bytes.length);
    expect(
      [...coverage.fields.keys()].filter((name) => /^device$|(^|\.)(unreadable|unknown)$/.test(name)),
    ).toEqual([]);
    expect(encodeVirtioState(decodeVirtioState(bytes, section))).toEqual(bytes);
  }
  return devices.map(({ section }) => section.name);
}
