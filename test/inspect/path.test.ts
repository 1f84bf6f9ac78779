import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CaptureRecord,
  elementPath,
  Match,
  member,
  type Node,
  openInspection,
  type Path,
  parsePattern,
  parseRange,
  printPath,
  printPattern,
  Siblings,
  type Step,
  sectionPath,
} from "../../src/inspect/index.js";

/** What names of files can hold: any bytes, and what other encodings make of them. */
const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('"', "'", "\\", "*", "[", "]", ".", "#", "\n", "\u0000", "x", "1") }),
  fc.uint8Array({ maxLength: 255 }).map((bytes) => String.fromCharCode(...bytes)),
  fc.constantFrom("0000:00:02.0/virtio-net", "cpu/xsave", "env.regs", "last_avail_idx", "kvm-tpr-opt"),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("name" as const),
    name,
    keyed: fc.boolean(),
    number: fc.nat(),
  }),
  fc.record({ kind: fc.constant("index" as const), index: fc.nat() }),
);
const path = fc.array(step, { minLength: 1, maxLength: 12 });

function matches(pattern: string, steps: Path): boolean {
  let match = Match.start([parsePattern(pattern)]);
  for (const one of steps) match = match.next(one);
  return match.accepted.length > 0;
}

describe("a path", () => {
  it("is one line of printable characters, and reads back as itself", () => {
    fc.assert(
      fc.property(path, (steps) => {
        const text = printPath(steps);
        expect(text).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
        expect(printPattern(parsePattern(text))).toBe(text);
        expect(matches(text, steps)).toBe(true);
      }),
    );
  });

  it("is not what another name's path reads as", () => {
    fc.assert(
      fc.property(path, name, fc.nat(), (steps, other, which) => {
        const i = which % steps.length;
        const changed = steps[i];
        fc.pre(changed?.kind === "name" && changed.name !== other);
        const others = steps.map((each, at): Step => (at === i ? { ...changed, name: other } : each));
        expect(matches(printPath(steps), others)).toBe(false);
      }),
    );
  });

  it.each<[string, Path]>([
    ['sections["0000:00:02.0/virtio-net"]', sectionPath("0000:00:02.0/virtio-net", 0, 17)],
    ['sections["serial"#1]', sectionPath("serial", 1, 4)],
    ["commands[2]", elementPath("commands", 2)],
    ["messages[7].payload", [...elementPath("messages", 7), member("payload")]],
    ['sections["a\\"b\\\\c\\x1b[31m\\*"]', sectionPath('a"b\\c\u001b[31m*', 0, 0)],
    ['["\\u202eexe.txt"]', [member("\u202eexe.txt")]],
    ['[""]', [member("")]],
  ])("is written %s", (text, steps) => {
    expect(printPath(steps)).toBe(text);
  });
});

