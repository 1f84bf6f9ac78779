import { describe, expect, it } from "vitest";
import { type Node, TreeBuilder } from "../../../src/inspect/index.js";
import { Reader } from "../../../src/runtime/index.js";
import {
  describedSize,
  readDescription,
  type StateDescription,
  walkState,
} from "../../../src/streams/index.js";
import { be, bytes } from "../wire-bytes.js";
import { ascii, str8 } from "./stream-bytes.js";

/** `device` is JSON text: objects of JavaScript cannot repeat a key. */
function stateOf(device: string): StateDescription {
  const result = readDescription(
    bytes(`{"page_size":4096,"devices":[{"name":"d","instance_id":0,${device}}]}`),
  );
  if (result.description === undefined) throw new Error(result.problem.detail);
  const [first] = result.description.devices;
  if (first === undefined) throw new Error("no device");
  return first.state;
}

function walk(device: string, body: Uint8Array): { tree: TreeBuilder; left: number; sound: boolean } {
  const reader = new Reader(body, { base: 1000 });
  const tree = new TreeBuilder(1000);
  const sound = walkState(reader, stateOf(device), tree, "d");
  return { tree, left: reader.end - reader.at, sound };
}

/** `name=value` for scalars, `name{…}` for what holds others. */
function brief(nodes: readonly Node[]): string {
  return nodes
    .map((node) => {
      const name = node.index < 0 ? node.name : `[${node.index}]`;
      if (node.children !== undefined) return `${name}{${brief(node.children)}}`;
      return `${name}=${node.value instanceof Uint8Array ? [...node.value].join(".") : (node.meaning ?? node.value)}`;
    })
    .join(" ");
}

