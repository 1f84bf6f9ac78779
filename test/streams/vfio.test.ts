import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeVirtioDevParts } from "../../generated/virtio/device-parts.js";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { type VfioStreamEvent, VfioStreamParser, vfioRecord } from "../../src/streams/index.js";
import { anyCuts, evenCuts, feed } from "./splits.js";
import { bytes, deviceParts, vfioRecordBytes } from "./wire-bytes.js";

const NET = VirtioDeviceId.VIRTIO_ID_NET;
const DEVICE_DATA = 0;
const OPTIONAL = 1;

function eventsOf(input: Uint8Array, cuts: readonly number[] = []): VfioStreamEvent[] {
  const events: VfioStreamEvent[] = [];
  feed(new VfioStreamParser((event) => events.push(structuredClone(event)), NET), input, cuts);
  return events;
}

const kinds = (events: readonly VfioStreamEvent[]): string[] => events.map(({ kind }) => kind);

describe("vfio-virtio records", () => {
  const parts = deviceParts();
  const data = parts.flat();
  const stream = bytes(
    vfioRecordBytes(0, DEVICE_DATA, data),
    vfioRecordBytes(OPTIONAL, 77, [1, 2, 3]),
    vfioRecordBytes(0, DEVICE_DATA, []),
  );

  it("reports headers, parts and ends, and passes over what is optional and unknown", () => {
    const events = eventsOf(stream);
    expect(kinds(events)).toEqual([
      "record",
      ...parts.map(() => "part"),
      "record-end",
      "record",
      "record-end",
      "record",
      "record-end",
    ]);
    expect(events[1]).toMatchObject({ at: 16, index: 0 });
    expect(events[parts.length + 3]).toEqual({
      kind: "record-end",
      index: 1,
      at: 16 + data.length + 19,
      known: false,
    });
  });

  it("gives the same events for every way of cutting it", () => {
    const whole = eventsOf(stream);
    expect(eventsOf(stream, evenCuts(stream.length, 1))).toEqual(whole);
    fc.assert(
      fc.property(anyCuts(stream.length), (cuts) => {
        expect(eventsOf(stream, cuts)).toEqual(whole);
      }),
    );
  });

  it("refuses an unknown tag that is mandatory, and reads the record behind it", () => {
    const events = eventsOf(
      bytes(vfioRecordBytes(0, 77, [1, 2, 3]), vfioRecordBytes(0, DEVICE_DATA, parts[0] ?? [])),
    );
    expect(kinds(events)).toEqual(["record", "fault", "record-end", "record", "part", "record-end"]);
    expect(events[1]).toMatchObject({ fault: { code: "tag", path: "records[0].tag" } });
  });

  it("shows damage in one record and goes on with the next", () => {
    const damaged = [...data];
    damaged[48] = 0x50;
    const events = eventsOf(
      bytes(vfioRecordBytes(0, DEVICE_DATA, damaged), vfioRecordBytes(0, DEVICE_DATA, parts[0] ?? [])),
    );
    expect(kinds(events)).toEqual([
      "record",
      "part",
      "part",
      "fault",
      "gap",
      "record-end",
      "record",
      "part",
      "record-end",
    ]);
    expect(events[3]).toMatchObject({ fault: { code: "tag", offset: 16 + 52 } });
    expect(events[4]).toEqual({ kind: "gap", at: 64, size: data.length - 48 });
  });

  it("is truncated at every length that does not end a record", () => {
    const ends = new Set([0, 16 + data.length, 16 + data.length + 19]);
    for (let length = 0; length < stream.length; length++) {
      const faults = eventsOf(stream.subarray(0, length)).filter(({ kind }) => kind === "fault");
      if (ends.has(length)) expect(faults).toEqual([]);
      else expect(faults).toMatchObject([{ fault: { code: "truncated" } }]);
    }
  });

  it("does not believe a part that reaches beyond its record", () => {
    const first = [...(parts[0] ?? [])];
    first[12] = 200;
    const events = eventsOf(
      bytes(vfioRecordBytes(0, DEVICE_DATA, first), vfioRecordBytes(0, DEVICE_DATA, data)),
    );
    expect(kinds(events).slice(0, 4)).toEqual(["record", "fault", "gap", "record-end"]);
    expect(events[1]).toMatchObject({ fault: { code: "overrun" } });
    expect(events.filter(({ kind }) => kind === "part")).toHaveLength(parts.length);
  });

  it("is written as it is read", () => {
    const { parts: value } = decodeVirtioDevParts(bytes(data), NET);
    expect(vfioRecord(value, NET)).toEqual(bytes(vfioRecordBytes(0, DEVICE_DATA, data)));
  });
});
