/** The state of CPR, as QEMU 10.0 wrote it when it handed its memory to a successor. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCuts } from "../streams/splits.js";
import { be, bytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

const CAPTURE = new Uint8Array(readFileSync(new URL("../captures/x86-q35.cpr.bin", import.meta.url)));
/** The blocks of the guest's memory, by QEMU's own words, in the order in which they were made backwards. */
const NAMES = [
  "/rom@etc/acpi/rsdp",
  "/rom@etc/table-loader",
  "/rom@etc/acpi/tables",
  "0000:00:01.0/virtio-net-pci.rom",
  "pc.rom",
  "pc.bios",
  "m",
];

describe("the state of CPR", () => {
  it("names the descriptors, and accounts for every byte", () => {
    const { records, summary } = inspectBytes(CAPTURE, { withFields: true });
    expect(summary).toMatchObject({ kind: "qemu-cpr", faultCount: 0 });
    expect(summary.verdict).toMatch(/^clean/);
    expect(records.filter(({ record }) => record === "fd").map(({ name }) => name)).toEqual(NAMES);
    let next = 0;
    for (const { at, size } of records) {
      expect(at).toBe(next);
      next = at + size;
    }
    expect(next).toBe(CAPTURE.length);
  });

  it("is the same however it is cut", () => {
    const whole = inspectBytes(CAPTURE, { withFields: true });
    fc.assert(
      fc.property(anyCuts(CAPTURE.length), (cuts) => {
        expect(inspectBytes(CAPTURE, { kind: "qemu-cpr", withFields: true, cuts })).toEqual(whole);
      }),
    );
  });

  it("is damaged wherever it is cut short, whatever its structure becomes, and when it goes on", () => {
    for (let end = 4; end < CAPTURE.length; end++) {
      const { records, summary } = inspectBytes(CAPTURE.subarray(0, end), { kind: "qemu-cpr" });
      expect(summary.faultCount, `cut at ${end}`).toBeGreaterThan(0);
      expect(summary.faults[0]?.offset).toBeLessThanOrEqual(end);
      expect(records.filter(({ record }) => record === "fd").length).toBeLessThanOrEqual(NAMES.length);
    }
    for (const at of [7, 8, 9, 37]) {
      const flipped = CAPTURE.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x40;
      expect(inspectBytes(flipped, { kind: "qemu-cpr" }).summary.faultCount).toBeGreaterThan(0);
    }
    const longer = inspectBytes(bytes(CAPTURE, 0)).summary;
    expect(longer.faults).toMatchObject([{ code: "trailing", offset: CAPTURE.length }]);
  });

  it("does not gather a name without end", () => {
    const hostile = bytes("QCPR", be(4, 1), 1, be(4, 0xffff_ffff), "x");
    const { summary } = inspectBytes(hostile, { kind: "qemu-cpr" });
    expect(summary.faults).toMatchObject([{ code: "limit", path: "fds[0]" }]);
  });
});
