/**
 * Channels of multifd as accelerators compress them, made of channels without compression by the layouts in QEMU 10.0.2's
 * multifd-qpl.c, multifd-uadk.c and multifd-qatzip.c and QATzip's qatzip_gzip.c. zlib does the compressing.
 */
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { be, bytes, le } from "../wire-bytes.js";

/** What compresses, by the bit of the flags that stands for it. */
export const QPL = 8;
export const UADK = 16;
export const QATZIP = 32;

/** QATzip's buffer for hardware. */
const HARDWARE = 64 << 10;

/** The lengths, then the pages; one that did not get smaller stays as it was. */
export function onePageAtATime(pages: readonly Uint8Array[], method: typeof QPL | typeof UADK): Uint8Array {
  const packed = pages.map((page) => {
    const smaller = method === QPL ? deflateRawSync(page, { level: 1 }) : deflateSync(page, { level: 1 });
    return smaller.length < page.length ? smaller : page;
  });
  return bytes(
    packed.flatMap(({ length }) => be(4, length)),
    ...packed,
  );
}

/** A member: RFC 1952 with the extra field QZ, that tells both lengths. */
export function qatzipMember(content: Uint8Array): Uint8Array {
  const deflate = deflateRawSync(content, { level: 1 });
  const trailer = gzipSync(content).subarray(-8);
  const extra = bytes("QZ", le(2, 8), le(4, content.length), le(4, deflate.length));
  const head = bytes(0x1f, 0x8b, 8, 4, le(4, 0), 0, 255, le(2, extra.length), extra);
  return bytes(head, deflate, trailer);
}

export function allPagesTogether(pages: readonly Uint8Array[], size = HARDWARE): Uint8Array {
  const content = Buffer.concat(pages);
  const members: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) {
    members.push(qatzipMember(content.subarray(at, at + size)));
  }
  const packed = Buffer.concat(members);
  // That zlib reads it says that it is gzip at all.
  if (!gunzipSync(packed).equals(content)) throw new Error("no gzip");
  return new Uint8Array(packed);
}

/** Packets of a channel for pages of 4 KiB: 320 bytes, 128 offsets, then the pages. */
const PAGE = 4096;
const INIT = 64;
const HEAD = 320 + 128 * 8;

/** The same channel, compressed by `method`. */
export function accelerated(
  channel: Uint8Array,
  method: typeof QPL | typeof UADK | typeof QATZIP,
): Uint8Array {
  const view = new DataView(channel.buffer, channel.byteOffset, channel.byteLength);
  const out: Uint8Array[] = [channel.subarray(0, INIT)];
  for (let at = INIT; at < channel.length; ) {
    const head = channel.slice(at, at + HEAD);
    const [flags, normal] = [view.getUint32(at + 8), view.getUint32(at + 16)];
    at += HEAD;
    const pages = Array.from({ length: normal }, (_, i) =>
      channel.subarray(at + i * PAGE, at + (i + 1) * PAGE),
    );
    at += normal * PAGE;
    const data =
      normal === 0
        ? new Uint8Array(0)
        : method === QATZIP
          ? allPagesTogether(pages)
          : onePageAtATime(pages, method);
    // What brings no pages is not prepared by the compression.
    const used = normal + view.getUint32(at - normal * PAGE - HEAD + 32);
    head.set(be(4, used > 0 ? flags | method : flags), 8);
    head.set(be(4, data.length), 20);
    out.push(head, data);
  }
  return Buffer.concat(out);
}
