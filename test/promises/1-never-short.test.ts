/**
 * Promise 1: never silently short, never outside the view. Every prefix of a message that knows where it ends is truncated;
 * a decode inside a larger buffer never sees its neighbours; a count that cannot be true fails at once and allocates nothing.
 */
import { describe, expect, it } from "vitest";
import * as qemu from "../../generated/qemu/stream.js";
import * as vhost from "../../generated/vhost-user/messages.js";
import * as context from "../../generated/virtio/device-context.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { Reader } from "../../src/runtime/index.js";
import { canonical } from "../properties/canonical.js";
import { be, bytes, le, tlv } from "../streams/wire-bytes.js";
import { codeOf, refusal, thrownBy } from "./faults.js";
import { messages } from "./messages.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;
const delimited = messages.filter((message) => message.delimited);

describe("a prefix of", () => {
  it.each(delimited)("$name is truncated", (message) => {
    expect(refusal(message, message.bytes)).toBeUndefined();
    for (let cut = 0; cut < message.bytes.length; cut++) {
      const thrown = refusal(message, message.bytes.subarray(0, cut));
      expect(codeOf(thrown), `cut at ${cut}`).toBe("truncated");
      const { need, had, offset, path } = JSON.parse(thrown ?? "{}");
      expect(path).not.toBe("");
      expect(had).toBe(cut - offset);
      expect(need).toBeGreaterThan(had);
    }
  });
});

describe("among other bytes", () => {
  it.each(messages)("$name is what it is alone", (message) => {
    const alone = canonical(message.decode(message.bytes));
    for (const canary of [0x00, 0x5a, 0xff]) {
      const around = new Uint8Array(message.bytes.length + 128).fill(canary);
      around.set(message.bytes, 64);
      const inside = around.subarray(64, 64 + message.bytes.length);
      expect(canonical(message.decode(inside))).toBe(alone);
      expect(canonical(message.decode(new DataView(around.buffer, 64, inside.length)))).toBe(alone);
      expect(message.again(inside)).toEqual(message.bytes);
      // One byte less: the neighbour would make it whole.
      const short = around.subarray(64, 64 + message.bytes.length - 1);
      expect(thrownBy(() => message.decode(short))).toBe(thrownBy(() => message.decode(short.slice())));
    }
  });

  it.each(delimited)("$name ends where it ends", (message) => {
    const longer = new Uint8Array(message.bytes.length + 64).fill(0xff);
    longer.set(message.bytes);
    const reader = new Reader(longer);
    message.decode(reader);
    expect(reader.at).toBe(message.bytes.length);
  });
});

/** Bytes that claim as much as they can. Each count is the last thing that is true in them. */
const hostile: readonly [
  name: string,
  run: (input: Uint8Array) => unknown,
  check: (input: Uint8Array) => unknown,
  input: Uint8Array,
][] = [
  [
    "4 294 967 295 fields of a context",
    (input) => context.decodeVirtioDevCtx(input, NET),
    (input) => context.checkVirtioDevCtx(input, NET),
    bytes(le(4, 0xffff_ffff), tlv(1, le(8, 1))),
  ],
  [
    // Few enough that JavaScript would make room for all of them at once.
    "30 000 000 fields of a context",
    (input) => context.decodeVirtioDevCtx(input, NET),
    (input) => context.checkVirtioDevCtx(input, NET),
    bytes(le(4, 30_000_000), tlv(1, le(8, 1))),
  ],
  [
    "a field of 2^53 − 1 bytes",
    (input) => context.decodeVirtioDevCtx(input, NET),
    (input) => context.checkVirtioDevCtx(input, NET),
    bytes(le(4, 1), le(2, 1), [0, 0, 0, 0, 0, 0], le(8, 2n ** 53n - 1n), le(8, 1)),
  ],
  [
    "65 535 descriptors",
    context.decodeVirtioDevCtxVqSplitDevDescs,
    context.checkVirtioDevCtxVqSplitDevDescs,
    bytes(le(2, 0), le(2, 0xffff), le(2, 1)),
  ],
  [
    "a command of 65 535 bytes",
    qemu.decodeQemuVmRecord,
    qemu.checkQemuVmRecord,
    bytes(8, be(2, 2), be(2, 0xffff), be(4, 1)),
  ],
  [
    "8 regions of memory",
    (input) => vhost.decodeVhostUserMemory(input, false, true),
    (input) => vhost.checkVhostUserMemory(input, false, true),
    bytes(le(4, 8), le(4, 0), le(8, 1)),
  ],
];

describe("a claim of", () => {
  it.each(hostile)("%s fails at once", (_, decode, check, input) => {
    // Once before, so that what is measured is not the making of machine code.
    expect(codeOf(thrownBy(() => decode(input)))).toBe("truncated");
    const before = process.memoryUsage();
    const start = performance.now();
    for (let i = 0; i < 100; i++) thrownBy(() => decode(input));
    const each = (performance.now() - start) / 100;
    const after = process.memoryUsage();
    expect(each).toBeLessThan(5);
    // An error with its stack takes a few KiB. One array of the claimed length would take more than all of them.
    const allocated = after.heapUsed - before.heapUsed + (after.external - before.external);
    expect(allocated).toBeLessThan(100 * (2 * input.length + 64 * 1024));
    expect(check(input)).toBeDefined();
  });
});
