/** The description of another stream: it shows fields, and is never the measure of what is sound. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { CaptureRecord, Node } from "../../src/inspect/index.js";
import {
  type Description,
  findDescription,
  readVmstateDump,
  type VmstateDump,
} from "../../src/streams/index.js";
import {
  described,
  EOF,
  end,
  FILE_HEADER,
  full,
  memSize,
  PAGE,
  RAM_EOS,
  start,
  TIMER,
  TIMER_BODY,
} from "../streams/qemu/stream-bytes.js";
import { be, bytes } from "../streams/wire-bytes.js";
import { type Inspected, inspectBytes } from "./inspect-bytes.js";

const X86 = capture("x86-q35-net-blk");
const S390 = capture("s390x-ccw");

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}.bin`, import.meta.url)));
}

function descriptionOf(stream: Uint8Array): Description {
  const description = findDescription(stream);
  if (description === undefined) throw new Error("no description");
  return description;
}

function inspect(stream: Uint8Array, from?: Uint8Array, description?: Description): Inspected {
  const borrowed = from && { from: "other.bin", description: descriptionOf(from) };
  return inspectBytes(stream, { kind: "qemu-stream", withFields: true, description, borrowed });
}

function placeOf(records: readonly CaptureRecord[], kind: string): { at: number; size: number } {
  const found = records.find(({ record }) => record === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

function cutOff(stream: Uint8Array): Uint8Array {
  return stream.slice(0, placeOf(inspect(stream).records, "description").at);
}

/** As machine types before 2.4 write it, which no description has to follow: without the configuration. */
function undescribed(stream: Uint8Array): Uint8Array {
  const { at, size } = placeOf(inspect(stream).records, "configuration");
  const rest = cutOff(stream);
  return bytes(rest.subarray(0, at), rest.subarray(at + size));
}

/** Memory, then the sections, and no description. */
function small(...sections: number[][]): Uint8Array {
  const ram = start(1, "ram", [...memSize([{ name: "pc.ram", size: PAGE }]), ...RAM_EOS], 4);
  return bytes(FILE_HEADER, ram, end(1, RAM_EOS), ...sections, EOF);
}

function smallDescribed(...devices: object[]): Uint8Array {
  return bytes(small(), described(devices));
}

function fieldsOf({ records }: Inspected, name: string): readonly string[] | undefined {
  return records.find((record) => record.name === name)?.fields?.map((field) => field.name);
}

describe("a borrowed description", () => {
  it.each([
    ["x86", X86],
    ["s390x", S390],
  ])("of the same machine shows the same fields as the stream's own: %s", (_, whole) => {
    const own = inspect(whole).records.filter(({ record }) => record === "section");
    const { records, summary } = inspect(cutOff(whole), whole);
    expect(records.filter(({ record }) => record === "section")).toEqual(own);
    expect(own.filter(({ fields = [] }) => fields.length > 0).length).toBeGreaterThan(10);
    // That the description is missing is damage all the same.
    expect(summary.faults.map(({ code, path }) => [code, path])).toEqual([["truncated", "vmdescription"]]);
    expect(summary.facts).toContainEqual({
      key: "schema_from",
      label: "described by",
      value: "other.bin",
    });
  });

  it.each([
    ["s390x by x86", S390, X86],
    ["x86 by s390x", X86, S390],
  ])("of another machine finds no fault: %s", (_, whole, from) => {
    const stream = undescribed(whole);
    const without = inspect(stream);
    const { records, summary } = inspect(stream, from);
    expect(without.summary.faults).toEqual([]);
    expect(summary.faults).toEqual([]);
    expect(summary.verdict).toBe(without.summary.verdict);
    expect(records.map(({ path, at, size }) => ({ path, at, size }))).toEqual(
      without.records.map(({ path, at, size }) => ({ path, at, size })),
    );
    expect(summary.notes.join("\n")).toMatch(/^shown as bytes, not in other\.bin: .+ and \d+ more$/m);
  });

  it("that does not fit leaves bytes, and says which", () => {
    const stream = small(
      full(2, "timer", TIMER_BODY),
      full(3, "longer", [...TIMER_BODY, 0]),
      full(4, "shorter", TIMER_BODY.slice(1)),
      full(5, "newer", TIMER_BODY, 2),
      full(6, "timer", TIMER_BODY, 1, 1),
      full(7, "list", be(8, 0)),
    );
    const list = { name: "items", type: "qtailq", size: 8, vmsd_name: "item", version: 1, fields: [] };
    const from = smallDescribed(
      TIMER,
      { ...TIMER, name: "longer" },
      { ...TIMER, name: "shorter" },
      { ...TIMER, name: "newer" },
      { ...TIMER, name: "list", fields: [list] },
      { ...TIMER, name: "not there" },
    );
    const seen = inspect(stream, from);
    expect(seen.summary.faults).toEqual([]);
    expect(seen.summary.verdict).toBe("complete: every byte is accounted for");
    expect(fieldsOf(seen, "timer")).toEqual(["ticks", "expires"]);
    for (const name of ["longer", "shorter", "newer", "list"]) expect(fieldsOf(seen, name)).toBeUndefined();
    expect(seen.summary.notes.slice(0, 3)).toEqual([
      "sections read as other.bin describes them: 1",
      "shown as bytes, not as other.bin describes: longer (17 bytes, described as 16), shorter (15 bytes, described as 16), newer (version 2, described as 1), list (its fields do not stand where they are described)",
      "shown as bytes, not in other.bin: timer #1",
    ]);
  });

  it.each(["virtio-net", "timer"])("hides no damage: the footer of %s", (name) => {
    const stream = cutOff(X86);
    const section = inspect(X86).records.find((record) => record.name.endsWith(name));
    const footer = (section?.at ?? 0) + (section?.size ?? 0) - 5;
    stream.fill(0xff, footer, footer + 5);
    const without = inspect(stream).summary.faults;
    expect(without).toContainEqual(
      expect.objectContaining({
        path: `sections["${section?.name}"]`,
        detail: expect.stringMatching(/^in footer: /),
      }),
    );
    expect(inspect(stream, X86).summary.faults).toEqual(without);
  });

  it("is not used where the stream has its own, known beforehand or not", () => {
    for (const description of [undefined, descriptionOf(X86)]) {
      const { records, summary } = inspect(X86, S390, description);
      expect(records).toEqual(inspect(X86).records);
      expect(summary.verdict).toMatch(/^clean/);
      expect(summary.notes).toEqual(["the stream describes its devices itself: other.bin is not used"]);
      expect(summary.facts.map(({ key }) => key)).not.toContain("schema_from");
    }
  });
});

