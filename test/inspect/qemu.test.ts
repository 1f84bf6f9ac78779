import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CaptureRecord, Summary } from "../../src/inspect/index.js";
import { findDescription } from "../../src/streams/index.js";
import {
  configuration,
  described,
  EOF,
  end,
  FILE_HEADER,
  full,
  memSize,
  PAGE,
  precopy,
  RAM_EOS,
  start,
  TIMER,
  TIMER_BODY,
} from "../streams/qemu/stream-bytes.js";
import { anyCuts } from "../streams/splits.js";
import { bytes } from "../streams/wire-bytes.js";
import { inspectBytes } from "./inspect-bytes.js";

function capture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../captures/${name}.bin`, import.meta.url)));
}

function asFile(input: Uint8Array): Summary {
  return inspectBytes(input, { kind: "qemu-stream", description: findDescription(input) }).summary;
}

function asPipe(input: Uint8Array): Summary {
  return inspectBytes(input, { kind: "qemu-stream" }).summary;
}

function fact(summary: Summary, key: string): unknown {
  return summary.facts.find((one) => one.key === key)?.value;
}

/** The value of a field by its path, e.g. `timer` and `cpu_ticks_offset`. */
function fieldValue(records: readonly CaptureRecord[], section: string, field: string): unknown {
  return records.find(({ name }) => name === section)?.fields?.find(({ name }) => name === field)?.value;
}

describe("real QEMU streams", () => {
  // Machine, sections and sizes of memory as QEMU's command line of each capture has them (test/captures/README.md).
  it.each([
    ["x86-q35-net-blk", "pc-q35-10.0", 35, 33554432],
    ["aarch64-virt-mmio", "virt-10.0", 20, 67108864],
    ["s390x-ccw", "s390-ccw-virtio-10.0", 20, 67108864],
    ["x86-q35-return-path", "pc-q35-10.0", 34, 33554432],
    ["x86-q35-multifd-main", "pc-q35-10.0", 34, 33554432],
  ])("%s is clean, from a file and from a pipe", (name, machine, sections, memory) => {
    const input = capture(name);
    for (const summary of [asFile(input), asPipe(input)]) {
      expect(summary.faults).toEqual([]);
      expect(summary.verdict).toMatch(/^clean/);
      expect(fact(summary, "machine")).toBe(machine);
      expect(fact(summary, "page_size")).toBe(4096);
      expect(fact(summary, "sections")).toBe(sections);
      expect(summary.tables.find(({ key }) => key === "ram")?.rows[0]?.[0]?.value).toBe(memory);
    }
  });

  it("shows the same fields from a file and from a pipe", () => {
    const input = capture("s390x-ccw");
    const ordered = (records: readonly CaptureRecord[]): CaptureRecord[] =>
      [...records].sort((a, b) => a.at - b.at);
    const file = inspectBytes(input, { withFields: true, description: findDescription(input) });
    const pipe = inspectBytes(input, { withFields: true, cuts: [1000, 300_000] });
    expect(ordered(pipe.records)).toEqual(ordered(file.records));
    // From analyze-migration.py: "cpu_ticks_offset": "0x00000003adc1bce0".
    expect(fieldValue(file.records, "timer", "cpu_ticks_offset")).toBe(0x3adc1bce0n);
  });

  it("says that the pages of a multifd migration are elsewhere", () => {
    expect(asFile(capture("x86-q35-multifd-main")).notes).toEqual([
      expect.stringContaining("multifd channels"),
    ]);
  });

  it("is damaged wherever it is cut", () => {
    const input = capture("aarch64-virt-mmio");
    const step = Math.ceil(input.length / 60);
    for (let length = 9; length < input.length; length += step) {
      for (const { faults, verdict } of [
        asPipe(input.subarray(0, length)),
        asFile(input.subarray(0, length)),
      ]) {
        expect(verdict).toMatch(/^damaged/);
        expect(Math.max(...faults.map(({ offset }) => offset))).toBeLessThanOrEqual(length);
      }
    }
  });

  it("keeps every other section when a byte is lost or added anywhere", () => {
    const input = capture("aarch64-virt-mmio");
    const devices = (part: Uint8Array, file: boolean): number => {
      const options = {
        kind: "qemu-stream" as const,
        ...(file ? { description: findDescription(part) } : {}),
      };
      const { records, summary } = inspectBytes(part, options);
      expect(summary.verdict).toMatch(/^damaged/);
      return records.filter(
        ({ record, attributes }) => record === "section" && attributes["phase"] === "full",
      ).length;
    };
    let seed = 7;
    for (let i = 0; i < 40; i++) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      // Half of the places lie among the devices, which are the last 30 KB.
      const at = i % 2 === 0 ? 8 + (seed % (input.length - 9)) : input.length - 1 - (seed % 30_000);
      const changed =
        i % 4 < 2
          ? bytes(input.subarray(0, at), input.subarray(at + 1))
          : bytes(input.subarray(0, at), [seed & 0xff], input.subarray(at));
      expect([at, devices(changed, i % 3 === 0)]).toEqual([at, 19]);
    }
  }, 60_000);
});

describe("damage to the structure of a stream", () => {
  const stream = precopy();

  it("never gets a clean verdict: any byte lost, doubled, or, outside of pages and bodies, changed", () => {
    const spans = inspectBytes(stream, { kind: "qemu-stream" }).records;
    const inside = (at: number): boolean =>
      spans.some(({ record, attributes, at: from, size }) => {
        if (record === "section") {
          const body = Number(attributes["body_offset"]);
          return at >= body && at < body + Number(attributes["body_size"]);
        }
        // The text of the machine's name, of the description, and the value of a PING are values, not structure.
        return at >= from + 5 && at < from + size;
      });
    for (let at = 0; at < stream.length; at += at > 200 && at < 12_480 ? 61 : 1) {
      const damaged = [
        bytes(stream.subarray(0, at), stream.subarray(at + 1)),
        bytes(stream.subarray(0, at), stream.subarray(at, at + 1), stream.subarray(at)),
      ];
      if (!inside(at))
        damaged.push(bytes(stream.subarray(0, at), [(stream[at] ?? 0) ^ 0x40], stream.subarray(at + 1)));
      for (const input of damaged) {
        for (const summary of [asPipe(input), asFile(input)])
          expect([at, summary.verdict.slice(0, 7)]).toEqual([at, "damaged"]);
      }
    }
  }, 60_000);

  it("is found where description and sections do not agree", () => {
    const ram = [
      start(2, "ram", [...memSize([{ name: "pc.ram", size: PAGE }]), ...RAM_EOS], 4),
      end(2, RAM_EOS),
    ];
    const build = (version: number, ...devices: object[]): Summary =>
      asPipe(
        bytes(
          FILE_HEADER,
          configuration("pc"),
          ...ram,
          full(0, "timer", TIMER_BODY, version),
          EOF,
          described(devices),
        ),
      );
    expect(build(1, TIMER).faults).toEqual([]);
    expect(build(2, TIMER).faults).toMatchObject([
      { code: "constraint", path: 'sections["timer"].version_id' },
    ]);
    expect(build(1).faults).toMatchObject([{ code: "missing", path: 'sections["timer"]' }]);
    expect(build(1, TIMER, { ...TIMER, name: "rtc" }).faults).toMatchObject([
      { code: "missing", path: "description", detail: expect.stringContaining("a device rtc") },
    ]);
    const shorter = { ...TIMER, fields: TIMER.fields.slice(0, 1) };
    expect(build(1, shorter).faults).toMatchObject([{ code: "trailing", path: 'sections["timer"]' }]);
    const longer = { ...TIMER, fields: [...TIMER.fields, { name: "more", type: "uint8", size: 1 }] };
    expect(build(1, longer).faults).toMatchObject([
      { code: "overrun", path: 'sections["timer"]', detail: "in more" },
    ]);
  });

  it("gives the same report for every way of cutting it", () => {
    const damaged = bytes(stream.subarray(0, 8400), stream.subarray(8401));
    const whole = inspectBytes(damaged, { kind: "qemu-stream", withFields: true });
    fc.assert(
      fc.property(anyCuts(damaged.length), (cuts) => {
        expect(inspectBytes(damaged, { kind: "qemu-stream", withFields: true, cuts })).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });
});
