/**
 * Promise 5: a damaged capture never gets a clean verdict. The first bad offset is named, and everything readable around the
 * damage is still shown.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkVirtiovfRecords } from "../../generated/vfio/virtio-stream.js";
import { checkVirtioDevCtx } from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import type { CaptureKind } from "../../src/inspect/index.js";
import type { WireError } from "../../src/runtime/index.js";
import { inspectBytes } from "../inspect/inspect-bytes.js";
import { bytes, deviceContext, deviceParts, vfioRecordBytes } from "../streams/wire-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}`, import.meta.url)));
}

interface Blob {
  readonly kind: CaptureKind;
  readonly bytes: Uint8Array;
  readonly check: (input: Uint8Array) => WireError | undefined;
}

const blobs: readonly Blob[] = [
  { kind: "device-context", bytes: deviceContext().bytes, check: (input) => checkVirtioDevCtx(input, NET) },
  {
    kind: "vfio-stream",
    bytes: bytes(vfioRecordBytes(0, 0, deviceParts().flat()), vfioRecordBytes(1, 9, [1, 2, 3])),
    check: (input) => checkVirtiovfRecords(input, NET),
  },
];

describe.each(["s390x-ccw.bin", "x86-q35-multifd-main.bin"])("a capture of a QEMU migration, %s,", (name) => {
  const capture = captured(name);
  const sound = inspectBytes(capture);

  it("is clean as QEMU wrote it", () => {
    expect(sound.summary.faultCount).toBe(0);
    expect(sound.summary.verdict).toMatch(/^clean/);
  });

  it("is damaged wherever it ends too early, and what came before is shown", () => {
    const cuts = Array.from({ length: 40 }, (_, i) => Math.floor((capture.length * (i + 1)) / 41));
    for (const cut of [...cuts, capture.length - 1, capture.length - 4000, 9, 12]) {
      const { records, summary } = inspectBytes(capture.subarray(0, cut), { kind: "qemu-stream" });
      expect(summary.verdict, `cut at ${cut}`).not.toMatch(/clean/);
      expect(summary.faultCount, `cut at ${cut}`).toBeGreaterThan(0);
      expect(summary.faults[0]?.offset).toBeLessThanOrEqual(cut);
      const whole = sound.records.filter(({ at, size }) => at + size < cut);
      expect(records.length, `cut at ${cut}`).toBeGreaterThanOrEqual(whole.length);
    }
  });
});

describe.each(["s390x-ccw.bin", "x86-q35-multifd-main.bin"])(
  "a capture that lacks its description, %s,",
  (name) => {
    it("is cut: whoever writes a configuration writes that, too", () => {
      const capture = captured(name);
      const end = inspectBytes(capture).records.find(({ record }) => record === "eof");
      if (end === undefined) throw new Error("no EOF");
      const { summary } = inspectBytes(capture.subarray(0, end.at + end.size), { kind: "qemu-stream" });
      expect(summary.faults).toMatchObject([
        { code: "truncated", path: "vmdescription", offset: end.at + end.size },
      ]);
      expect(summary.verdict).toMatch(/^damaged/);
    });
  },
);

// In the second one, parts of a section that says nothing of its length stand between those of the RAM.
describe.each(["x86-q35-multifd-main.bin", "s390x-ccw.bin"])("the records of a capture, %s,", (name) => {
  const capture = captured(name);
  const sound = inspectBytes(capture);

  it("are damaged when the head of any is", () => {
    const heads = sound.records.filter(({ record }) => /section|command|configuration|footer/.test(record));
    expect(heads.length).toBeGreaterThan(5);
    for (const { at } of heads) {
      const damaged = capture.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      const { records, summary } = inspectBytes(damaged, { kind: "qemu-stream" });
      expect(summary.verdict, `byte ${at}`).not.toMatch(/clean/);
      expect(summary.faults[0]?.offset, `byte ${at}`).toBeGreaterThanOrEqual(0);
      expect(records.length).toBeGreaterThanOrEqual(
        sound.records.filter((one) => one.at + one.size <= at).length,
      );
    }
  });
});

describe.each(blobs)("a capture of kind $kind", ({ kind, bytes: input, check }) => {
  const sound = inspectBytes(input, { kind, device: NET });

  it("is clean as it is", () => {
    expect(sound.summary.verdict).toMatch(/^clean/);
  });

  it("is damaged whenever a byte of it is that matters, at the place that decoding names", () => {
    let damagedCount = 0;
    for (let at = 0; at < input.length; at++) {
      const damaged = input.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      const error = check(damaged);
      if (error === undefined) continue;
      damagedCount++;
      const { summary, records } = inspectBytes(damaged, { kind, device: NET });
      expect(summary.verdict, `byte ${at}`).toMatch(/^damaged/);
      const first = summary.faults[0];
      // What a length or a count claims is compared at once by the one, and found missing at the end by the other, which may
      // come upon something else before.
      if (error.code === "truncated") expect(first?.offset).toBeGreaterThanOrEqual(error.offset);
      // A tag is wrong where it stands, or where what it chose should be.
      else if (error.code === "tag") expect(first?.code).toBe("tag");
      else expect(first?.offset, `byte ${at}`).toBe(error.offset);
      const shown = new Set(records.map((record) => `${record.name} at ${record.at}`));
      const readable = sound.records.filter(
        (record) => record.at + record.size <= Math.min(at, error.offset),
      );
      expect(readable.filter((record) => !shown.has(`${record.name} at ${record.at}`))).toEqual([]);
    }
    expect(damagedCount).toBeGreaterThan(20);
  });

  it("is damaged wherever it ends too early", () => {
    for (let cut = 1; cut < input.length; cut++) {
      const error = check(input.subarray(0, cut));
      if (error === undefined) continue;
      expect(inspectBytes(input.subarray(0, cut), { kind, device: NET }).summary.verdict).toMatch(/^damaged/);
    }
  });
});
