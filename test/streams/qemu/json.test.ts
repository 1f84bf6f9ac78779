import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonObject, type JsonValue, readJson } from "../../../src/streams/qemu/json.js";

function read(text: string): ReturnType<typeof readJson> {
  return readJson(new TextEncoder().encode(text));
}

/** As JSON.parse would give it: the last of equal keys. */
function plain(value: JsonValue): unknown {
  if (value instanceof JsonObject)
    return Object.fromEntries(value.members.map(([key, one]) => [key, plain(one)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

describe("JSON", () => {
  it("reads what JSON.parse reads", () => {
    // ASCII only: descriptions are read byte by byte.
    const json = fc
      .json({ noUnicodeString: true, maxDepth: 8 })
      .filter((text) => [...text].every((one) => one <= "~") && !text.includes("__proto__"));
    fc.assert(
      fc.property(json, (text) => {
        const result = read(text);
        if ("problem" in result) throw new Error(result.problem.detail);
        expect(plain(result.value)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("refuses what JSON.parse refuses, and only that", () => {
    const text = fc.string({
      unit: fc.constantFrom(...'{}[]",:0123456789.eE+-truefalsn \\\n'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (candidate) => {
        let valid = true;
        try {
          JSON.parse(candidate);
        } catch {
          valid = false;
        }
        expect("value" in read(candidate)).toBe(valid);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps every member of an object, in order", () => {
    const result = read('{"a":1,"b":2,"a":{"c":3}}');
    if ("problem" in result || !(result.value instanceof JsonObject)) throw new Error("unread");
    expect(result.value.members.map(([key]) => key)).toEqual(["a", "b", "a"]);
    expect(result.value.get("b")).toBe(2);
    expect(result.value.get("a")).toBeInstanceOf(JsonObject);
    expect(result.value.get("hasOwnProperty")).toBeUndefined();
  });

  it("names the byte that is wrong", () => {
    expect(read('{"a": [1, 2, x]}')).toEqual({ problem: { at: 13, detail: "a value is expected" } });
    expect(read('{"a": 1')).toEqual({ problem: { at: 7, detail: "a comma or the end is expected" } });
    expect(read("[1] 2")).toEqual({ problem: { at: 4, detail: "text goes on after the value" } });
  });

  it("does not follow a hostile text into the depth, or to any length", () => {
    expect(read("[".repeat(1_000_000))).toMatchObject({ problem: { detail: "nested more than 64 deep" } });
    const many = new TextEncoder().encode(`[${"1,".repeat(1000)}1]`);
    expect(readJson(many, { depth: 4, values: 100 })).toMatchObject({
      problem: { detail: "more than 100 values" },
    });
  });
});