/** Every field that has no fields in it: of an array, its elements. An array of one has an index where it is described so. */
function leavesOf(nodes: readonly Node[] = []): string[] {
  return nodes.flatMap((node) =>
    node.children === undefined || node.children.length === 0
      ? [`${node.name.replace(/\[\d+\]$/, "")} @${node.at}+${node.size}`]
      : leavesOf(node.children),
  );
}

describe("a dump of the states that QEMU knows", () => {
  const DUMP = new Uint8Array(
    gunzipSync(readFileSync(new URL("../captures/x86-q35.vmstate.json.gz", import.meta.url))),
  );

  function dumped(text: Uint8Array): VmstateDump {
    const dump = readVmstateDump(text);
    if (dump === undefined) throw new Error("no dump");
    return dump;
  }

  function stateText(
    fields: readonly object[],
    subsections: readonly object[] = [],
    name = "timer",
  ): Uint8Array {
    const state = { name, version_id: 1, minimum_version_id: 1, Fields: fields, Subsections: subsections };
    return new TextEncoder().encode(
      JSON.stringify({ vmschkmachine: { Name: "pc-q35-10.0" }, type: { Name: "type", Description: state } }),
    );
  }

  it("shows the fields where the stream's own description has them, or none", () => {
    const own = new Map(inspect(X86).records.map((record) => [record.at, record]));
    const borrowed = { from: "vmstate.json", description: dumped(DUMP) };
    const { records, summary } = inspectBytes(cutOff(X86), {
      kind: "qemu-stream",
      withFields: true,
      borrowed,
    });
    let read = 0;
    for (const { at, name, fields, record } of records) {
      if (record !== "section" || fields === undefined || name.includes("virtio")) continue;
      read++;
      expect(leavesOf(fields), name).toEqual(leavesOf(own.get(at)?.fields));
    }
    expect(read).toBeGreaterThanOrEqual(20);
    expect(summary.notes).toContain(`sections read as vmstate.json describes them: ${read}`);
  });

  const SIXTEEN = small(full(2, "timer", TIMER_BODY));
  const field = (name: string, size: number, more: object = {}) => ({
    field: name,
    version_id: 0,
    field_exists: false,
    size,
    ...more,
  });

  it.each([
    [
      "a field that is left out",
      [field("a", 8), field("b", 4, { field_exists: true }), field("c", 8)],
      "a c",
    ],
    [
      "of two the one that fits",
      [field("x", 16, { field_exists: true }), field("y", 12, { field_exists: true })],
      "x",
    ],
    ["a field of a later version", [field("a", 16), field("b", 8, { version_id: 2 })], "a"],
    ["an array", [field("a", 4, { num: 4 })], "a"],
  ])("fits %s", (_, fields, names) => {
    const description = dumped(stateText(fields));
    const seen = inspectBytes(SIXTEEN, {
      kind: "qemu-stream",
      withFields: true,
      borrowed: { from: "d", description },
    });
    expect(fieldsOf(seen, "timer")?.join(" ")).toBe(names);
  });

  it.each([
    [
      "two ways",
      [field("a", 8, { field_exists: true }), field("b", 8, { field_exists: true }), field("c", 8)],
    ],
    ["no way", [field("a", 8)]],
    ["a field whose size only QEMU knows", [field("a", 16), field("b", 0)]],
    ["too many conditions", Array.from({ length: 40 }, () => field("a", 1, { field_exists: true }))],
  ])("leaves bytes where there are %s", (_, fields) => {
    const description = dumped(stateText(fields));
    const seen = inspectBytes(SIXTEEN, {
      kind: "qemu-stream",
      withFields: true,
      borrowed: { from: "d", description },
    });
    expect(fieldsOf(seen, "timer")).toBeUndefined();
    expect(seen.summary.faults).toEqual([]);
    expect(seen.summary.notes).toContain(
      "shown as bytes, not as d describes: timer (its bytes can be read in no way, or in several)",
    );
  });

  it("is refused when it is something else", () => {
    for (const text of ["", "{}", "[]", '{"vmschkmachine":{}}', '{"vmschkmachine":1}', '{"a":'])
      expect(readVmstateDump(new TextEncoder().encode(text))).toBeUndefined();
  });
});
