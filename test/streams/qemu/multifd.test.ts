import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MultifdEvent, MultifdParser } from "../../../src/streams/index.js";
import { anyCuts, evenCuts, feed } from "../splits.js";
import { be, bytes } from "../wire-bytes.js";
import {
  deviceStatePacket,
  multifdInit,
  type PagesPacket,
  pagesPacket,
  SYNC,
  syncPacket,
  ZLIB,
} from "./multifd-bytes.js";

/** Events without the bytes that were lent, and what was lent behind packets. */
function read(input: Uint8Array, cuts: readonly number[] = []) {
  const events: MultifdEvent[] = [];
  let data = "";
  const parser = new MultifdParser(
    (event) => events.push("bytes" in event ? { ...event, bytes: event.bytes.slice() } : event),
    { data: (piece) => (data += Buffer.from(piece).toString("latin1")) },
  );
  feed(parser, input, cuts);
  return { events, data };
}

const faultsOf = (events: readonly MultifdEvent[]) =>
  events.flatMap((event) => (event.kind === "fault" ? [event.fault] : []));

const packets = (events: readonly MultifdEvent[]) =>
  events.flatMap((event) => (event.kind === "pages" ? [event] : []));

/** VFIODeviceStatePacket: version, idx, flags. */
const VFIO = [...be(4, 0), ...be(4, 7), ...be(4, 1), 1, 2, 3];

function channel(): Uint8Array {
  return bytes(
    multifdInit(3),
    syncPacket(0),
    pagesPacket({ num: 2, block: "pc.ram", normal: [0x1000, 0x3000], zero: [0x2000] }),
    deviceStatePacket("0000:00:02.0/vfio", 0, VFIO),
    pagesPacket({ num: 5, block: "pc.bios", zero: [0, 0x1000, 0x2000] }),
    syncPacket(6),
  );
}

