/** Whichever host has saved requests in flight, they are read the way that they were written, and no other. */
import { describe, expect, it } from "vitest";
import type { QemuScsiRequests } from "../../../../generated/qemu/scsi.js";
import { writeQemuScsiRequests } from "../../../../generated/qemu/scsi.js";
import { type QemuVirtioBlk, writeQemuVirtioBlk } from "../../../../generated/qemu/virtio/blk.js";
import { QemuHostAbi, type QemuVirtqueueElement } from "../../../../generated/qemu/virtio/element.js";
import { Reader, Writer } from "../../../../src/runtime/index.js";
import { type SavedDevice, type Vmstate, virtioDeviceOf } from "../../../../src/streams/index.js";
import { opaqueField } from "../../../../src/streams/qemu/opaque-fields.js";
import { locateState } from "../../../../src/streams/qemu/virtio/locate.js";

const ORDERS = [true, false];
const WAYS = Object.values(QemuHostAbi).flatMap((abi) =>
  ORDERS.flatMap((littleEndian) =>
    [false, true].flatMap((packed) => [1, 2, 5].map((count) => ({ abi, littleEndian, packed, count }))),
  ),
);

function element(abi: QemuHostAbi, index: number): QemuVirtqueueElement {
  const common = { index, inAddr: [0x8000n, 0x9000n + BigInt(index)], outAddr: [0x7000n] };
  if (abi === QemuHostAbi.QEMU_HOST_64) {
    return {
      ...common,
      inSg: [512n, 1n].map((iovLen) => ({ iovBase: 0n, iovLen })),
      outSg: [{ iovBase: 0n, iovLen: 16n }],
    };
  }
  return {
    ...common,
    inSg32: [512, 1].map((iovLen) => ({ iovBase: 0, iovLen })),
    outSg32: [{ iovBase: 0, iovLen: 16 }],
  };
}

function requestOf(abi: QemuHostAbi, packed: boolean, index: number) {
  return packed ? { ndescs: 3, element: element(abi, index) } : { element: element(abi, index) };
}

/** The value by the layout that was chosen. */
function chosen(bytes: Uint8Array, state: Vmstate): unknown {
  const reader = new Reader(bytes);
  const { pieces, damage } = locateState(reader, state);
  expect(damage).toBe(0);
  const [piece, ...others] = pieces;
  if (piece?.kind !== "fields" || others.length > 0) throw new Error("not one piece of fields");
  return piece.layout.read(new Reader(bytes));
}

describe("requests in flight", () => {
  it.each(WAYS)("of a block device are read as they were written: %j", (way) => {
    const { abi, littleEndian, packed, count } = way;
    for (const queues of [1, 2]) {
      const requests = Array.from({ length: count }, (_, index) => ({
        ...(queues > 1 ? { vqIndex: index % queues } : {}),
        request: requestOf(abi, packed, index),
      }));
      const value: QemuVirtioBlk = { requests };
      const writer = new Writer();
      writeQemuVirtioBlk(writer, value, littleEndian, abi, queues > 1, packed);
      const bytes = writer.written();
      const saved: SavedDevice = {
        versionId: 2,
        features: 0n,
        config: new Uint8Array(0),
        guestLittleEndian: true,
        queues,
        offersPacked: packed,
        // What is likely for the machine does not count against what the bytes say.
        hostLittleEndian: true,
      };
      const state = virtioDeviceOf("virtio-blk")?.own?.(saved);
      if (state === undefined) throw new Error("virtio-blk has an own part");
      expect(chosen(bytes, state)).toMatchObject(value);
    }
  });

  it.each(WAYS)("of a SCSI disk, which does not say what its controller offers: %j", (way) => {
    const { abi, littleEndian, packed, count } = way;
    const value: QemuScsiRequests = {
      inFlight: Array.from({ length: count }, (_, index) => ({
        more: 1,
        cdb: {
          opcode: 0x28,
          cdb1: new Uint8Array(3),
          length6: 0,
          cdb5: new Uint8Array(2),
          length10: 0,
          cdb9: new Uint8Array(7),
        },
        tag: index,
        lun: 0,
        vq: 1,
        request: requestOf(abi, packed, index),
        disk: { body: { case: "read", value: { sector: 8n, sectorCount: 2, buflen: 1024 } } },
      })),
    };
    const writer = new Writer();
    writeQemuScsiRequests(writer, value, true, true, littleEndian, abi, packed);
    const state = opaqueField("scsi-requests");
    if (state === undefined) throw new Error("SCSI requests are known");
    expect(chosen(writer.written(), state)).toMatchObject(value);
  });
});
