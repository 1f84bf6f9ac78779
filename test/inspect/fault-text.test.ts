import { describe, expect, it } from "vitest";
import { describeFault } from "../../src/inspect/index.js";
import type { Fault } from "../../src/runtime/index.js";

function fault(given: Partial<Fault>): Fault {
  const none = { need: undefined, had: undefined, detail: undefined };
  return { code: "constraint", path: "gaps[0]", offset: 9, schema: "qemu/stream.wire:50", ...none, ...given };
}

describe("a fault in words", () => {
  it.each<[Partial<Fault>, string]>([
    [{ detail: "len <= 4096" }, "gaps[0]: breaks the rule len <= 4096"],
    [{ detail: "in record.len: len <= 4096" }, "gaps[0]: in record.len: breaks the rule len <= 4096"],
    [{ detail: "in block list.used: used < 9" }, "gaps[0]: in block list.used: breaks the rule used < 9"],
    [{ code: "tag", detail: "17745" }, "gaps[0]: no such value: 17745 (0x4551)"],
    [
      { code: "enum", detail: "18446744073709551615" },
      "gaps[0]: no such value: 18446744073709551615 (0xffffffffffffffff)",
    ],
    [{ code: "reserved" }, "gaps[0]: reserved, and not zero"],
    [{ code: "reserved", detail: "in head.pad: " }, "gaps[0]: in head.pad: reserved, and not zero"],
    [{ code: "range" }, "gaps[0]: more than 2^53 − 1"],
    [{ code: "trailing", path: "" }, "value: bytes are left over behind it"],
    [{ code: "overrun", need: 8, had: 3 }, "gaps[0]: needs 8 bytes, has 3: more than what holds it"],
    [{ code: "truncated", need: 1, had: 0 }, "gaps[0]: truncated: needs 1 byte, has 0"],
    [
      { code: "truncated", need: 8, had: 0, detail: "in used" },
      "gaps[0]: truncated: needs 8 bytes, has 0: in used",
    ],
    [{ code: "missing" }, "gaps[0]: missing"],
    // What is no line of a schema has been put into words by those who found it.
    [{ detail: "no section is open", schema: "qemu/stream.wire" }, "gaps[0]: no section is open"],
  ])("%j", (given, text) => {
    expect(describeFault(fault(given))).toBe(text);
  });
});
