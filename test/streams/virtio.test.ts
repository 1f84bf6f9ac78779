import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeVirtioDevCtx } from "../../generated/virtio/device-context.js";
import { decodeVirtioDevParts } from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import {
  type DeviceContextEvent,
  DeviceContextParser,
  type DevicePartsEvent,
  DevicePartsParser,
  deviceContextBuffers,
  devicePartsBuffers,
} from "../../src/streams/index.js";
import { anyCuts, evenCuts, feed } from "./splits.js";
import { bytes, deviceContext, deviceParts, le, tlv } from "./wire-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;

function contextEvents(input: Uint8Array, cuts: readonly number[] = []): DeviceContextEvent[] {
  const events: DeviceContextEvent[] = [];
  // A parsed value may hold slices of what was lent: it is copied as the interface demands.
  const parser = new DeviceContextParser((event) => events.push(structuredClone(event)), NET);
  feed(parser, input, cuts);
  return events;
}

function partEvents(input: Uint8Array, cuts: readonly number[] = []): DevicePartsEvent[] {
  const events: DevicePartsEvent[] = [];
  feed(new DevicePartsParser((event) => events.push(structuredClone(event)), NET), input, cuts);
  return events;
}

describe("device context", () => {
  const context = deviceContext();

  it("reports the count, every field at its place, and the end", () => {
    const events = contextEvents(context.bytes);
    expect(events[0]).toMatchObject({ kind: "count", at: 0, fieldCount: 5 });
    expect(events.slice(1, 6).map((event) => event.kind === "field" && event.at)).toEqual(
      context.fieldOffsets,
    );
    expect(events[2]).toMatchObject({
      field: {
        type: 2,
        value: { case: "pciVqCfg", value: { queueSize: 256, queueDesc: 0x1000n, queueDevice: 0x3000n } },
      },
    });
    expect(events[5]).toMatchObject({
      field: { type: 0x2001, value: { case: "raw", value: bytes(1, 2, 3) } },
    });
    expect(events[6]).toEqual({ kind: "end", at: context.bytes.length });
    expect(events).toHaveLength(7);
  });

  it("gives the same events for every way of cutting it", () => {
    const whole = contextEvents(context.bytes);
    expect(contextEvents(context.bytes, evenCuts(context.bytes.length, 1))).toEqual(whole);
    fc.assert(
      fc.property(anyCuts(context.bytes.length), (cuts) => {
        expect(contextEvents(context.bytes, cuts)).toEqual(whole);
      }),
    );
  });

  it("is truncated at every length but its own", () => {
    for (let length = 0; length < context.bytes.length; length++) {
      const events = contextEvents(context.bytes.subarray(0, length));
      expect(events.find((event) => event.kind === "fault")).toMatchObject({ fault: { code: "truncated" } });
      expect(events.some((event) => event.kind === "end")).toBe(false);
    }
  });

  it("reads on behind a field whose value does not fit its length", () => {
    const short = tlv(0x0003, [0, 0, 7, 0]);
    const events = contextEvents(bytes(le(4, 3), tlv(0x0001, le(8, 1)), short, tlv(0x2001, [9])));
    expect(events.filter((event) => event.kind === "fault")).toMatchObject([
      {
        fault: {
          code: "overrun",
          offset: 4 + 24 + 16 + 4,
          path: expect.stringMatching(/^fields\[1\]\..*enabled$/),
        },
      },
    ]);
    expect(events.filter((event) => event.kind === "field")).toHaveLength(3);
    expect(events[events.length - 1]).toMatchObject({ kind: "end" });
  });

  it("does not wait for, or make room for, a field that claims to be huge", () => {
    const events = contextEvents(
      bytes(le(4, 1), le(2, 0x2001), [0, 0, 0, 0, 0, 0], le(8, 1n << 40n), [1, 2, 3]),
    );
    expect(events[1]).toMatchObject({ kind: "fault", fault: { code: "limit" } });
    expect(events[2]).toMatchObject({ kind: "gap", at: 4, size: 19 });
  });

  it("refuses bytes behind the last field", () => {
    const events = contextEvents(bytes(context.bytes, [1]));
    expect(events.find((event) => event.kind === "fault")).toMatchObject({
      fault: { code: "trailing", offset: context.bytes.length },
    });
  });

  it("is written into command buffers of any size", () => {
    const value = decodeVirtioDevCtx(context.bytes, NET);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
        const buffers = [...deviceContextBuffers(value, NET, size)];
        expect(buffers.slice(0, -1).every((buffer) => buffer.length === size)).toBe(true);
        expect(bytes(...buffers)).toEqual(context.bytes);
      }),
    );
  });
});

describe("device parts", () => {
  const parts = deviceParts();
  const whole = bytes(...parts);

  it("reports every part at its place", () => {
    const events = partEvents(whole);
    expect(events.map((event) => event.kind === "part" && event.bytes)).toEqual(
      parts.map((part) => bytes(part)),
    );
    expect(events[2]).toMatchObject({
      at: 48,
      part: {
        part: {
          case: "pciCommonCfg",
          value: { selector: { offset: 18 }, value: { case: "numQueues", value: 3 } },
        },
      },
    });
  });

  it("gives the same events for every way of cutting it", () => {
    const expected = partEvents(whole);
    expect(partEvents(whole, evenCuts(whole.length, 1))).toEqual(expected);
    fc.assert(
      fc.property(anyCuts(whole.length), (cuts) => {
        expect(partEvents(whole, cuts)).toEqual(expected);
      }),
    );
  });

  it("is truncated wherever a part is not whole", () => {
    const ends = new Set(parts.map((_, i) => parts.slice(0, i).flat().length));
    for (let length = 1; length < whole.length; length++) {
      const faults = partEvents(whole.subarray(0, length)).filter((event) => event.kind === "fault");
      if (ends.has(length)) expect(faults).toEqual([]);
      else expect(faults).toMatchObject([{ fault: { code: "truncated" } }]);
    }
  });

  it("refuses an unknown part that is not optional, and keeps one that is", () => {
    const unknown = (flags: number): Uint8Array =>
      bytes(le(2, 0x150), flags, 0, [0, 0, 0, 0, 0, 0, 0, 0], le(4, 2), [7, 8]);
    expect(partEvents(unknown(1))).toMatchObject([{ kind: "part", part: { part: { case: "unknown" } } }]);
    expect(partEvents(unknown(0))).toMatchObject([
      { kind: "fault", fault: { code: "tag", offset: 4 } },
      { kind: "gap", at: 0, size: 18 },
    ]);
  });

  it("is written into command buffers of any size", () => {
    const value = decodeVirtioDevParts(whole, NET);
    for (const size of [1, 7, 64, 4096])
      expect(bytes(...devicePartsBuffers(value.parts, NET, size))).toEqual(whole);
  });
});
