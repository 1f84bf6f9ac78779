import { describe, expect, it } from "vitest";
import {
  command,
  configuration,
  described,
  EOF,
  end,
  FILE_HEADER,
  memSize,
  part,
  RAM_EOS,
  start,
  str8,
} from "../streams/qemu/stream-bytes.js";
import { be, bytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

/** A stream with a live section of that name besides `ram`; what its three parts hold. */
function stream(name: string, version: number, bodies: readonly [number[], number[], number[]]): Uint8Array {
  return bytes(
    FILE_HEADER,
    configuration("pc-q35-10.0"),
    start(0, "ram", [...memSize([{ name: "a", size: 4096 }]), ...RAM_EOS], 4),
    start(1, name, bodies[0], version),
    part(1, bodies[1]),
    command(11),
    end(0, RAM_EOS),
    end(1, bodies[2]),
    EOF,
    described([]),
  );
}

function fieldsOf(input: Uint8Array, name: string) {
  const { records, summary } = inspectBytes(input, { withFields: true });
  return { parts: records.filter((record) => record.name === name).map(({ fields }) => fields), summary };
}

/** Bodies as block-dirty-bitmap.c, spapr.c and s390-stattrib.c write them. */
const NAMES = [...str8("disk0"), ...str8("backup")];
const BITMAPS: [number[], number[], number[]] = [
  [0x1c, ...NAMES, ...be(4, 65536), 3, 0x01],
  [0x40, ...be(8, 128), ...be(4, 1024), ...be(8, 4), 0xff, 0, 1, 2, 0x42, ...be(8, 1152), ...be(4, 64), 0x01],
  [0x20, 0x01],
];
const HTAB: [number[], number[], number[]] = [
  be(4, 24),
  [
    ...be(4, 0),
    ...be(4, 7),
    ...be(2, 2),
    ...be(2, 1),
    ...new Array<number>(32).fill(9),
    ...new Array<number>(8).fill(0),
  ],
  [...be(4, 0), ...new Array<number>(8).fill(0)],
];
const ATTRIBUTES: [number[], number[], number[]] = [
  be(8, 1),
  [...be(8, 0x5002), ...be(8, 3), 7, 8, 9, ...be(8, 1)],
  [...be(8, 8), ...be(8, 1)],
];

describe("live sections besides the memory", () => {
  it("shows dirty bitmaps chunk by chunk", () => {
    const { parts, summary } = fieldsOf(stream("dirty-bitmap", 1, BITMAPS), "dirty-bitmap");
    expect(summary.faultCount).toBe(0);
    const chunks = parts.map((fields) =>
      fields?.[0]?.children?.map((chunk) => chunk.children?.map(({ name }) => name)),
    );
    expect(chunks).toEqual([
      [["flags", "node_alias", "bitmap_alias", "start"], ["flags"]],
      [["flags", "start_sector", "nr_sectors", "buffer"], ["flags", "start_sector", "nr_sectors"], ["flags"]],
      [["flags"], ["flags"]],
    ]);
    expect(parts[0]?.[0]?.children?.[0]?.children?.[0]?.meaning).toContain("DIRTY_BITMAP_MIG_FLAG_START");
  });

  it("shows the hash page table of a pseries guest", () => {
    const { parts, summary } = fieldsOf(stream("spapr/htab", 1, HTAB), "spapr/htab");
    expect(summary.faultCount).toBe(0);
    expect(parts[0]?.[0]).toMatchObject({ name: "htab_shift", value: 24 });
    expect(parts[1]?.find(({ name }) => name === "chunks")?.children).toHaveLength(2);
  });

  it("shows storage attributes of an s390x guest", () => {
    const { parts, summary } = fieldsOf(
      stream("s390-storage_attributes", 0, ATTRIBUTES),
      "s390-storage_attributes",
    );
    expect(summary.faultCount).toBe(0);
    const more = parts[1]?.[0]?.children?.[0]?.children;
    expect(more?.find(({ name }) => name === "flags")?.meaning).toBe("STATTR_FLAG_MORE");
    expect(more?.find(({ name }) => name === "attributes")?.value).toEqual(Uint8Array.of(7, 8, 9));
  });

  const damaged: readonly (readonly [
    name: string,
    version: number,
    bodies: [number[], number[], number[]],
  ])[] = [
    ["dirty-bitmap", 1, [BITMAPS[0], [0x40, 1, 2, 3], BITMAPS[2]]],
    ["dirty-bitmap", 1, [BITMAPS[0], [0x80, 0x01], BITMAPS[2]]],
    ["spapr/htab", 1, [be(4, 99), HTAB[1], HTAB[2]]],
    ["spapr/htab", 1, [[...be(4, 24), 0], HTAB[1], HTAB[2]]],
    ["s390-storage_attributes", 0, [ATTRIBUTES[0], [...be(8, 0x5002), ...be(8, 9), 7], ATTRIBUTES[2]]],
  ];
  it.each(damaged)("never calls a damaged %s clean", (name, version, bodies) => {
    const input = stream(name, version, bodies);
    const { summary } = inspectBytes(input);
    expect(summary.verdict).toMatch(/^damaged/);
    expect(summary.faults[0]?.path).toContain(name);
  });
});
