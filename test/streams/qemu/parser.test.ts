import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fault } from "../../../src/runtime/index.js";
import {
  findDescription,
  type QemuEvent,
  type QemuStreamOptions,
  QemuStreamParser,
} from "../../../src/streams/index.js";
import { anyCuts, evenCuts, feed } from "../splits.js";
import { be, bytes } from "../wire-bytes.js";
import {
  BLOB,
  BLOB_BODY,
  command,
  configuration,
  described,
  EOF,
  end,
  FILE_HEADER,
  full,
  memSize,
  PAGE,
  page,
  part,
  precopy,
  RAM_EOS,
  ramWord,
  start,
  str8,
  subsection,
  TIMER,
  TIMER_BODY,
  xbzrlePage,
  zeroPage,
} from "./stream-bytes.js";

interface Parsed {
  readonly events: readonly QemuEvent[];
  readonly parser: QemuStreamParser;
}

function parse(input: Uint8Array, cuts: readonly number[] = [], options: QemuStreamOptions = {}): Parsed {
  const events: QemuEvent[] = [];
  const parser = new QemuStreamParser((event) => events.push(structuredClone(event)), options);
  feed(parser, input, cuts);
  return { events, parser };
}

/** With what a reader of a file knows beforehand. */
function parseFile(input: Uint8Array, cuts: readonly number[] = []): Parsed {
  return parse(input, cuts, { description: findDescription(input) });
}

function faults(events: readonly QemuEvent[]): Fault[] {
  return events.flatMap((event) => (event.kind === "fault" ? [event.fault] : []));
}

function withByte(input: Uint8Array, at: number, byte: number): Uint8Array {
  const changed = input.slice();
  changed[at] = byte;
  return changed;
}

function outline(events: readonly QemuEvent[]): string[] {
  return events.map((event) => {
    if (event.kind === "section")
      return `${event.phase} ${event.name}${event.complete ? "" : " (incomplete)"}`;
    return event.kind === "command" ? `command ${event.command.cmd}` : event.kind;
  });
}

function pagesOf(parser: QemuStreamParser): Record<string, [normal: number, zero: number, xbzrle: number]> {
  return Object.fromEntries(
    [...parser.ram.blocks].map(([name, { pages }]) => [name, [pages.normal, pages.zero, pages.xbzrle]]),
  );
}

const USUAL = [
  "file-header",
  "configuration",
  "command 1",
  "command 2",
  "start ram",
  "part ram",
  "command 11",
  "end ram",
  "full timer",
  "full blob",
  "eof",
  "description",
];

