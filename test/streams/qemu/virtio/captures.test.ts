/**
 * Every byte of every virtio device in real captures is a field, and encoding what was decoded gives the same bytes. Set
 * VIRTWIRE_CAPTURES to a folder of streams of your own.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectEveryByteNamed } from "./every-byte.js";
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
    expectEveryByteNamed(path);
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
