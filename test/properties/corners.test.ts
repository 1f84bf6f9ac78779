/** Each of the corners is decoded to its value, by everything that is made of it, and encodes to its bytes. */
import { describe, expect, it } from "vitest";
import { Reader } from "../../src/runtime/index.js";
import { hex } from "../codegen/bytes.js";
import { loadSchema } from "../codegen/load.js";
import { canonical, thrownBy } from "./canonical.js";
import { corners, textOf } from "./corners.js";

describe("a schema with", () => {
  it.each(corners)("$about", async (corner) => {
    const { bytes: text, value: expected } = corner;
    const codecs = await loadSchema(textOf(corner));
    const bytes = hex(text);
    const value = codecs["decodeCorner"](bytes);
    expect(canonical(value)).toBe(expected);
    expect(canonical(codecs["encodeCorner"](value))).toBe(canonical(bytes));
    expect(codecs["sizeofCorner"](value)).toBe(bytes.length);
    expect(codecs["checkCorner"](bytes)).toBeUndefined();
    expect(new codecs["CornerView"](bytes).$end).toBe(bytes.length);
    const faults: unknown[] = [];
    const visitor = {
      open: () => {},
      close: () => {},
      field: () => {},
      fault: (fault: unknown) => faults.push(fault),
    };
    expect(codecs["walkCorner"](new Reader(bytes), visitor)).toBe(true);
    expect(faults).toEqual([]);
    const pushed = thrownBy(() => {
      const parser = new codecs["CornerParser"]({});
      for (const byte of bytes) parser.push(Uint8Array.of(byte));
      parser.finish();
    });
    expect(pushed).toBeUndefined();
  });
});

it("names the row as a whole when the input ends inside the last one that a condition asks for", async () => {
  const codecs = await loadSchema(
    "module test.corner little;\nstruct rows { u8 n; u8 cells[while remaining > 0][3][3]; }",
  );
  const bytes = hex("01 010203040506070809 010203040506");
  const faults: unknown[] = [];
  const visitor = {
    open: () => {},
    close: () => {},
    field: () => {},
    fault: (fault: unknown) => faults.push(fault),
  };
  codecs["walkRows"](new Reader(bytes), visitor);
  expect(codecs["checkRows"](bytes)).toMatchObject({ path: "cells[1]", offset: 10, need: 9, had: 6 });
  expect(faults).toMatchObject([{ code: "truncated", path: "cells[1]", offset: 10, need: 9, had: 6 }]);
});
