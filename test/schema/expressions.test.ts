/** Arithmetic that could leave its exact range is refused when the schema is compiled, not when bytes arrive. */
import { describe, expect, it } from "vitest";
import { codesOf, structsOf } from "./compiled.js";

describe("ranges", () => {
  it.each([
    ["a product of two 32-bit fields", "le32 a; le32 b; u8 c[a * b];", ["arithmetic-overflow"]],
    ["the same, bounded", "le32 a where a <= 1024; le32 b; u8 c[a * b];", []],
    ["a difference that could be negative", "le32 a; u8 c[a - 4];", ["negative-length"]],
    ["the same, bounded", "le32 a where a >= 4; u8 c[a - 4];", []],
    ["a division by what could be zero", "le32 a; u8 b; u8 c[a / b];", ["division-by-zero"]],
    ["a shift by too much", "u8 a; u8 c[1 << a];", ["shift"]],
    ["the same, bounded", "u8 a where a <= 16; u8 c[1 << a];", []],
    ["bit operators on a number of 64 bits", "le64 a as number; u8 c[a & 7];", ["bit-operation"]],
    ["an exact 64-bit integer as a length", "le64 a; u8 c[a];", ["inexact-length"]],
    ["the same as a number", "le64 a as number; u8 c[a];", []],
    ["a number against an exact integer", "le32 a; le64 b; where a == b;", ["mixed-representation"]],
    ["a comparison that never holds", "u8 a; where a > 300;", ["constant-condition"]],
    ["a comparison that always holds", "u8 a; where a <= 255;", ["constant-condition"]],
  ])("%s", (_, members, codes) => {
    expect(codesOf(members)).toEqual(codes);
  });
});

it("follows C's precedence", () => {
  // gcc: 1 | 2 ^ 3 & 5 << 1 + 1 == 3, and 7 & 3 == 3 is 7 & (3 == 3).
  const one = structsOf(
    "const A = 1 | 2 ^ 3 & 5 << 1 + 1; struct one { u8 x[A]; u8 y[2 + 3 * 4 % 5 - 1]; }",
  ).get("one");
  expect(one?.fields.map((field) => field.size.min)).toEqual([
    1 | (2 ^ (3 & (5 << (1 + 1)))),
    2 + ((3 * 4) % 5) - 1,
  ]);
});
