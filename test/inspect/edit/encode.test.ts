import { describe, expect, it } from "vitest";
import { encoder, ValueError } from "../../../src/inspect/edit/encode.js";
import { parseAssignment } from "../../../src/inspect/edit/index.js";
import type { Node } from "../../../src/inspect/node.js";

function field(type: string, size: number, value: Node["value"], more: Partial<Node> = {}): Node {
  return { name: "x", type, index: -1, at: 0, size, ...(value === undefined ? {} : { value }), ...more };
}

function encoded(node: Node, text: string, old: readonly number[], section = "dev"): number[] {
  return [...encoder(node, text, section, false)(Uint8Array.from(old)).bytes];
}

describe("a value in the field's own type", () => {
  it.each([
    ["uint32", 4, 1, "0x1020304", [0, 0, 0, 1], [1, 2, 3, 4]],
    ["int16", 2, 1, "-2", [0, 1], [0xff, 0xfe]],
    ["le16", 2, 0x1041, "0x1000", [0x41, 0x10], [0, 0x10]],
    // The schema writes u16 for a field of either order: the bytes decide.
    ["u16", 2, 1, "0x1234", [1, 0], [0x34, 0x12]],
    ["u16", 2, 1, "0x1234", [0, 1], [0x12, 0x34]],
    ["timer", 8, -1n, "5", [255, 255, 255, 255, 255, 255, 255, 255], [0, 0, 0, 0, 0, 0, 0, 5]],
    ["bool", 1, 0, "true", [0], [1]],
  ] as const)("%s: %s %s %s", (type, size, value, text, old, expected) => {
    expect(encoded(field(type, size, value), text, old)).toEqual(expected);
  });

  it("takes bytes in the ways that people write them", () => {
    const node = field("u8[6]", 6, Uint8Array.of(0, 0, 0, 0, 0, 0));
    for (const text of ["52:54:00:12:34:56", "525400123456", "52 54 00 12 34 56", "52-54-00-12-34-56"])
      expect(encoded(node, text, [0, 0, 0, 0, 0, 0])).toEqual([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
  });

  it("takes names: members of the enum, features of the device, and what to add and take away", () => {
    const status = field("virtio_device_status", 1, 15);
    expect(encoded(status, "VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER", [15])).toEqual([3]);
    const features = field("u64", 8, 0x100000020n, { name: "guest_features" });
    const old = [0, 0, 0, 1, 0, 0, 0, 0x20];
    const section = "0000:00:02.0/virtio-net";
    expect(encoded(features, "VIRTIO_NET_F_MAC", old, section)).toEqual([0, 0, 0, 0, 0, 0, 0, 0x20]);
    expect(encoded(features, "-VIRTIO_NET_F_MAC,+VIRTIO_F_RING_RESET", old, section)).toEqual([
      0, 0, 1, 1, 0, 0, 0, 0,
    ]);
  });

  it("leaves the bits around a bit field alone", () => {
    const node = field("u16", 2, 3, { bit: 0, width: 11 });
    expect(encoded(node, "6", [0x03, 0x80])).toEqual([0x06, 0x80]);
  });

  it("pads text that is shorter than its field, and no other", () => {
    expect(encoded(field("char[6]", 6, "ab"), "xyz", [])).toEqual([0x78, 0x79, 0x7a, 0, 0, 0]);
    expect(() => encoded(field("char[2]", 2, "ab"), "x", [])).toThrow(ValueError);
  });

  it("says when the bytes do not tell their order, and takes the other one on demand", () => {
    const node = field("u16", 2, 0);
    const old = Uint8Array.of(0, 0);
    expect(encoder(node, "1", "dev", false)(old)).toEqual({ bytes: Uint8Array.of(0, 1), isGuess: true });
    expect(encoder(node, "1", "dev", true)(old)).toEqual({ bytes: Uint8Array.of(1, 0), isGuess: true });
    expect(encoder(field("uint8", 1, 0), "1", "dev", false)(Uint8Array.of(0)).isGuess).toBe(false);
  });

  it.each([
    ["uint8", 1, 0, "256", "does not fit"],
    ["uint8", 1, 0, "-1", "does not fit"],
    ["int8", 1, 0, "128", "does not fit"],
    ["bool", 1, 0, "2", "does not fit"],
    ["uint8", 1, 0, "VIRTIO_NET_F_MAC", "neither a number nor a name"],
    ["u8[2]", 2, Uint8Array.of(0, 0), "01", "1 bytes given, the field has 2"],
    ["u8[2]", 2, Uint8Array.of(0, 0), "0g00", "hex digits"],
    ["uint8", 1, undefined, "1", "no single value"],
  ] as const)("refuses %s %s %s %s", (type, size, value, text, message) => {
    expect(() => encoded(field(type, size, value), text, [0])).toThrow(message);
  });

  it("refuses what follows from other fields", () => {
    expect(() => encoded(field("u8", 1, 0, { role: "derived" }), "1", [0])).toThrow("no value of its own");
  });
});

it.each([
  ["configuration.machine=pc", { path: "configuration.machine", value: "pc" }],
  ['sections["a=b]"].x = 5', { path: 'sections["a=b]"].x', value: "5" }],
  ["a=b=c", { path: "a", value: "b=c" }],
  ["=5", undefined],
  ["a", undefined],
])("%s", (text, expected) => {
  expect(parseAssignment(text)).toEqual(expected);
});