describe("a precopy stream", () => {
  const stream = precopy();

  it.each([
    ["from a file", parseFile],
    ["from a pipe", parse],
  ])("is read %s", (_, read) => {
    const { events, parser } = read(stream);
    expect(faults(events)).toEqual([]);
    expect(outline(events)).toEqual(USUAL);
    expect(pagesOf(parser)).toEqual({ "pc.ram": [3, 1, 0], rom: [0, 1, 0] });
    expect(events[1]).toMatchObject({
      kind: "configuration",
      at: 8,
      size: 16,
      machine: "pc-q35-10.0",
      capabilities: [],
    });
    expect(events[9]).toMatchObject({
      sectionId: 1,
      instanceId: 5,
      versionId: 2,
      bodySize: BLOB_BODY.length,
    });
  });

  it("accounts for every byte, one record after the other", () => {
    let at = 0;
    for (const event of parseFile(stream).events) {
      if (event.kind === "fault") throw new Error(event.fault.detail);
      expect(event.at).toBe(at);
      at += event.size;
    }
    expect(at).toBe(stream.length);
  });

  it.each([
    ["from a file", parseFile],
    ["from a pipe", parse],
  ])("gives the same events for every way of cutting it, %s", (_, read) => {
    const whole = read(stream).events;
    expect(read(stream, evenCuts(stream.length, 1)).events).toEqual(whole);
    fc.assert(
      fc.property(anyCuts(stream.length), (cuts) => {
        expect(read(stream, cuts).events).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it("gives the same events for every way of cutting it when it is damaged, too", () => {
    const place = fc.integer({ min: 0, max: stream.length - 1 });
    fc.assert(
      fc.property(
        place,
        fc.integer({ min: 0, max: 255 }),
        anyCuts(stream.length, 10),
        fc.boolean(),
        (at, byte, cuts, drop) => {
          const damaged = drop
            ? bytes(stream.subarray(0, at), stream.subarray(at + 1))
            : withByte(stream, at, byte);
          const whole = parse(damaged);
          expect(parse(damaged, cuts).events).toEqual(whole.events);
          expect(parse(damaged, evenCuts(damaged.length, 97)).events).toEqual(whole.events);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is truncated wherever it is cut, but for the place where a description may be left out", () => {
    const { events } = parse(stream);
    const eof = events.find(({ kind }) => kind === "eof");
    const mayEnd = eof !== undefined && "at" in eof ? eof.at + 1 : -1;
    for (let length = 0; length < stream.length; length += 7) {
      if (length === mayEnd) continue;
      const found = faults(parse(stream.subarray(0, length)).events);
      expect(found.map(({ code }) => code)).toContain("truncated");
      expect(found.every(({ offset }) => offset <= length)).toBe(true);
    }
    expect(faults(parse(stream.subarray(0, mayEnd)).events)).toEqual([]);
  });

  it("keeps no more of a body than the cap, and still finds its end", () => {
    const big = new Array<number>(5000).fill(0x7e);
    const input = bytes(FILE_HEADER, full(0, "big", big), full(1, "timer", TIMER_BODY), EOF);
    const { events } = parse(input, evenCuts(input.length, 100), { maxBody: 1000 });
    expect(outline(events)).toEqual(["file-header", "full big", "full timer", "eof"]);
    expect(events[1]).toMatchObject({ bodySize: 5000, body: undefined });
    expect(events[2]).toMatchObject({ body: bytes(TIMER_BODY) });
  });
});

describe("guest memory", () => {
  const blocks = [{ name: "pc.ram", size: 8 * PAGE }];

  function ramStream(body: readonly number[], ...before: number[][]): Uint8Array {
    const list = start(2, "ram", [...memSize(blocks), ...RAM_EOS], 4);
    return bytes(FILE_HEADER, configuration("pc"), ...before, list, end(2, [...body, ...RAM_EOS]), EOF);
  }

  it("may come as changes to pages, and as barriers for multifd channels", () => {
    const body = [
      ...page(0, "pc.ram", 1),
      ...xbzrlePage(0, [4, 2, 9, 9]),
      ...ramWord(0, 0x200),
      ...zeroPage(PAGE, undefined),
    ];
    const { events, parser } = parse(ramStream(body));
    expect(faults(events)).toEqual([]);
    expect(parser.ram.blocks.get("pc.ram")?.pages).toEqual({
      normal: 1,
      zero: 1,
      xbzrle: 1,
      xbzrleBytes: 4,
      flushes: 0,
    });
    expect(events.find((event) => event.kind === "section" && event.phase === "end")).toMatchObject({
      ram: { flushes: 1 },
    });
  });

  it.each([1024, 8192, 16384, 65536])(
    "has pages of %d bytes where nothing says so before the description",
    (size) => {
      const list = start(2, "ram", [...memSize([{ name: "m", size: 4 * size }]), ...RAM_EOS], 4);
      const body = [
        ...page(0, "m", 0, size),
        ...page(size, undefined, 0xff, size),
        ...zeroPage(2 * size, undefined),
        ...RAM_EOS,
      ];
      const input = bytes(FILE_HEADER, list, end(2, body), EOF);
      for (const cuts of [[], evenCuts(input.length, 1000)]) {
        const { events, parser } = parse(input, cuts);
        expect(faults(events)).toEqual([]);
        expect([parser.ram.traits.pageSize, parser.ram.pageSizeGuessed]).toEqual([size, true]);
        expect(pagesOf(parser)).toEqual({ m: [2, 1, 0] });
      }
    },
  );

  it("has the page size that the configuration gives", () => {
    const bits = subsection("configuration/target-page-bits", 1, be(4, 14));
    const list = start(2, "ram", [...memSize([{ name: "m", size: 1 << 16 }]), ...RAM_EOS], 4);
    const input = bytes(
      FILE_HEADER,
      configuration("virt", bits),
      list,
      end(2, [...page(0, "m", 0, 1 << 14), ...RAM_EOS]),
      EOF,
    );
    const { events, parser } = parse(input, evenCuts(input.length, 11));
    expect(faults(events)).toEqual([]);
    expect(pagesOf(parser)).toEqual({ m: [1, 0, 0] });
  });

  it("lists more about its blocks with x-ignore-shared, and the configuration tells so", () => {
    const capabilities = subsection("configuration/capabilities", 1, [
      ...be(4, 1),
      ...str8("x-ignore-shared"),
    ]);
    const uuid = Array.from({ length: 16 }, (_, i) => i);
    const list = memSize([
      { name: "a", size: PAGE, extra: be(8, 0xfee00000) },
      { name: "b", size: PAGE, extra: be(8, 1) },
    ]);
    const input = bytes(
      FILE_HEADER,
      configuration("pc", capabilities, subsection("configuration/uuid", 1, uuid)),
      start(2, "ram", [...list, ...RAM_EOS], 4),
      end(2, RAM_EOS),
      EOF,
    );
    const { events, parser } = parse(input, evenCuts(input.length, 3));
    expect(faults(events)).toEqual([]);
    expect(events[1]).toMatchObject({ capabilities: ["x-ignore-shared"], uuid: bytes(uuid) });
    expect([...parser.ram.blocks.keys()]).toEqual(["a", "b"]);
  });

  it.each([
    ["a page outside its block", page(8 * PAGE, "pc.ram", 0), "outside pc.ram"],
    ["a page in no block", page(0, "nope", 0), 'no block is called "nope"'],
    ["CONTINUE without a block", zeroPage(0, undefined), "CONTINUE without a block"],
    ["a page compressed by zlib", [...ramWord(0, 0x100), ...str8("pc.ram")], "COMPRESS_PAGE"],
    ["an RDMA hook", ramWord(0, 0x80), "HOOK (RDMA)"],
    ["two kinds at once", ramWord(0, 0x0a), "no record has the flags 0xa"],
    ["a second list of blocks", memSize([{ name: "x", size: PAGE }]), "no record has the flags 0x4"],
  ])("refuses %s", (_, record, detail) => {
    const input = ramStream(record);
    const [fault] = faults(parse(input).events);
    expect(fault?.detail).toContain(detail);
    expect(input.subarray(fault?.offset).slice(0, 8)).toEqual(bytes(record.slice(0, 8)));
  });

  it("is read on behind damage among its pages", () => {
    const pages = Array.from({ length: 8 }, (_, i) => page(i * PAGE, i === 0 ? "pc.ram" : undefined, i));
    const input = ramStream(pages.flat());
    const whole = parse(input, [], { description: undefined });
    const lost = parse(bytes(input.subarray(0, 6000), input.subarray(6001)));
    expect(pagesOf(whole.parser)).toEqual({ "pc.ram": [8, 0, 0] });
    expect(pagesOf(lost.parser)["pc.ram"]?.[0]).toBeGreaterThanOrEqual(6);
    expect(faults(lost.events)).toHaveLength(1);
    expect(outline(lost.events)).toEqual([
      "file-header",
      "configuration",
      "start ram",
      "fault",
      "gap",
      "end ram (incomplete)",
      "eof",
    ]);
  });
});

describe("a postcopy stream", () => {
  it("is read: packages, discards, page sizes of blocks", () => {
    const huge = 2 << 20;
    const list = memSize([
      { name: "pc.ram", size: 2 * huge, extra: be(8, huge) },
      { name: "rom", size: PAGE },
    ]);
    const packaged = [...command(4), ...full(0, "timer", TIMER_BODY), ...command(2, be(4, 3)), ...command(5)];
    const discard = [0, ...str8("pc.ram"), 0, ...be(8, 0), ...be(8, PAGE), ...be(8, huge), ...be(8, PAGE)];
    const input = bytes(
      FILE_HEADER,
      configuration("pc"),
      command(3, [...be(8, huge | PAGE), ...be(8, PAGE)]),
      start(2, "ram", [...list, ...RAM_EOS], 4),
      command(11),
      command(6, discard),
      command(7, be(4, packaged.length)),
      packaged,
      part(2, [...page(huge, "pc.ram", 5), ...RAM_EOS]),
      end(2, RAM_EOS),
      EOF,
    );
    for (const cuts of [[], evenCuts(input.length, 1)]) {
      const { events, parser } = parse(input, cuts);
      expect(faults(events)).toEqual([]);
      expect(outline(events)).toEqual([
        "file-header",
        "configuration",
        "command 3",
        "start ram",
        "command 11",
        "command 6",
        "command 7",
        "package-begin",
        "command 4",
        "full timer",
        "command 2",
        "command 5",
        "package-end",
        "part ram",
        "end ram",
        "eof",
      ]);
      expect(parser.ram.blocks.get("pc.ram")?.pageSize).toBe(huge);
      expect(parser.ram.blocks.get("rom")?.pageSize).toBeUndefined();
    }
  });
});

describe("a mapped-ram file", () => {
  it("is read through its regions: the bitmap says which pages are there", () => {
    const capabilities = subsection("configuration/capabilities", 1, [...be(4, 1), ...str8("mapped-ram")]);
    const head = [...FILE_HEADER, ...configuration("pc", capabilities)];
    const entry = (bitmapAt: number, pagesAt: number): number[] =>
      memSize([
        {
          name: "pc.ram",
          size: 16 * PAGE,
          extra: [...be(4, 1), ...be(8, PAGE), ...be(8, bitmapAt), ...be(8, pagesAt)],
        },
      ]);
    const opening = [0x01, ...be(4, 2), ...str8("ram"), ...be(4, 0), ...be(4, 4)];
    const bitmapAt = head.length + opening.length + entry(0, 0).length + 5;
    const pagesAt = 4096;
    const before = [...head, ...opening, ...entry(bitmapAt, pagesAt)];
    const gap = new Array<number>(bitmapAt - before.length).fill(0xee);
    const bitmap = [0x03, 0x80, 0, 0, 0, 0, 0, 0];
    const rest = new Array<number>(pagesAt - bitmapAt - bitmap.length + 16 * PAGE).fill(0x7e);
    const tail = [...RAM_EOS, 0x7e, ...be(4, 2), ...end(2, RAM_EOS), ...EOF];
    const input = bytes(before, gap, bitmap, rest, tail);
    for (const cuts of [[], evenCuts(input.length, 513)]) {
      const { events, parser } = parse(input, cuts);
      expect(faults(events)).toEqual([]);
      expect(pagesOf(parser)).toEqual({ "pc.ram": [3, 0, 0] });
    }
  });
});

describe("damage", () => {
  const stream = precopy();

  function sections(events: readonly QemuEvent[]): string[] {
    return outline(events).filter((line) => line.startsWith("full"));
  }

  it("in one footer costs no other section", () => {
    const { events } = parse(stream);
    for (const event of events) {
      if (event.kind !== "section") continue;
      const at = event.at + event.size - 5;
      for (const read of [parse, parseFile]) {
        const { events: after } = read(withByte(stream, at, 0));
        const [fault] = faults(after);
        // From a pipe only the record behind it shows that a footer is missing.
        expect(fault?.offset).toBeLessThanOrEqual(read === parse ? at + 5 : at);
        expect(sections(after).map((line) => line.replace(" (incomplete)", ""))).toEqual([
          "full timer",
          "full blob",
        ]);
        expect(outline(after)).toContain("description");
      }
    }
  });

  it("of a body's length is named, with the description known, at the place where the footer should be", () => {
    const event = parse(stream).events.find((one) => one.kind === "section" && one.name === "timer");
    if (event?.kind !== "section") throw new Error("no timer");
    const damaged = bytes(stream.subarray(0, event.bodyAt), stream.subarray(event.bodyAt + 1));
    const { events } = parseFile(damaged);
    expect(faults(events)).toMatchObject([
      { code: "constraint", path: "timer.footer", offset: event.bodyAt + TIMER_BODY.length },
    ]);
    expect(events.find((one) => one.kind === "section" && one.name === "timer")).toMatchObject({
      bodySize: TIMER_BODY.length - 1,
      bound: "footer",
    });
  });

  it.each<[string, Uint8Array, Partial<Fault>]>([
    ["another magic", withByte(stream, 0, 0x52), { code: "constant", offset: 0 }],
    ["another version", withByte(stream, 7, 2), { code: "constant", offset: 4 }],
    ["a footer without a section", bytes(FILE_HEADER, [0x7e, 0, 0, 0, 1]), { code: "tag", offset: 8 }],
    ["a part of no section", bytes(FILE_HEADER, part(9, RAM_EOS)), { code: "constraint", offset: 8 }],
    ["an unknown record", bytes(FILE_HEADER, [0x33]), { code: "tag", offset: 8 }],
    ["an unknown command", bytes(FILE_HEADER, command(12), EOF), { code: "tag", offset: 8 }],
    [
      "a live section of no known name",
      bytes(FILE_HEADER, start(1, "rom", RAM_EOS, 4), end(1, RAM_EOS), EOF),
      { code: "tag", offset: 8 },
    ],
    [
      "a number used twice",
      bytes(FILE_HEADER, full(1, "a1", [1]), full(1, "b1", [2]), EOF),
      { code: "constraint" },
    ],
    [
      "a section that never ends",
      bytes(FILE_HEADER, start(1, "ram", [...memSize([]), ...RAM_EOS], 4), [8, 0, 11, 0, 0], EOF),
      { code: "missing" },
    ],
    ["bytes behind the end", bytes(stream, [0]), { code: "trailing", offset: stream.length }],
  ])("%s is refused", (_, input, fault) => {
    expect(faults(parse(input).events)[0]).toMatchObject(fault);
  });

  it("a hostile length is neither waited for nor allocated", () => {
    const huge = bytes(FILE_HEADER, full(0, "timer", TIMER_BODY), EOF, [0x06], be(4, 0xffffffff), [0x7b]);
    expect(faults(parse(huge).events).map(({ code }) => code)).toEqual(["limit", "truncated"]);
    const sizes = { ...TIMER, fields: [{ name: "x", type: "buffer", size: 0x7fffffff }] };
    const input = bytes(
      FILE_HEADER,
      full(0, "timer", TIMER_BODY),
      full(1, "blob", BLOB_BODY, 2, 5),
      EOF,
      described([sizes, BLOB]),
    );
    const { events } = parseFile(input);
    expect(outline(events)).toContain("full blob");
  });
});

describe("real streams", () => {
  it.each([
    "x86-q35-net-blk",
    "aarch64-virt-mmio",
    "s390x-ccw",
    "x86-q35-return-path",
    "x86-q35-multifd-main",
  ])(
    "%s gives the same events from chunks of any size, and every section its one end without the description",
    (name) => {
      const input = new Uint8Array(readFileSync(new URL(`../../captures/${name}.bin`, import.meta.url)));
      const whole = parse(input);
      expect(faults(whole.events)).toEqual([]);
      for (const step of [1460, 65536])
        expect(parse(input, evenCuts(input.length, step)).events).toEqual(whole.events);
      const places = ({ events }: Parsed): unknown[] =>
        events.map((event) =>
          event.kind === "section" ? [event.name, event.bodyAt, event.bodySize] : event.kind,
        );
      expect(places(parseFile(input))).toEqual(places(whole));
    },
  );
});

describe("a stream without footers, as machine types before 2.4 write", () => {
  const devices = [TIMER, BLOB].map((device) => ({ ...device, instance_id: 0 }));
  const sections = [
    bare(start(2, "ram", [...memSize([{ name: "pc.ram", size: PAGE }]), ...RAM_EOS], 4)),
    bare(part(2, [...page(0, "pc.ram", 7), ...RAM_EOS])),
    bare(end(2, RAM_EOS)),
    bare(full(0, "timer", TIMER_BODY)),
    bare(full(1, "blob", [1, 2, 3, 4, 5])),
  ];
  const withoutDescription = bytes(FILE_HEADER, ...sections, EOF);

  /** The footer has five bytes. */
  function bare(section: number[]): number[] {
    return section.slice(0, -5);
  }

  it.each([
    ["ends at the next record, or at the last byte", withoutDescription],
    ["ends where the description says", bytes(withoutDescription, described(devices))],
  ])("%s", (_, input) => {
    for (const cuts of [[], evenCuts(input.length, 1), evenCuts(input.length, 7)]) {
      const { events } = parse(input, cuts);
      expect(faults(events)).toEqual([]);
      expect(
        events.flatMap((event) =>
          event.kind === "section"
            ? [`${event.name} ${event.phase} ${event.bodySize} ${event.complete}`]
            : [],
        ),
      ).toEqual([
        "ram start 31 true",
        "ram part 4119 true",
        "ram end 8 true",
        "timer full 16 true",
        "blob full 5 true",
      ]);
    }
  });

  it("is damage where a configuration says that the machine type is a later one", () => {
    const { events } = parse(bytes(FILE_HEADER, configuration("pc-q35-10.0"), ...sections, EOF));
    expect(faults(events)[0]).toMatchObject({ path: "ram.footer", detail: "no footer of section 2" });
  });
});

it("a background snapshot ends no live section, and does not announce the switch-over", () => {
  const ram = start(2, "ram", [...memSize([{ name: "pc.ram", size: PAGE }]), ...RAM_EOS], 4);
  const input = bytes(FILE_HEADER, configuration("pc"), ram, full(0, "timer", TIMER_BODY), EOF);
  const { events } = parse(input);
  expect(faults(events)).toEqual([]);
  expect(events.find(({ kind }) => kind === "eof")).toMatchObject({ background: true });
  const switched = bytes(
    FILE_HEADER,
    configuration("pc"),
    ram,
    command(11),
    full(0, "timer", TIMER_BODY),
    EOF,
  );
  expect(faults(parse(switched).events)).toMatchObject([{ code: "missing", path: "ram" }]);
});

it("what looks like the head of a section inside a body does not end it", () => {
  // A subsection, in front of which a one and a number stand: seen in virtio devices.
  const body = bytes(
    [0, 1],
    be(4, 0x20005),
    [21],
    "virtio/64bit_features",
    be(4, 1),
    be(4, 0x1_0000),
    [9, 9],
  );
  const input = bytes(FILE_HEADER, full(3, "blob", [...body]), full(4, "timer", TIMER_BODY), EOF);
  const { events } = parse(input);
  expect(faults(events)).toEqual([]);
  expect(events.find(({ kind }) => kind === "section")).toMatchObject({
    name: "blob",
    bodySize: body.length,
  });
});
