import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../../../src/runtime/index.js";
import { ChannelUnpacker, MultifdParser } from "../../../../src/streams/index.js";
import { bytes } from "../../wire-bytes.js";
import {
  accelerated,
  allPagesTogether,
  onePageAtATime,
  QATZIP,
  QPL,
  qatzipMember,
  UADK,
} from "../accelerated-bytes.js";
import { multifdInit, pagesPacket, syncPacket } from "../multifd-bytes.js";
import { PAGE } from "../stream-bytes.js";

const CHANNEL = new Uint8Array(
  gunzipSync(readFileSync(new URL("../../../captures/x86-q35-multifd-channel0.bin.gz", import.meta.url))),
);

/** All pages with contents, in their order. */
function plainPages(channel: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const parser = new MultifdParser(() => {}, { data: (piece) => parts.push(piece.slice()) });
  parser.push(channel);
  parser.end();
  const all = Buffer.concat(parts);
  return Array.from(
    { length: all.length / PAGE },
    (_, i) => new Uint8Array(all.subarray(i * PAGE, (i + 1) * PAGE)),
  );
}

function unpacked(channel: Uint8Array, step = channel.length) {
  const pages: { ordinal: number; block: string; offset: number; bytes: Uint8Array }[] = [];
  const faults: Fault[] = [];
  const unpacker = new ChannelUnpacker({
    page: (ordinal, block, offset, content) => pages.push({ ordinal, block, offset, bytes: content.slice() }),
    fault: (fault) => faults.push(fault),
  });
  for (let at = 0; at < channel.length; at += step) unpacker.push(channel.slice(at, at + step));
  unpacker.end();
  return { pages, faults };
}

/** Faults that reading the channel finds without unpacking it. */
function structureFaults(channel: Uint8Array): Fault[] {
  const faults: Fault[] = [];
  const parser = new MultifdParser((event) => event.kind === "fault" && faults.push(event.fault));
  parser.push(channel);
  parser.end();
  return faults;
}

const noise = (seed: number) => {
  let state = seed;
  return Uint8Array.from({ length: PAGE }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  });
};
const PAGES = [new Uint8Array(PAGE).fill(7), noise(1), Uint8Array.from({ length: PAGE }, (_, i) => i & 0xff)];

const packet = (flags: number, data: Uint8Array, num = 0, count = PAGES.length) =>
  pagesPacket({
    num,
    flags,
    block: "pc.ram",
    normal: Array.from({ length: count }, (_, i) => (num * 8 + i) * PAGE),
    data: [...data],
  });

const METHODS = [
  ["qpl", QPL, () => onePageAtATime(PAGES, QPL)],
  ["uadk", UADK, () => onePageAtATime(PAGES, UADK)],
  ["qatzip", QATZIP, () => allPagesTogether(PAGES)],
] as const;

