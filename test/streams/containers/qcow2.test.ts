import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Qcow2Image, type ReadImage } from "../../../src/streams/index.js";
import { be } from "../wire-bytes.js";

/** Made by QEMU with clusters of 4 KiB, a disk of 1 MiB and two `savevm`s: see test/captures/README.md. */
const written = new Uint8Array(
  gunzipSync(readFileSync(new URL("../../captures/microvm-savevm.qcow2.gz", import.meta.url))),
);

const SNAPSHOTS_OFFSET = 64;
const view = new DataView(written.buffer, written.byteOffset, written.length);
const table = Number(view.getBigUint64(SNAPSHOTS_OFFSET));

function reading(image: Uint8Array): ReadImage {
  return (at, size) => image.subarray(at, at + size);
}

function patched(at: number, value: readonly number[]): Uint8Array {
  const image = written.slice();
  image.set(value, at);
  return image;
}

/** The state of the first snapshot, byte by byte as the tables say. */
function whole(image: Uint8Array): Uint8Array {
  const opened = new Qcow2Image(reading(image));
  const [first] = opened.snapshots();
  if (first === undefined) throw new Error("no snapshot");
  return opened.state(first)(0, first.stateSize);
}

describe("a qcow2 image", () => {
  it("has the snapshots that qemu-img lists", () => {
    // qemu-img snapshot -l: ids, tags, VM SIZE 66.6 KiB
    expect(
      new Qcow2Image(reading(written)).snapshots().map(({ id, name, stateSize }) => [id, name, stateSize]),
    ).toEqual([
      ["1", "first", 68213],
      ["2", "second", 68213],
    ]);
  });

  it("has a state that begins as streams do, and is the same read in any pieces", () => {
    const state = whole(written);
    expect(new TextDecoder("latin1").decode(state.subarray(0, 4))).toBe("QEVM");
    const image = new Qcow2Image(reading(written));
    const [first] = image.snapshots();
    const read = image.state(first as NonNullable<typeof first>);
    for (const size of [1000, 4096, 5000]) {
      for (let at = 0; at < state.length; at += size) {
        expect(read(at, size)).toEqual(state.subarray(at, at + size));
      }
    }
    expect(read(state.length, 10)).toEqual(new Uint8Array(0));
  });

  it("reads as zeros where there is no table, and no cluster", () => {
    const l1 = Number(view.getBigUint64(table));
    // The state stands behind the first entry of level 1, which is the disk's.
    expect(whole(patched(l1 + 8, be(8, 0)))).toEqual(new Uint8Array(68213));
    const l2 = Number(view.getBigUint64(l1 + 8) & 0xff_ffff_ffff_fe00n);
    const hole = whole(patched(l2, be(8, 0)));
    expect(hole.subarray(0, 4096)).toEqual(new Uint8Array(4096));
    expect(hole.subarray(4096)).toEqual(whole(written).subarray(4096));
    expect(whole(patched(l2 + 7, [1]))).toEqual(hole);
  });

  it("is refused where it is damaged, or more than is known", () => {
    const l1 = Number(view.getBigUint64(table));
    const l2 = Number(view.getBigUint64(l1 + 8) & 0xff_ffff_ffff_fe00n);
    expect(() => whole(patched(l2, [0x40]))).toThrow(/compressed cluster/);
    expect(() => whole(patched(l1 + 8, be(8, 0x7fff_0000_0000n)))).toThrow(/behind the end/);
    expect(() => whole(patched(60, be(4, 0xffffffff)))).toThrow(/nb_snapshots/);
    expect(() => whole(patched(SNAPSHOTS_OFFSET, be(8, 0x7fff_0000_0000n)))).toThrow(/truncated/);
    expect(() => whole(patched(20, be(4, 63)))).toThrow(/cluster_bits/);
    expect(() => whole(patched(79, [4]))).toThrow(/another file/);
    expect(() => whole(written.subarray(0, 50))).toThrow(/truncated/);
  });
});
