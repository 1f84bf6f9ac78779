/**
 * Every byte of every virtio device in real captures is a field, and encoding what was decoded gives the same bytes. Set
 * VIRTWIRE_CAPTURES to a folder of streams of your own.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Reader } from "../../../../src/runtime/index.js";
import { decodeVirtioState, encodeVirtioState, walkVirtioState } from "../../../../src/streams/index.js";
import { Coverage } from "./coverage.js";
import { savedDevices } from "./saved-devices.js";

/** Forward directions of channels that carry sections. */
const STREAM = /^(?!.*(return|-ch[1-9]|-forward\.[1-9])).*\.bin$/;
const PACKED_STREAM = /\.bin\.gz$/;

function streamsIn(folder: string, pattern = STREAM): string[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => `${folder}/${name}`);
}

const own = process.env["VIRTWIRE_CAPTURES"];
const streams = [
  ...streamsIn("test/captures"),
  ...streamsIn("test/captures/virtio-states", PACKED_STREAM),
  ...(own === undefined ? [] : streamsIn(own)),
];

describe("virtio devices of real streams", () => {
  it.each(streams)("%s", (path) => {
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
      expect([...coverage.fields.keys()].filter((name) => /(^|\.)(unreadable|unknown)$/.test(name))).toEqual(
        [],
      );
      expect(encodeVirtioState(decodeVirtioState(bytes, section))).toEqual(bytes);
    }
  });

  it("are there", () => {
    const found = streamsIn("test/captures").flatMap((path) => savedDevices(path));
    expect(new Set(found.map(({ section }) => section.name))).toEqual(
      new Set([
        "0000:00:01.0/virtio-net",
        "0000:00:02.0/virtio-blk",
        "/fe.0.0000/virtio-net",
        "/fe.0.0001/virtio-blk",
        "/fe.0.0002/virtio-rng",
        "virtio-mmio@000000000a003e00/virtio-net",
        "virtio-mmio@000000000a003c00/virtio-blk",
      ]),
    );
  });
});
