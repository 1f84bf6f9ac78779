import { readFileSync } from "node:fs";
import { constants, createDeflate, gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../../../src/runtime/index.js";
import { ChannelUnpacker, PageReader, RamImageBuilder } from "../../../../src/streams/index.js";
import { RamImage } from "../../../../src/streams/qemu/ram-image/image.js";
import { be, bytes } from "../../wire-bytes.js";
import { multifdInit, pagesPacket, SYNC, syncPacket, ZLIB } from "../multifd-bytes.js";
import {
  command,
  configuration,
  EOF,
  end,
  FILE_HEADER,
  memSize,
  PAGE,
  page,
  part,
  RAM_EOS,
  ramWord,
  start,
  str8,
  subsection,
  xbzrlePage,
  zeroPage,
} from "../stream-bytes.js";

const FLUSH = ramWord(0, 0x200);

function capture(name: string): Uint8Array {
  const file = readFileSync(new URL(`../../../captures/${name}`, import.meta.url));
  return new Uint8Array(name.endsWith(".gz") ? gunzipSync(file) : file);
}

/** A main stream with 8 pages in pc.ram. The first part holds the list alone. */
function main(...parts: readonly number[][]): Uint8Array {
  const list = memSize([{ name: "pc.ram", size: 8 * PAGE }]);
  return bytes(
    FILE_HEADER,
    configuration("pc-q35-10.0"),
    start(0, "ram", [...list, ...(parts[0] ?? []), ...RAM_EOS], 4),
    ...parts.slice(1).map((records) => part(0, [...records, ...RAM_EOS])),
    end(0, RAM_EOS),
    EOF,
  );
}

interface Built {
  readonly image: RamImage;
  readonly faults: readonly Fault[];
  readonly inputs: readonly Uint8Array[];
}

function build(inputs: readonly Uint8Array[], pageSize: number | undefined = PAGE): Built {
  const faults: Fault[] = [];
  const builder = new RamImageBuilder({
    channels: inputs.length > 1,
    description: undefined,
    pageSize,
    onFault: (fault) => faults.push(fault),
  });
  for (const [index, input] of inputs.entries()) {
    const target = index === 0 ? builder.main(0) : builder.channel(index);
    target.push(input);
    target.end();
  }
  return { image: builder.image, faults, inputs };
}

/** First byte of each page: a number, 0 for zeroes, or what kind of content it is. */
function firstBytes({ image, inputs }: Built, name = "pc.ram"): (number | string)[] {
  const reader = new PageReader(image, 0, (input, at, size) => {
    return (inputs[input] ?? new Uint8Array(0)).subarray(at, at + size);
  });
  return Array.from({ length: (image.block(name)?.usedLength ?? 0) / PAGE }, (_, index) => {
    const content = reader.read(image.codeOf(name, index), PAGE);
    if (content.kind === "bytes") return content.bytes[0] ?? "empty";
    return content.kind === "zero" ? 0 : content.kind;
  });
}

function contents({ image, inputs }: Built, name: string): Uint8Array {
  const { usedLength = 0, pageSize = 1 } = image.block(name) ?? {};
  const whole = new Uint8Array(usedLength);
  const reader = new PageReader(image, 0, (input, at, size) => {
    return (inputs[input] ?? new Uint8Array(0)).subarray(at, at + size);
  });
  for (const { page: index, code } of image.pagesOf(name)) {
    const content = reader.read(code, pageSize);
    if (content.kind === "bytes") whole.set(content.bytes, index * pageSize);
    else expect(content.kind).toBe("zero");
  }
  return whole;
}

describe("the image of a guest's memory", () => {
  it("holds the newest content of each page", () => {
    const built = build([
      main(
        [],
        [...page(0, "pc.ram", 1), ...page(PAGE, undefined, 2), ...zeroPage(2 * PAGE, undefined)],
        [...page(0, "pc.ram", 3), ...zeroPage(PAGE, undefined), ...page(2 * PAGE, undefined, 4)],
      ),
    ]);
    expect(built.faults).toEqual([]);
    expect(firstBytes(built)).toEqual([3, 0, 4, ...new Array(5).fill("missing")]);
    expect(built.image.coverage("pc.ram")).toEqual({ plain: 2, zero: 1, packed: 0, changed: 0, missing: 5 });
  });

  it("applies XBZRLE to what the page was before, time after time", () => {
    const built = build([
      main(
        [],
        [...page(0, "pc.ram", 1), ...zeroPage(PAGE, undefined)],
        [...page(2 * PAGE, "pc.ram", 9), ...xbzrlePage(0, [1, 1, 5]), ...xbzrlePage(PAGE, [0, 1, 7])],
        [...page(3 * PAGE, "pc.ram", 9), ...xbzrlePage(0, [0, 1, 6])],
      ),
    ]);
    expect(built.faults).toEqual([]);
    expect(firstBytes(built).slice(0, 2)).toEqual([6, 7]);
    expect([...contents(built, "pc.ram").subarray(0, 4)]).toEqual([6, 5, 1, 1]);
  });

  it("finds changes to a page that was never sent", () => {
    const built = build([main([], [...page(0, "pc.ram", 1), ...xbzrlePage(PAGE, [0, 1, 7])])]);
    expect(built.faults).toMatchObject([{ code: "constraint", path: "ram.xbzrle" }]);
  });

  it("forgets what is discarded before postcopy", () => {
    const discard = command(6, [0, ...str8("pc.ram"), 0, ...be(8, PAGE), ...be(8, 2 * PAGE)]);
    const pages = [0, 1, 2, 3].flatMap((i) => page(i * PAGE, i === 0 ? "pc.ram" : undefined, i + 1));
    const stream = main([], pages);
    // Between the last part and the end of the section: a footer of five bytes closes each.
    const before = stream.length - EOF.length - (5 + RAM_EOS.length + 5);
    const built = build([bytes(stream.subarray(0, before), discard, stream.subarray(before))]);
    expect(built.faults).toEqual([]);
    expect(firstBytes(built).slice(0, 4)).toEqual([1, "missing", "missing", 4]);
  });

  it("finds the pages of a mapped-ram file through the bitmap", () => {
    const head = (extra: readonly number[]) =>
      bytes(
        FILE_HEADER,
        configuration(
          "pc-q35-10.0",
          subsection("configuration/capabilities", 1, [...be(4, 1), ...str8("mapped-ram")]),
        ),
        start(0, "ram", [...memSize([{ name: "pc.ram", size: 8 * PAGE, extra }])], 4),
      );
    // The section's footer that `start` writes does not stand here yet: bitmap and pages come first.
    const FOOTER = 5;
    const bitmapAt = head(new Array<number>(28).fill(0)).length - FOOTER;
    const pagesAt = bitmapAt + 8;
    const extra = [...be(4, 1), ...be(8, PAGE), ...be(8, bitmapAt), ...be(8, pagesAt)];
    const pages = new Uint8Array(8 * PAGE);
    pages.fill(3, 0, PAGE).fill(4, 5 * PAGE, 6 * PAGE);
    const whole = head(extra);
    const stream = bytes(
      whole.subarray(0, bitmapAt),
      [0b100001, 0, 0, 0, 0, 0, 0, 0],
      pages,
      RAM_EOS,
      whole.subarray(bitmapAt),
      end(0, RAM_EOS),
      EOF,
    );
    const built = build([stream]);
    expect(built.faults).toEqual([]);
    expect(firstBytes(built)).toEqual([3, 0, 0, 0, 0, 4, 0, 0]);
  });

  it("takes the later round where two channels carry a page", () => {
    const stream = main(
      FLUSH,
      [...zeroPage(PAGE, "pc.ram"), ...FLUSH],
      [...page(2 * PAGE, "pc.ram", 7), ...FLUSH],
    );
    const data = (fill: number) => new Array<number>(PAGE).fill(fill);
    const channel = bytes(
      multifdInit(0),
      syncPacket(0),
      pagesPacket({ num: 1, block: "pc.ram", normal: [0, 2 * PAGE], data: [...data(1), ...data(1)] }),
      syncPacket(2),
      pagesPacket({ num: 3, block: "pc.ram", normal: [PAGE], data: data(2) }),
      syncPacket(4),
    );
    const built = build([stream, channel]);
    expect(built.faults).toEqual([]);
    // Page 1: zero in the first round, sent in the second. Page 2: the other way round.
    expect(firstBytes(built).slice(0, 3)).toEqual([1, 2, 7]);
  });

  it("counts rounds by the parts of the section, where the source sends no MULTIFD_FLUSH", () => {
    const stream = main([], zeroPage(0, "pc.ram"), page(PAGE, "pc.ram", 8));
    const sync = (num: number) => pagesPacket({ num, flags: SYNC });
    const channel = bytes(
      multifdInit(0),
      sync(0),
      pagesPacket({ num: 1, block: "pc.ram", zero: [PAGE] }),
      sync(1),
      pagesPacket({ num: 2, block: "pc.ram", normal: [0], data: new Array<number>(PAGE).fill(5) }),
      sync(2),
      sync(3),
    );
    const built = build([stream, channel]);
    expect(built.faults).toEqual([]);
    expect(firstBytes(built).slice(0, 2)).toEqual([5, 8]);
  });

  it("refuses pages of blocks that there are not, and outside of those that there are", () => {
    const channel = (block: string, at: number) =>
      bytes(multifdInit(0), pagesPacket({ block, zero: [at] }), syncPacket(1));
    expect(build([main(FLUSH), channel("nope", 0)]).faults).toMatchObject([{ code: "constraint" }]);
    expect(build([main(FLUSH), channel("pc.ram", 8 * PAGE)]).faults).toMatchObject([{ code: "constraint" }]);
  });

  it("asks to start over when pages come before their size is known", () => {
    const builder = new RamImageBuilder({
      channels: false,
      description: undefined,
      pageSize: undefined,
      onFault: () => {},
    });
    const target = builder.main(0);
    target.push(main([], [...zeroPage(PAGE, "pc.ram"), ...page(0, undefined, 1)]));
    target.end();
    expect([builder.mustRestart, builder.pageSize]).toEqual([true, PAGE]);
  });

  it("takes no more memory than it may, whatever sizes a file claims", () => {
    const faults: Fault[] = [];
    const image = new RamImage({
      channels: false,
      onFault: (fault) => faults.push(fault),
      maxBytes: 1 << 20,
    });
    image.declare("huge", 2 ** 52, PAGE);
    for (let i = 0; i < 1000; i++) image.putPlain("huge", i * 2 ** 40, 0, i, { round: 0, wins: true });
    expect(faults).toMatchObject([{ code: "limit" }]);
    image.discard("huge", 0, 2 ** 52, 0);
    expect(image.coverage("huge")).toMatchObject({ plain: 0, missing: 2 ** 40 });
  });

  it("takes 8 bytes a page, so that 64 GiB fit into 128 MiB", () => {
    const faults: Fault[] = [];
    const image = new RamImage({
      channels: false,
      onFault: (fault) => faults.push(fault),
      maxBytes: 8 << 20,
    });
    image.declare("ram", (1 << 20) * PAGE, PAGE);
    for (let i = 0; i < 1 << 20; i++) image.putPlain("ram", i * PAGE, 0, i * PAGE, { round: 0, wins: true });
    expect(faults).toEqual([]);
    expect(image.coverage("ram")).toMatchObject({ plain: 1 << 20, missing: 0 });
  });
});

describe("the memory of real guests", () => {
  const inputs = [
    "x86-q35-multifd-main.bin",
    "x86-q35-multifd-channel0.bin.gz",
    "x86-q35-multifd-channel1.bin.gz",
  ];

  it("comes whole through two multifd channels, and is what another guest of that firmware got through one", () => {
    const built = build(inputs.map(capture));
    expect(built.faults).toEqual([]);
    for (const { name } of built.image.blocks) expect(built.image.coverage(name).missing, name).toBe(0);
    const bios = contents(built, "pc.bios");
    // The reset vector of every x86: a far jump to f000:e05b, and the date of the firmware.
    expect([...bios.subarray(-16, -11)]).toEqual([0xea, 0x5b, 0xe0, 0x00, 0xf0]);
    expect(String.fromCharCode(...bios.subarray(-11, -3))).toMatch(/^\d\d\/\d\d\/\d\d$/);
    const precopy = build([capture("x86-q35-net-blk.bin")]);
    expect(precopy.faults).toEqual([]);
    expect(contents(precopy, "pc.bios")).toEqual(bios);
  });
});

describe("a compressed channel", () => {
  const original = Array.from({ length: 5 }, (_, i) =>
    Uint8Array.from({ length: PAGE }, (_, j) => (i * j) & 0xff),
  );

  /** zlib as the source uses it: one stream, flushed behind the pages of a packet. */
  async function deflated(packets: readonly (readonly Uint8Array[])[]): Promise<number[][]> {
    const deflate = createDeflate();
    const out: number[][] = [];
    let current: number[] = [];
    deflate.on("data", (chunk: Uint8Array) => current.push(...chunk));
    for (const pages of packets) {
      for (const one of pages) deflate.write(one);
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
      await new Promise((resolve) => setImmediate(resolve));
      out.push(current);
      current = [];
    }
    return out;
  }

  function unpacked(channel: Uint8Array, step = channel.length) {
    const pages: { ordinal: number; block: string; offset: number; bytes: Uint8Array }[] = [];
    const faults: Fault[] = [];
    const unpacker = new ChannelUnpacker({
      page: (ordinal, block, offset, content) =>
        pages.push({ ordinal, block, offset, bytes: content.slice() }),
      fault: (fault) => faults.push(fault),
    });
    for (let at = 0; at < channel.length; at += step) unpacker.push(channel.slice(at, at + step));
    unpacker.end();
    return { pages, faults };
  }

  it("of zlib gives the pages in their order, however the input is cut", async () => {
    const [first = [], second = []] = await deflated([original.slice(0, 2), original.slice(2)]);
    const channel = bytes(
      multifdInit(0),
      syncPacket(0),
      pagesPacket({ num: 1, flags: ZLIB, block: "a", normal: [0, 3 * PAGE], zero: [PAGE], data: first }),
      syncPacket(2),
      pagesPacket({ num: 3, flags: ZLIB, block: "b", normal: [0, PAGE, 2 * PAGE], data: second }),
      syncPacket(4),
    );
    for (const step of [channel.length, 1000, 7]) {
      const { pages, faults } = unpacked(channel, step);
      expect(faults).toEqual([]);
      expect(pages.map(({ ordinal, block, offset }) => [ordinal, block, offset / PAGE])).toEqual([
        [0, "a", 0],
        [1, "a", 3],
        [2, "b", 0],
        [3, "b", 1],
        [4, "b", 2],
      ]);
      expect(pages.map((one) => one.bytes)).toEqual(original);
    }
  });

  it("of zstd gives the pages, too", () => {
    // RFC 8878: a frame of a window of 8 KiB without content size, and blocks of one repeated byte (type 1).
    const block = (size: number, fill: number) => {
      const head = (size << 3) | (1 << 1);
      return [head & 0xff, (head >> 8) & 0xff, head >> 16, fill];
    };
    const frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x18];
    const channel = bytes(
      multifdInit(0),
      pagesPacket({
        flags: 4,
        block: "a",
        normal: [0, PAGE],
        data: [...frame, ...block(PAGE, 7), ...block(PAGE, 8)],
      }),
      pagesPacket({ num: 1, flags: 4, block: "a", normal: [2 * PAGE], data: block(PAGE, 9) }),
      syncPacket(2),
    );
    const { pages, faults } = unpacked(channel);
    expect(faults).toEqual([]);
    expect(pages.map((one) => [one.offset / PAGE, one.bytes[0], one.bytes[PAGE - 1]])).toEqual([
      [0, 7, 7],
      [1, 8, 8],
      [2, 9, 9],
    ]);
  });

  it("is refused when more comes out of it than the packets announce, or a window would be too large", async () => {
    const [two = []] = await deflated([original.slice(0, 2)]);
    const refused = (flags: number, data: readonly number[]) =>
      unpacked(bytes(multifdInit(0), pagesPacket({ flags, block: "a", normal: [0], data }), syncPacket(1)))
        .faults;
    expect(refused(ZLIB, two)).toMatchObject([
      { path: "packets[0].data", offset: 64 + 1344, detail: expect.stringContaining("more comes out") },
    ]);
    // RFC 8878: the descriptor of a window of 144 MiB.
    expect(refused(4, [0x28, 0xb5, 0x2f, 0xfd, 0x00, (17 << 3) | 1])).toMatchObject([
      { detail: expect.stringMatching(/a window of 150994944 bytes, the cap is/) },
    ]);
  });

  it("that cannot be unpacked says so, once", async () => {
    const [first = []] = await deflated([original.slice(0, 1)]);
    const broken = (flags: number, data: readonly number[], normal = [0]) =>
      unpacked(bytes(multifdInit(0), pagesPacket({ flags, block: "a", normal, data }), syncPacket(1)));
    expect(broken(ZLIB, [1, 2, 3, 4, 5, 6]).faults).toHaveLength(1);
    expect(broken(ZLIB, first, [0, PAGE]).faults).toMatchObject([
      { detail: "2 pages were announced, 1 could be unpacked" },
    ]);
  });
});
