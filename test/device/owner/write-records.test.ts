import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { WriteRecords } from "../../../src/device/owner/write-records.js";

const PAGE = 4096;

describe("write records", () => {
  it("are told in one answer, however many there are", () => {
    const memory = GuestMemory.of(0);
    const records = new WriteRecords(memory);
    const half = { address: 0, length: 200_000 * PAGE };
    records.start(PAGE, [half]);
    records.start(PAGE, [{ address: half.length, length: half.length }]);
    const whole = { address: 0, length: 2 * half.length };
    memory.wrote(0, whole.length);
    const told = records.read(whole, 1 << 20);
    expect([told.length, told[0], told.at(-1)]).toEqual([400_000, 0, whole.length - PAGE]);
    expect(records.read(whole, 1 << 20)).toEqual([]);
  });
});