describe("the pages of a channel that an accelerator has compressed", () => {
  it.each(METHODS)("are those of the channel without compression: %s", (compression, flag) => {
    const channel = accelerated(CHANNEL, flag);
    expect(channel.length).toBeLessThan(CHANNEL.length);
    expect(structureFaults(channel)).toEqual([]);
    const whole = unpacked(channel);
    expect(whole.faults).toEqual([]);
    expect(whole.pages.map(({ ordinal }) => ordinal)).toEqual(whole.pages.map((_, i) => i));
    const expected = plainPages(CHANNEL);
    expect(whole.pages).toHaveLength(118);
    expect(whole.pages.every((one, i) => Buffer.compare(one.bytes, expected[i] as Uint8Array) === 0)).toBe(
      true,
    );
    expect(unpacked(channel, 777)).toEqual(whole);
    const kinds = new Set<string>();
    const parser = new MultifdParser((event) => {
      if (event.kind === "pages" && event.packet.normalPages > 0) kinds.add(event.compression);
    });
    parser.push(channel);
    expect([...kinds]).toEqual([compression]);
  });

  it.each(METHODS)("come however the input is cut: %s", (_, flag, data) => {
    const channel = bytes(multifdInit(0), packet(flag, data()), packet(flag, data(), 1), syncPacket(2));
    const whole = unpacked(channel);
    expect(whole.faults).toEqual([]);
    expect(whole.pages.map((one) => one.bytes)).toEqual([...PAGES, ...PAGES]);
    expect(whole.pages.map(({ offset }) => offset / PAGE)).toEqual([0, 1, 2, 8, 9, 10]);
    for (const step of [1, 7, 1000]) expect(unpacked(channel, step)).toEqual(whole);
  });

  it.each([PAGE, 5000, 3 * PAGE])("come out of members of any size: %i bytes", (size) => {
    const { pages, faults } = unpacked(
      bytes(multifdInit(0), packet(QATZIP, allPagesTogether(PAGES, size)), syncPacket(1)),
    );
    expect(faults).toEqual([]);
    expect(pages.map((one) => one.bytes)).toEqual(PAGES);
  });

  it("are passed over one by one where they are damaged, and with the rest of the packet where they are together", () => {
    for (const [flag, data] of [
      [UADK, onePageAtATime(PAGES, UADK)],
      [QATZIP, allPagesTogether(PAGES, PAGE)],
    ] as const) {
      // The checksum of the first page: UADK's trailer, the footer's first half.
      const view = new DataView(data.buffer, data.byteOffset);
      const broken = data.slice();
      const at = flag === UADK ? 12 + view.getUint32(0) - 1 : 24 + view.getUint32(20, true);
      broken[at] = (broken[at] ?? 0) ^ 1;
      const { pages, faults } = unpacked(
        bytes(multifdInit(0), packet(flag, broken), packet(flag, data, 1), syncPacket(2)),
      );
      expect(faults).toMatchObject([{ code: "constraint", detail: expect.stringContaining("checksum") }]);
      expect(pages.map(({ ordinal }) => ordinal)).toEqual(flag === UADK ? [1, 2, 3, 4, 5] : [3, 4, 5]);
    }
  });

  const small = deflated(10);
  const large = deflated(PAGE + 1);
  const wrong: readonly (readonly [string, number, Uint8Array, number, string])[] = [
    ["fewer bytes than a page", QPL, table([small], small), 1, "10 bytes for a page of 4096"],
    ["more bytes than a page", QPL, table([large], large), 1, "more than a page of 4096 bytes"],
    ["no deflate", QPL, table([bytes(6, 6, 6)], bytes(6, 6, 6)), 1, "invalid"],
    ["deflate that is cut", QPL, table([small], small.subarray(0, -1)), 1, ""],
    ["no zlib", UADK, table([bytes(1)], bytes(1)), 1, ""],
    [
      "a member of too many bytes",
      QATZIP,
      qatzipMember(new Uint8Array(2 * PAGE)),
      1,
      "8192 bytes, where 4096",
    ],
    ["too few members", QATZIP, qatzipMember(new Uint8Array(10)), 1, "truncated"],
    ["no gzip", QATZIP, new Uint8Array(64), 1, ""],
    ["a member that claims what is not there", QATZIP, claiming(20, 1 << 30), 1, "deflate, where"],
    ["a member that unpacks to more than it says", QATZIP, claiming(16, 9), 1, "footer"],
  ];

  it.each(wrong)("are refused: %s", (_, flag, data, count, detail) => {
    const channel = bytes(multifdInit(0), packet(flag, data, 0, count), syncPacket(1));
    const faults = [...structureFaults(channel), ...unpacked(channel).faults];
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.map((fault) => `${fault.code} ${fault.detail}`).join()).toContain(detail);
    expect(faults[0]?.path).toMatch(/^packets\[0\]\.data/);
    expect(unpacked(channel).pages).toEqual([]);
  });

  it("are refused when a member is left over", () => {
    const data = allPagesTogether(PAGES.slice(0, 2), PAGE);
    const { faults } = unpacked(bytes(multifdInit(0), packet(QATZIP, data, 0, 1), syncPacket(1)));
    expect(faults).toMatchObject([{ detail: "a member of 4096 bytes, where 0 are missing" }]);
  });

  it.each([
    ["a length beyond a page", [PAGE + 1, 1]],
    ["a page of no bytes", [0, 5]],
    ["lengths that do not fill the packet", [2, 2]],
  ])("are refused before they are unpacked: %s", (_, [first = 0, second = 0]) => {
    const data = new Uint8Array(8 + 5);
    new DataView(data.buffer).setUint32(0, first);
    new DataView(data.buffer).setUint32(4, second);
    const channel = bytes(multifdInit(0), packet(QPL, data, 0, 2), syncPacket(1));
    expect(structureFaults(channel)).toMatchObject([
      { code: "constraint", path: expect.stringMatching(/^packets\[0\]\.data\.length/), offset: 64 + 1344 },
    ]);
  });

  it("are refused when their lengths do not fit the packet, and the next packet is found", () => {
    const channel = bytes(
      multifdInit(0),
      packet(QPL, new Uint8Array(5), 0, 2),
      packet(QPL, onePageAtATime(PAGES, QPL), 1),
      syncPacket(2),
    );
    expect(structureFaults(channel)).toMatchObject([{ code: "truncated", path: "packets[0].data.length" }]);
    expect(unpacked(channel).pages.map((one) => one.bytes)).toEqual(PAGES);
  });

  it.each(METHODS)("are not there where the input ends, which is said: %s", (_, flag, data) => {
    const channel = bytes(multifdInit(0), packet(flag, data()));
    for (const size of [channel.length - 1, 64 + 1344 + 5, 64 + 1344]) {
      const cut = channel.subarray(0, size);
      expect(structureFaults(cut)[0]).toMatchObject({ code: "truncated" });
      expect(unpacked(cut, 100)).toEqual(unpacked(cut));
    }
  });
});

function deflated(size: number): Uint8Array {
  // Without its table of lengths.
  return new Uint8Array(onePageAtATime([new Uint8Array(size)], QPL).subarray(4));
}

function table(pages: readonly Uint8Array[], data: Uint8Array): Uint8Array {
  const lengths = pages.map(({ length }) => Math.min(length, data.length));
  return bytes(...lengths.map((length) => [0, 0, length >> 8, length & 0xff]), data);
}

/** A member of a page with another number in its header. */
function claiming(at: number, value: number): Uint8Array {
  const member = new Uint8Array(qatzipMember(new Uint8Array(PAGE)));
  new DataView(member.buffer).setUint32(at, value, true);
  return member;
}
