/** Damage inside a saved virtio device: it is named at its place, and what can be read around it is still shown. */
import { describe, expect, it } from "vitest";
import { Reader } from "../../../../src/runtime/index.js";
import {
  decodeVirtioState,
  encodeVirtioState,
  type SavedSubsection,
  type VirtioState,
  walkVirtioState,
} from "../../../../src/streams/index.js";
import { be, bytes } from "../../wire-bytes.js";
import { str8 } from "../stream-bytes.js";
import { Coverage } from "./coverage.js";
import { type Saved, savedDevices } from "./saved-devices.js";

const PC = savedDevices("test/captures/x86-q35-net-blk.bin");
const MMIO = savedDevices("test/captures/aarch64-virt-mmio.bin");
const CCW = savedDevices("test/captures/s390x-ccw.bin");

function walk(input: Uint8Array, { section }: Saved): Coverage {
  const coverage = new Coverage();
  const sound = walkVirtioState(new Reader(input, { base: 1000 }), section, coverage, "d");
  expect(sound).toBe(coverage.faults.length === 0);
  return coverage;
}

function find(saved: readonly Saved[], name: string): Saved {
  const found = saved.find(({ section }) => section.name.endsWith(name));
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const BLK = find(PC, "/virtio-blk");
const RNG = find(CCW, "/virtio-rng");

/** The device again, after a change to what it holds. */
function changed(saved: Saved, change: (state: VirtioState) => void): Uint8Array {
  const state = decodeVirtioState(saved.bytes, saved.section);
  change(state);
  return encodeVirtioState(state);
}

function subsection(state: VirtioState, name: string): SavedSubsection {
  const found = state.parts.find((part) => part.kind === "subsection" && part.name === name);
  if (found?.kind !== "subsection") throw new Error(`no ${name}`);
  return found;
}

/** Index of the first byte behind the text. */
function behind(input: Uint8Array, text: string): number {
  return new TextDecoder("latin1").decode(input).indexOf(text) + text.length;
}

function withBytes(input: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = input.slice();
  copy.set(values, at);
  return copy;
}

describe("what virtio_load refuses", () => {
  const sound = new Coverage();
  walkVirtioState(new Reader(BLK.bytes), BLK.section, sound);

  /** Where a field stands: the first whose change the walk tells of under that path. */
  function placeOf(path: string): number {
    let place = -1;
    const coverage = new (class extends Coverage {
      override field(...parameters: Parameters<Coverage["field"]>): void {
        const known = this.fields.size;
        super.field(...parameters);
        if (this.fields.size > known && [...this.fields.keys()].at(-1) === path) place = parameters[2];
      }
    })();
    walkVirtioState(new Reader(BLK.bytes), BLK.section, coverage);
    if (place < 0) throw new Error(`no ${path}`);
    return place;
  }

  it.each([
    ["a selected queue that there cannot be", "queue_sel", be(2, 1024), "constraint", "d.queue_sel"],
    ["more queues than there can be", "nvqs", be(4, 1025), "constraint", "d.nvqs"],
    [
      "a vector that the device does not have",
      "queues[0].vector",
      be(2, 5),
      "constraint",
      "d.queues[0].vector",
    ],
    ["a size of zero in the list of queues", "queues[0].num", be(4, 0), "constraint", "d.queues[0].num"],
    [
      "a format of the PCI device that is not known",
      "pci.device.version_id",
      be(4, 3),
      "constraint",
      "d.pci.device.version_id",
    ],
  ])("%s", (_, path, value, code, fault) => {
    const at = placeOf(path);
    const coverage = walk(withBytes(BLK.bytes, at, ...value), BLK);
    expect(coverage.faults[0]).toMatchObject({ code, path: fault, offset: 1000 + at });
    expect([coverage.at, coverage.breaks]).toEqual([BLK.bytes.length, []]);
  });

  it("a queue that is not set up and has been used", () => {
    const at = placeOf("queues[0].desc");
    const input = withBytes(withBytes(BLK.bytes, at, ...be(8, 0n)), at + 8, ...be(2, 7));
    expect(walk(input, BLK).faults).toMatchObject([{ code: "constraint", path: "d.queues[0]" }]);
  });

  it("features whose halves do not agree", () => {
    const at = behind(BLK.bytes, "virtio/64bit_features") + 4;
    const input = withBytes(BLK.bytes, at + 7, (BLK.bytes[at + 7] ?? 0) ^ 1);
    expect(walk(input, BLK).faults).toMatchObject([
      { code: "constraint", path: "d.virtio/64bit_features.guest_features", offset: 1000 + at },
    ]);
  });

  it("more descriptors in use than a packed ring has", () => {
    const input = bytes(
      BLK.bytes,
      0x05,
      str8("virtio/packed_virtqueues"),
      be(4, 1),
      ...Array.from({ length: 1024 }, (_, i) => [
        ...be(2, 0),
        1,
        ...be(2, 0),
        1,
        ...be(4, i === 0 ? 999 : 0),
      ]).flat(),
    );
    expect(sound.fields.get("queues[0].num")).toBe(256);
    expect(walk(input, BLK).faults).toMatchObject([
      {
        code: "constraint",
        path: "d.virtio/packed_virtqueues.vq[0].inuse",
        offset: 1000 + BLK.bytes.length + 30 + 6,
      },
    ]);
  });
});

describe("subsections", () => {
  it("of a later version are kept as bytes, wherever they stand", () => {
    const at = behind(BLK.bytes, "virtio/64bit_features") - 23;
    const later = bytes(0x05, str8("virtio/time_travel"), be(4, 1), [1, 2, 5, 4]);
    const input = bytes(BLK.bytes.subarray(0, at), later, BLK.bytes.subarray(at));
    const coverage = walk(input, BLK);
    expect(coverage.faults).toEqual([]);
    expect(coverage.fields.get("virtio/time_travel.unknown")).toEqual(Uint8Array.of(1, 2, 5, 4));
    expect([...coverage.fields.keys()].filter((name) => name.endsWith("guest_features"))).toHaveLength(1);
    expect(encodeVirtioState(decodeVirtioState(input, BLK.section))).toEqual(input);
  });

  it("with features 64 to 127 are known", () => {
    const at = behind(BLK.bytes, "virtio/64bit_features") - 23;
    const high = bytes(0x05, str8("virtio/128bit_features"), be(4, 1), be(8, 6n));
    const driver = bytes(0x05, str8("virtio_pci/modern_state/features128"), be(4, 1), be(4, 6), be(4, 0));
    const started = behind(BLK.bytes, "virtio/started") - 16;
    const end = started > 0 ? started : BLK.bytes.length;
    const input = bytes(
      BLK.bytes.subarray(0, at),
      high,
      BLK.bytes.subarray(at, end),
      driver,
      BLK.bytes.subarray(end),
    );
    const coverage = walk(input, BLK);
    expect(coverage.faults).toEqual([]);
    expect(coverage.fields.get("virtio/128bit_features.guest_features_hi")).toBe(6n);
    const path = "virtio/extra_state.virtio_pci/modern_state.virtio_pci/modern_state/features128";
    expect(coverage.fields.get(`${path}.guest_features_hi[0]`)).toBe(6);
    expect(encodeVirtioState(decodeVirtioState(input, BLK.section))).toEqual(input);
  });

  it("of a version that is not known are damage", () => {
    const at = behind(BLK.bytes, "virtio/64bit_features") + 3;
    const coverage = walk(withBytes(BLK.bytes, at, 2), BLK);
    expect(coverage.faults).toMatchObject([
      { code: "constraint", path: "d.virtio/64bit_features.version_id", detail: "version 2, known is 1" },
    ]);
    expect(coverage.breaks).toEqual([]);
  });

  it("tell the order of a legacy guest's configuration", () => {
    const legacy = find(MMIO, "/virtio-blk");
    const section = { ...legacy.section, name: legacy.section.name.replace("virtio-blk", "virtio-balloon") };
    const big = bytes(legacy.bytes, 0x05, str8("virtio/device_endian"), be(4, 1), 2);
    expect(walk(big, { ...legacy, section }).fields.get("virtio/device_endian.device_endian")).toBe(2);
  });

  it("can be taken away and changed", () => {
    const input = changed(BLK, (state) => {
      const features = subsection(state, "virtio/64bit_features");
      state.parts = state.parts.filter((part) => part !== features);
      state.common.value.queueSel = 7;
    });
    expect(input.length).toBe(BLK.bytes.length - 35);
    const coverage = walk(input, BLK);
    expect(coverage.faults).toEqual([]);
    expect(coverage.fields.get("queue_sel")).toBe(7);
  });
});

describe("a damaged device", () => {
  it("shows what stands behind a head that cannot be read", () => {
    const at = behind(BLK.bytes, "virtio/virtqueues") - 19;
    const coverage = walk(withBytes(BLK.bytes, at, 0x45), BLK);
    expect(coverage.faults).toMatchObject([{ code: "trailing", offset: 1000 + at }]);
    expect(coverage.fields.get("virtio/64bit_features.guest_features")).toBeDefined();
    expect(coverage.fields.get("virtio/extra_state.virtio_pci/modern_state.dfselect")).toBeDefined();
    expect([coverage.at, coverage.breaks]).toEqual([BLK.bytes.length, []]);
  });

  it.each([
    ["PCI", BLK],
    ["CCW", RNG],
    ["MMIO", find(MMIO, "/virtio-blk")],
  ])("claims every byte and never reads beyond, wherever it is cut or changed (%s)", (_, saved) => {
    const { length } = saved.bytes;
    for (let at = 0; at < length; at += at < 1200 ? 23 : 4999) {
      const cut = walk(saved.bytes.subarray(0, at), saved);
      expect([at, cut.breaks, cut.at <= at]).toEqual([at, [], true]);
      const flipped = walk(withBytes(saved.bytes, at, (saved.bytes[at] ?? 0) ^ (1 << (at % 8))), saved);
      expect([at, flipped.breaks, flipped.at]).toEqual([at, [], length]);
      const lost = walk(bytes(saved.bytes.subarray(0, at), saved.bytes.subarray(at + 1)), saved);
      expect([at, lost.breaks, lost.at <= length - 1]).toEqual([at, [], true]);
      expect([at, lost.faults.length > 0]).toEqual([at, true]);
    }
  });

  it("is not decoded", () => {
    expect(() => decodeVirtioState(BLK.bytes.subarray(0, 5000), BLK.section)).toThrow(
      expect.objectContaining({ name: "WireError" }),
    );
  });
});