describe("fields of a device", () => {
  it("are big-endian whatever their names say, and signed where they are", () => {
    const fields = [
      ["b", "bool", 1],
      ["i8", "int8", 1],
      ["u16", "uint16", 2],
      ["i16", "int16", 2],
      ["i32", "int32 le", 4],
      ["u32", "uint32 equal", 4],
      ["i64", "int64", 8],
      ["u64", "int64 equal", 8],
      ["t", "timer", 8],
      ["d", "CPU_Double_U", 8],
    ];
    const json = fields
      .map(([name, type, size]) => `{"name":"${name}","type":"${type}","size":${size}}`)
      .join(",");
    const body = bytes(
      1,
      0x80,
      be(2, 0xfffe),
      be(2, -2),
      be(4, -5),
      be(4, 7),
      be(8, -9n),
      be(8, -1n),
      be(8, -1n),
      be(8, 1n << 52n),
    );
    const { tree, left, sound } = walk(`"vmsd_name":"d","version":1,"fields":[${json}]`, body);
    expect(brief(tree.roots)).toBe(
      "b=true i8=-128 u16=65534 i16=-2 i32=-5 u32=7 i64=-9 u64=18446744073709551615 t=off d=4503599627370496",
    );
    expect([left, sound]).toEqual([0, true]);
    expect(tree.roots[3]).toMatchObject({ at: 1004, size: 2 });
  });

  it("are elements of an array when they share a name: counted, listed, or with holes", () => {
    const { tree, sound } = walk(
      `"vmsd_name":"d","version":1,"fields":[
        {"name":"a","array_len":3,"type":"uint8","size":1},
        {"name":"s","index":0,"type":"struct","struct":{"vmsd_name":"e","version":1,"fields":[{"name":"x","type":"uint8","size":1}]},"size":1},
        {"name":"s","type":"struct","struct":{"vmsd_name":"e","version":1,"fields":[{"name":"x","type":"uint8","size":1}]},"size":1},
        {"name":"p","array_len":2,"type":"nullptr","size":1},
        {"name":"p","type":"uint16","size":2}
      ]`,
      bytes(1, 2, 3, 4, 5, 0x30, 0x30, be(2, 7)),
    );
    expect(brief(tree.roots)).toBe("a{[0]=1 [1]=2 [2]=3} s{[0]{x=4} [1]{x=5}} p{[0]=NULL [1]=NULL [2]=7}");
    expect(sound).toBe(true);
  });

  it("may be pointers of which the first is NULL: the description tells nothing of the others", () => {
    // QEMU 7.2.22, s390-ccw-virtio: the field css of s390_css has 255 NULLs and one state of 768 bytes.
    const described = `"vmsd_name":"d","version":1,"fields":[
      {"name":"a","type":"uint8","size":1},
      {"name":"css","array_len":3,"type":"struct","struct":{},"size":1},
      {"name":"b","type":"uint16","size":2}
    ]`;
    const { tree, left, sound } = walk(described, bytes(1, 0x30, 7, 8, 9, 0x30, be(2, 5)));
    expect(brief(tree.roots)).toBe("a=1 css=48.7.8.9.48 b=5");
    expect([left, sound]).toEqual([0, true]);
    expect(describedSize(stateOf(described))).toBeUndefined();
  });

  it("may be lists, whose elements repeat the keys of the field in the description", () => {
    const element = (name: string): string =>
      `"vmsd_name":"${name}","version":1,"fields":[{"name":"v","type":"uint16","size":2}]`;
    const { tree, left, sound } = walk(
      `"vmsd_name":"d","version":1,"fields":[
        {"name":"q","type":"qtailq",${element("e")},${element("e")},"size":7},
        {"name":"none","type":"qlist","size":1}
      ]`,
      bytes(1, be(2, 10), 1, be(2, 20), 0, 0),
    );
    expect(brief(tree.roots)).toBe("q{element=1 [0]{v=10} element=1 [1]{v=20} end=0} none{end=0}");
    expect([left, sound]).toEqual([0, true]);
  });

  it("may be trees, with keys of eight bytes or of a state of their own", () => {
    const one = (name: string, field: string): string =>
      `"vmsd_name":"${name}","version":1,"fields":[{"name":"${field}","type":"uint8","size":1}]`;
    const { tree, sound } = walk(
      `"vmsd_name":"d","version":1,"fields":[
        {"name":"direct","type":"gtree",${one("v", "val")},"size":15},
        {"name":"keyed","type":"gtree",${one("k", "key")},${one("v", "val")},"size":8}
      ]`,
      bytes(be(4, 1), 1, be(8, 77), 5, 0, be(4, 1), 1, 8, 9, 0),
    );
    expect(brief(tree.roots)).toBe(
      "direct{nodes=1 element=1 [0]=77 [0]{val=5} end=0} keyed{nodes=1 element=1 [0]{key=8} [0]{val=9} end=0}",
    );
    expect(sound).toBe(true);
  });

  it("may hold states that are not nested in the description", () => {
    const { tree, sound } = walk(
      `"vmsd_name":"d","version":1,"fields":[{"name":"t","type":"tmp","vmsd_name":"x","version":1,"fields":[{"name":"a","type":"uint8","size":1},{"name":"b","type":"buffer","size":2}],"size":3}]`,
      bytes(1, 2, 3),
    );
    expect(brief(tree.roots)).toBe("t{a=1 b=2.3}");
    expect(sound).toBe(true);
  });

  const withSubsection = `"vmsd_name":"d","version":1,"fields":[{"name":"a","type":"uint8","size":1}],
    "subsections":[{"vmsd_name":"d/more","version":2,"fields":[{"name":"b","type":"uint8","size":1}]}]`;

  it("are followed by subsections, which have heads", () => {
    const { tree, sound } = walk(withSubsection, bytes(1, 0x05, str8("d/more"), be(4, 2), 9));
    expect(brief(tree.roots)).toBe("a=1 d/more{b=9}");
    expect(tree.roots[1]).toMatchObject({ at: 1001, size: 13 });
    expect(sound).toBe(true);
    expect(describedSize(stateOf(withSubsection))).toBe(14);
  });

  it.each([
    [
      "another subsection",
      bytes(1, 0x05, str8("d/less"), be(4, 2), 9),
      { code: "constraint", offset: 1001, path: "d.d/more" },
    ],
    ["another version", bytes(1, 0x05, str8("d/more"), be(4, 3), 9), { code: "constraint", offset: 1001 }],
    ["no subsection", bytes(1, 0x06, str8("d/more"), be(4, 2), 9), { code: "constant", offset: 1001 }],
    [
      "too few bytes",
      bytes(1, 0x05, str8("d/more"), be(4, 2)),
      { code: "overrun", offset: 1013, path: "d.d/more.b" },
    ],
  ])("shows %s to be wrong", (_, body, fault) => {
    const { tree, sound } = walk(withSubsection, body);
    expect(sound).toBe(false);
    expect(tree.faults[0]).toMatchObject(fault);
  });

  it("reads on behind a list that does not fit its size", () => {
    const { tree, left } = walk(
      `"vmsd_name":"d","version":1,"fields":[
        {"name":"q","type":"qtailq","vmsd_name":"e","version":1,"fields":[{"name":"v","type":"uint8","size":1}],"size":3},
        {"name":"z","type":"uint8","size":1}
      ]`,
      bytes(0, 5, 0, 42),
    );
    expect(tree.faults).toMatchObject([{ code: "constant", offset: 1000, path: "d.q" }]);
    expect(brief(tree.roots.slice(-1))).toBe("z=42");
    expect(left).toBe(0);
  });

  it("does not count to a billion for a description that says so", () => {
    const { sound } = walk(
      `"vmsd_name":"d","version":1,"fields":[
        {"name":"e","array_len":2000000000,"type":"struct","struct":{"vmsd_name":"e","version":1,"fields":[]},"size":0},
        {"name":"f","array_len":2000000000,"type":"uint8","size":1}
      ]`,
      bytes(ascii("abc")),
    );
    expect(sound).toBe(false);
  });
});

describe("a description", () => {
  it("may lack versions and names, where a handler has no vmstate", () => {
    const state = stateOf('"size":3,"fields":[{"name":"data","size":3,"type":"buffer"}]');
    expect(state).toMatchObject({ name: "d", version: undefined });
  });

  it.each([
    ["[]", "the description is not an object"],
    ['{"page_size":4096,"devices":{}}', "devices is not a list"],
    ['{"page_size":-1,"devices":[]}', "page_size is not a number"],
    [
      '{"page_size":4096,"devices":[{"name":"d","instance_id":0,"vmsd_name":"d","version":1,"fields":[{"name":"f","type":"uint8","size":1e12}]}]}',
      "size is not a number",
    ],
  ])("is refused as %s", (text, detail) => {
    expect(readDescription(bytes(text)).problem?.detail).toContain(detail);
  });
});
