import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { detectKind } from "../../src/inspect/index.js";
import { receivedBitmap, recovery } from "../streams/qemu/return-path-bytes.js";
import { precopy } from "../streams/qemu/stream-bytes.js";
import { be, bytes, deviceContext, deviceParts, le, tlv, vfioRecordBytes } from "../streams/wire-bytes.js";

const parts = deviceParts().flat();
/** More than the bytes that kinds are told by. */
const LONG = Array.from({ length: 40 }, () => parts).flat();

describe("kinds", () => {
  it.each([
    ["qemu-stream", precopy()],
    ["qemu-return-path", bytes(be(2, 2), be(2, 4), be(4, 1), be(2, 1), be(2, 4), be(4, 0))],
    ["qemu-return-path", recovery()],
    ["qemu-multifd", bytes(be(4, 0x11223344), be(4, 1))],
    ["qemu-return-path", bytes(receivedBitmap("pc.ram", new Array<number>(8192).fill(0xff)))],
    ["device-context", deviceContext().bytes],
    ["device-context", deviceContext().bytes.subarray(0, 60)],
    ["device-context", bytes(le(4, 400), ...Array.from({ length: 400 }, () => tlv(0x2001, [1, 2, 3])))],
    ["device-context", bytes(le(4, 0))],
    ["device-parts", bytes(parts)],
    ["device-parts", bytes(parts).subarray(0, 50)],
    ["device-parts", bytes(LONG)],
    ["vfio-stream", bytes(vfioRecordBytes(0, 0, parts))],
    ["vfio-stream", bytes(vfioRecordBytes(0, 0, LONG))],
    ["vfio-stream", bytes(vfioRecordBytes(1, 5, [1, 2]), vfioRecordBytes(0, 0, parts))],
    ["vfio-stream", bytes(vfioRecordBytes(0, 0, parts)).subarray(0, 100)],
    // BEGIN with nothing behind its head; ACCEPTED and the first round.
    ["guest-stream", bytes(le(4, 1), le(4, 16), le(4, 0x54534756), le(4, 1), le(4, 4096), le(4, 0))],
    ["guest-answers", bytes(le(4, 1), le(4, 0), le(4, 2), le(4, 4), le(4, 0))],
    [
      "vhost-user",
      new Uint8Array(readFileSync(new URL("../captures/vhost-user-qsd.jsonl", import.meta.url))),
    ],
    ["vhost-user", bytes('{"from":"fe","hex":"0100')],
    ["vhost-user", bytes('[pid  7] sendmsg(5, {msg_name=NULL, msg_iov=[{iov_base="')],
    // GET_FEATURES and GET_PROTOCOL_FEATURES; the reply to the first.
    ["vhost-user", bytes(le(4, 1), le(4, 1), le(4, 0), le(4, 15), le(4, 1), le(4, 0))],
    ["vhost-user", bytes(le(4, 1), le(4, 5), le(4, 8), le(4, 7), le(4, 0))],
  ])("%s is told by its first bytes", (kind, input) => {
    expect(detectKind(input.subarray(0, 4096))).toEqual({ kind });
  });

  it.each(["x86-q35-net-blk", "s390x-ccw", "aarch64-virt-mmio"])(
    "%s is a migration stream also when bytes of its header are damaged, lost or doubled",
    (name) => {
      const stream = new Uint8Array(readFileSync(`test/captures/${name}.bin`).subarray(0, 4096));
      const HEADER = 8;
      for (let at = 0; at < HEADER; at++) {
        const flipped = stream.map((byte, i) => (i === at ? byte ^ 0x40 : byte));
        const shorter = bytes([...stream.subarray(0, at)], [...stream.subarray(at + 1)]);
        const longer = bytes([...stream.subarray(0, at + 1)], [...stream.subarray(at)]);
        for (const damaged of [flipped, shorter, longer])
          expect(detectKind(damaged), `byte ${at}`).toEqual({ kind: "qemu-stream" });
      }
    },
  );

  it.each([
    ["libvirt save image", bytes("LibvirtQemudSave", le(4, 2))],
    ["qcow2", bytes("QFI", 0xfb)],
    ["gzip", bytes(0x1f, 0x8b, 8)],
    ["zstd", bytes(0x28, 0xb5, 0x2f, 0xfd)],
    ["vhost-user", bytes('{"t":0}')],
  ])("%s is named, and not read", (what, input) => {
    expect(detectKind(input)).toEqual({ kind: "unsupported", what: expect.stringContaining(what) });
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["zeroes", new Uint8Array(4096)],
    ["text", bytes("Hello, world: this is no capture of anything.")],
    ["noise", Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 0xff)],
  ])("%s is no kind", (_, input) => {
    expect(detectKind(input)).toEqual({ kind: "unknown" });
  });
});