describe("a pattern", () => {
  const queue: Path = [
    ...sectionPath("0000:00:02.0/virtio-net", 0, 17),
    member("virtio"),
    member("queues"),
    { kind: "index", index: 3 },
    member("last_avail_idx"),
  ];
  const serial = [...sectionPath("serial", 1, 4), member("timer_iir")];

  it.each([
    'sections["0000:00:02.0/virtio-net"].virtio.queues[3].last_avail_idx',
    "sections['0000:00:02.0/virtio-net'].virtio.queues[3].last_avail_idx",
    "sections[0000:00:02.0/virtio-net].virtio.queues[3].last_avail_idx",
    ".sections[*virtio-net*].virtio.queues[*].last_avail_idx",
    "sections[17].virtio.queues[3].last_avail_idx",
    'sections["0000:00:02.0/virtio-net"#0].**',
    "sections.*.virtio.queues.*.*idx",
    "**.last_avail_idx",
    "**.queues[3].**",
    "**.queues.**.last*",
    "sections.**.**.last_avail_idx.**",
    "**",
  ])("%s finds a queue's index", (text) => {
    expect(matches(text, queue)).toBe(true);
    expect(matches(text, [...queue.slice(0, -1), member("used")])).toBe(
      text.endsWith("**") && !text.includes("idx"),
    );
  });

  it.each([
    ["sections[serial].timer*", true],
    ["sections[serial#1].timer*", true],
    ["sections[serial#0].timer*", false],
    ["sections[4].timer*", true],
    ["sections[serial]", false],
    ["sections[serial].timer_iir.x", false],
    ['sections["serial"].timer\\*', "is missing"],
    ['sections["ser\\*"]', false],
    ["*.*.*", true],
    ["*.*", false],
    ["sections[ser*l].*_i*r", true],
    ["sections[ser*al*al].*_i*r", false],
  ])("%s finds a serial port's timer: %s", (text, expected) => {
    if (typeof expected === "string") expect(() => parsePattern(text)).toThrow(expected);
    else expect(matches(text, serial)).toBe(expected);
  });

  it.each([
    ["", /character 1: a path has at least one step/],
    ["sections[", /character 10: a bracket is not closed/],
    ["sections[]", /character 10: a name or a number is missing/],
    ['sections["a]', /quotation mark is missing/],
    ['sections["a"', /closing bracket is missing/],
    ['sections["\\q"]', /\\q is no escape/],
    ['sections["\\x1"]', /digits are missing/],
    ['sections["a"#]', /a number is missing/],
    ["a..b", /a name is missing/],
    ["a b", /character 2: a dot or a bracket is missing/],
    ["a[99999999999999999999]", /too large/],
    ["a.".repeat(5000), /too many steps/],
    [`["${"a".repeat(1 << 17)}"]`, /character 65537: a path is no longer/],
  ])("%# says what is wrong, and where", (text, message) => {
    expect(() => parsePattern(text)).toThrow(message);
  });

  it("takes time that grows with the path and the pattern, not with how their stars can be shared out", () => {
    const deep: Path = Array.from({ length: 500 }, () => member("a"));
    expect(matches(`${"**.a.".repeat(400)}b`, deep)).toBe(false);
    const long = [member("a".repeat(50_000))];
    expect(matches(`${"*a".repeat(1000)}*b`, long)).toBe(false);
  });
});

describe("a range", () => {
  it.each([
    ["@0x81b78c8", { from: 0x81b78c8, to: undefined }],
    ["@0x100+64", { from: 256, to: 320 }],
    ["@16..0x20", { from: 16, to: 32 }],
    ["@0+0", { from: 0, to: 0 }],
  ])("%s", (text, range) => {
    expect(parseRange(text)).toEqual(range);
  });

  it.each(["@", "@x", "@1+", "@5..4", "@1..2..3", "@-1", "@0x20000000000000", "@1+0x1fffffffffffff"])(
    "%s is none",
    (text) => {
      expect(() => parseRange(text)).toThrow();
    },
  );
});

describe("records and fields", () => {
  const captures = [
    ["x86-q35-net-blk.bin", "qemu-stream"],
    ["s390x-ccw.bin", "qemu-stream"],
    ["vhost-user-qsd.jsonl", "vhost-user"],
  ] as const;

  it.each(captures)("of %s have paths that are all different and read back", (file, kind) => {
    const records: CaptureRecord[] = [];
    const inspection = openInspection(
      kind,
      { record: (record) => records.push(record) },
      { withFields: true },
    );
    inspection.push(new Uint8Array(readFileSync(new URL(`../captures/${file}`, import.meta.url))));
    inspection.end();
    const texts: string[] = [];
    const visit = (nodes: readonly Node[], parent: Node | undefined, base: Path): void => {
      const siblings = new Siblings(parent);
      for (const node of nodes) {
        const steps = [...base, ...siblings.steps(node)];
        texts.push(printPath(steps));
        if (node.children !== undefined) visit(node.children, node, steps);
      }
    };
    for (const record of records) {
      texts.push(printPath(record.path));
      visit(record.fields ?? [], undefined, record.path);
    }
    expect(texts.length).toBeGreaterThan(100);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(printPattern(parsePattern(text))).toBe(text);
  });

  it("are told apart where their names are the same", () => {
    const node = (named: string, index = -1): Node => ({ name: named, type: "u8", index, at: 0, size: 1 });
    const parent = node("queues");
    const siblings = new Siblings(parent);
    const text = (one: Node): string => printPath([member("queues"), ...siblings.steps(one)]);
    expect(
      [node("unused"), node("unused"), node("queues", 1), node("key", 2), node("a.b"), node("a b")].map(text),
    ).toEqual([
      "queues.unused",
      'queues["unused"#1]',
      "queues[1]",
      "queues.key[2]",
      "queues.a.b",
      'queues["a b"]',
    ]);
  });
});
