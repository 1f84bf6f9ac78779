/** Which fields an encoder computes by itself, and how it turns their expression round. */
import { describe, expect, it } from "vitest";
import { structOf } from "./compiled.js";

function roleOf(members: string, name = "n") {
  const role = structOf(members).fields.find((field) => field.name === name)?.role;
  return role?.kind === "derived" ? role.steps.map((step) => `${step.op} ${step.by}`) : role?.kind;
}

describe("a field that only counts is derived", () => {
  it.each([
    ["a count of elements", "le16 n; le32 a[n];", []],
    ["a count of bytes", "le16 n; u8 a[n];", []],
    ["the length of a range", "le32 n; within (n) { le16 x; u8 rest[..]; }", []],
    ["one less than the count", "le16 n; le16 a[n + 1];", ["sub 1"]],
    ["a length that includes a header", "le32 n where n >= 8; u8 a[n - 8];", ["add 8"]],
    ["a count of blocks", "le16 n; u8 a[n * 16];", ["div 16"]],
    ["both", "le16 n where n >= 1; u8 a[n * 16 - 8];", ["add 8", "div 16"]],
    ["a shift", "u8 n; u8 a[n << 2];", ["div 4"]],
    ["elements by their bytes", "le16 n; le32 a[bytes n];", []],
    ["inside a range", "le16 m; within (m) { le16 n; le32 a[n]; }", []],
  ])("%s", (_, members, steps) => {
    expect(roleOf(members)).toEqual(steps);
  });
});

describe("a field stays in the value", () => {
  it.each([
    ["when division cuts off what encoding would need", "le16 n; le64 a[n / 8];"],
    ["when what it counts may not be there", "le16 n; u8 f; if (f) u8 a[n];"],
    [
      "when its number has a meaning of its own",
      "le16 n; switch (n) { case 1: u8 x; default keep: u8 raw[..]; }",
    ],
    ["when two fields make the count", "le16 n; le16 m; u8 a[n + m];"],
  ])("%s", (_, members) => {
    expect(roleOf(members)).toBe("value");
  });
});
