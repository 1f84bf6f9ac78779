/** What is expected is the output of Python 3.11: `json.dumps(value, indent=4, separators=(',', ': '))`. */
import { expect, it } from "vitest";
import { asPrinted, writePrinted } from "../../../src/inspect/analyze-migration/python-json.js";
import { readJson } from "../../../src/streams/qemu/json.js";

function printed(json: string): string {
  const read = readJson(new TextEncoder().encode(json));
  if ("problem" in read) throw new Error(read.problem.detail);
  let text = "";
  writePrinted(asPrinted(read.value), (piece) => {
    text += piece;
  });
  return text;
}

it("indents by four, and leaves what is empty on one line", () => {
  expect(printed('{"a":[],"b":{},"c":[1,[true,null]],"d":-1}')).toBe(
    '{\n    "a": [],\n    "b": {},\n    "c": [\n        1,\n        [\n            true,\n            null\n        ]\n    ],\n    "d": -1\n}',
  );
});

it("keeps of a repeated key the last value in the first place", () => {
  expect(printed('{"a":1,"b":2,"a":3}')).toBe('{\n    "a": 3,\n    "b": 2\n}');
});

it("escapes everything but printable ASCII", () => {
  expect(printed('"\\u007f\\u00e9\\u20ac\\n\\b\\u0001\\"\\\\/"')).toBe(
    '"\\u007f\\u00e9\\u20ac\\n\\b\\u0001\\"\\\\/"',
  );
});

it("writes bytes in pieces as one text", () => {
  const bytes = new Uint8Array(70_000).fill(0xab);
  let text = "";
  writePrinted(bytes, (piece) => {
    text += piece;
  });
  expect(text).toBe(`"${"ab ".repeat(70_000).trim()}"`);
});