describe("a multifd channel", () => {
  // How many pages each channel brought was counted with od from the fields of the packets.
  it.each([
    ["x86-q35-multifd-channel0", 0, 42, 118, 4300],
    ["x86-q35-multifd-channel1", 1, 34, 137, 3831],
  ])("of QEMU is read whole: %s", (name, id, count, normal, zero) => {
    const file = readFileSync(new URL(`../../captures/${name}.bin.gz`, import.meta.url));
    const { events, data } = read(new Uint8Array(gunzipSync(file)), [70, 1000, 4000]);
    expect(faultsOf(events)).toEqual([]);
    expect(events[0]).toMatchObject({ kind: "init", init: { id } });
    const all = packets(events);
    expect(all).toHaveLength(count);
    expect(all.reduce((sum, { packet }) => sum + packet.normalPages, 0)).toBe(normal);
    expect(all.reduce((sum, { packet }) => sum + packet.zeroPages, 0)).toBe(zero);
    expect(all.filter(({ sync }) => sync)).toHaveLength(3);
    expect(data.length).toBe(normal * 4096);
  });

  it("tells pages, zeroes, device state and rounds", () => {
    const { events, data } = read(channel());
    expect(faultsOf(events)).toEqual([]);
    expect(packets(events).map(({ packet, sync }) => [packet.ramblock, sync])).toEqual([
      ["", true],
      ["pc.ram", false],
      ["pc.bios", false],
      ["", true],
    ]);
    expect(events.find(({ kind }) => kind === "device-state")).toMatchObject({
      packet: { idstr: "0000:00:02.0/vfio" },
      vfio: { idx: 7, flags: 1 },
      dataSize: VFIO.length,
    });
    expect(data).toBe(`${"\x5a".repeat(2 * 4096)}${String.fromCharCode(...VFIO)}`);
  });

  it.each([8, 16, 32, 64, 128, 256, 512])(
    "learns that packets have room for %i pages from SYNC packets",
    (room) => {
      const input = bytes(multifdInit(0), syncPacket(0, room), syncPacket(1, room));
      const { events } = read(input, evenCuts(input.length, 100));
      expect(faultsOf(events)).toEqual([]);
      expect(packets(events)[0]).toMatchObject({ pageSize: (512 << 10) / room });
    },
  );

  it("says the same however the input is cut", () => {
    const input = channel();
    const whole = read(input);
    expect(read(input, evenCuts(input.length, 1))).toEqual(whole);
    fc.assert(
      fc.property(anyCuts(input.length), (cuts) => {
        expect(read(input, cuts)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it("says the same of damage however the input is cut, and never takes it for sound", () => {
    const offsets = [0, 5, 64, 70, 75, 84, 90, 1408, 1412, 1420, 1424, 1430, 1435, 1472, 2760];
    for (const at of offsets) {
      const input = channel();
      input[at] = (input[at] ?? 0) ^ 0xff;
      expect(read(input, evenCuts(input.length, 7)), `byte ${at}`).toEqual(read(input));
    }
    // The magic number, the version, the size of what follows, the room for pages.
    for (const at of [0, 7, 64, 71, 1408, 1415, 1423, 1431]) {
      const input = channel();
      input[at] = (input[at] ?? 0) ^ 0xff;
      expect(faultsOf(read(input).events), `byte ${at}`).not.toEqual([]);
    }
  });

  it("gives every prefix a fault, unless it ends where a round does", () => {
    const input = channel();
    const sound = new Set([64 + 1344, input.length]);
    for (let size = 0; size < input.length; size += size < 1500 ? 1 : 97) {
      const deviceState = faultsOf(read(input.subarray(0, size)).events);
      if (!sound.has(size)) expect(deviceState, `cut at ${size}`).toMatchObject([{ code: "truncated" }]);
    }
  });

  it("takes a SYNC of old QEMUs, which repeats the size and the number of the packet before", () => {
    const input = bytes(
      multifdInit(0),
      pagesPacket({ num: 4, block: "pc.ram", normal: [0] }),
      pagesPacket({ num: 4, flags: SYNC, size: 4096 }),
    );
    expect(faultsOf(read(input).events)).toEqual([]);
  });

  const wrong: readonly (readonly [string, PagesPacket, string])[] = [
    [
      "more pages than there is room for",
      { room: 16, alloc: 8, normal: new Array<number>(9).fill(0), data: [] },
      "normal_pages",
    ],
    ["a size that does not fit the pages", { normal: [0], size: 4095 }, "next_packet_size"],
    ["a size that no buffer holds", { normal: [0], size: 2 ** 31 }, "next_packet_size"],
    ["a compressed page of no bytes", { normal: [0], data: [], flags: ZLIB }, "next_packet_size"],
    ["two compressions at once", { flags: 6, normal: [0] }, "flags"],
    ["pages of no block", { block: "", zero: [0] }, "ramblock"],
    ["an offset inside a page", { zero: [0x800] }, "offset"],
    ["room that no page size gives", { room: 128, alloc: 127 }, "pages_alloc"],
  ];
  it.each(wrong)("finds %s", (_, packet, path) => {
    const { events } = read(bytes(multifdInit(0), pagesPacket({ block: "a", ...packet }), syncPacket(1)));
    expect(faultsOf(events)[0]).toMatchObject({ path: expect.stringContaining(path) });
  });

  it("goes on at the next packet behind damage", () => {
    const { events } = read(
      bytes(
        multifdInit(0),
        pagesPacket({ block: "a", zero: [0] }),
        [1, 2, 3, 0x11, 0x22],
        pagesPacket({ num: 1, block: "b", zero: [0] }),
        syncPacket(2),
      ),
    );
    expect(packets(events).map(({ packet }) => packet.ramblock)).toEqual(["a", "b", ""]);
    expect(events).toContainEqual({ kind: "gap", at: 64 + 1344, size: 5 });
  });

  it("keeps nothing of device state, however long it is", () => {
    const size = 64 << 20;
    let lent = 0;
    const faults: unknown[] = [];
    const parser = new MultifdParser((event) => event.kind === "fault" && faults.push(event.fault), {
      data: (piece) => (lent += piece.length),
    });
    const head = deviceStatePacket("dev", 0, [0]).slice(0, -5);
    parser.push(bytes(multifdInit(0), syncPacket(0), head, be(4, size)));
    const chunk = new Uint8Array(1 << 16).fill(0x11);
    const before = process.memoryUsage().arrayBuffers;
    for (let sent = 0; sent < size; sent += chunk.length) parser.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    parser.end();
    expect([lent, faults]).toEqual([size, []]);
  });
});
