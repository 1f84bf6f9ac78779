/**
 * Promise 3: `encode(decode(b))` equals `b` for every valid `b`, unknown tags, reserved bits and padding included.
 */
import { describe, expect, it } from "vitest";
import { decodeVirtiovfRecord, encodeVirtiovfRecord } from "../../generated/vfio/virtio-stream.js";
import {
  decodeVirtioDevCtx,
  encodeVirtioDevCtx,
  sizeofVirtioDevCtx,
} from "../../generated/virtio/device-context.js";
import { decodeVirtioDevPart, encodeVirtioDevPart } from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { bytes, le, vfioRecordBytes } from "../streams/wire-bytes.js";
import { messages } from "./messages.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;

describe("decoding and encoding", () => {
  it.each(messages)("$name gives its bytes", (message) => {
    expect(message.again(message.bytes)).toEqual(message.bytes);
  });

  it.each(messages)(
    "whatever a byte of $name is changed to, gives its bytes or an error before",
    (message) => {
      let kept = 0;
      for (let at = 0; at < message.bytes.length; at++) {
        for (const bits of [0x01, 0x10, 0x80, 0xff]) {
          const changed = message.bytes.slice();
          changed[at] = (changed[at] ?? 0) ^ bits;
          if (message.check(changed) !== undefined) continue;
          kept++;
          expect(message.again(changed), `byte ${at} ^ ${bits}`).toEqual(changed);
        }
      }
      expect(kept).toBeGreaterThan(message.bytes.length / 4);
    },
  );

  it.each([0x0005, 0x0fff, 0x1001, 0x2000, 0x2fff, 0x3000, 0xffff])(
    "keeps a field of the unknown type %i",
    (type) => {
      const input = bytes(le(4, 1), le(2, type), 1, 2, 3, 4, 5, 6, le(8, 5), 9, 8, 7, 6, 5);
      const value = decodeVirtioDevCtx(input, NET);
      expect(value.fields[0]?.type).toBe(type);
      expect(value.fields[0]?.value).toEqual({ case: "raw", value: bytes(9, 8, 7, 6, 5) });
      expect(encodeVirtioDevCtx(value, NET)).toEqual(input);
      expect(sizeofVirtioDevCtx(value, NET)).toBe(input.length);
    },
  );

  it("keeps an unknown part that is optional, and refuses one that is not", () => {
    const part = (flags: number): Uint8Array =>
      bytes(le(2, 0x777), flags, 0xaa, 1, 2, 3, 4, 5, 6, 7, 8, le(4, 3), 1, 2, 3);
    // All flags, the unknown ones too.
    for (const flags of [0x01, 0xff]) {
      const value = decodeVirtioDevPart(part(flags), NET);
      expect(encodeVirtioDevPart(value, NET)).toEqual(part(flags));
    }
    for (const flags of [0x00, 0xfe]) {
      expect(() => decodeVirtioDevPart(part(flags), NET)).toThrow(
        expect.objectContaining({ code: "tag", offset: 4 }),
      );
    }
  });

  it("keeps an unknown record that is optional, and refuses one that is not", () => {
    const optional = bytes(vfioRecordBytes(0xffff_ffff, 0xdead, [1, 2, 3]));
    expect(encodeVirtiovfRecord(decodeVirtiovfRecord(optional, NET), NET)).toEqual(optional);
    const mandatory = bytes(vfioRecordBytes(0xffff_fffe, 0xdead, [1, 2, 3]));
    expect(() => decodeVirtiovfRecord(mandatory, NET)).toThrow(expect.objectContaining({ code: "tag" }));
  });
});
