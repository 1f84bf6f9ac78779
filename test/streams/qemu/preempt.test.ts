import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectKind, printPath } from "../../../src/inspect/index.js";
import { type PreemptEvent, PreemptParser } from "../../../src/streams/qemu/preempt.js";
import { inspectBytes } from "../../inspect/inspect-bytes.js";
import { anyCuts, evenCuts, feed } from "../splits.js";
import { bytes } from "../wire-bytes.js";
import { PAGE, page, RAM_EOS, zeroPage } from "./stream-bytes.js";

function read(input: Uint8Array, cuts: readonly number[] = []): PreemptEvent[] {
  const events: PreemptEvent[] = [];
  feed(new PreemptParser((event) => events.push(event)), input, cuts);
  return events;
}

const PAGES = bytes(page(0x7000, "pc.ram", 1), page(0x9000, undefined, 2), zeroPage(0, "rom"));

describe("the channel of postcopy-preempt", () => {
  it("is told by its first page, and read to the last", () => {
    expect(detectKind(PAGES.subarray(0, 4096))).toEqual({ kind: "qemu-preempt" });
    expect(read(PAGES)).toEqual([
      { kind: "page", block: "pc.ram", offset: 0x7000, at: 15 },
      { kind: "page", block: "pc.ram", offset: 0x9000, at: 15 + PAGE + 8 },
      { kind: "page", block: "rom", offset: 0, at: undefined },
    ]);
  });

  // QEMU 10.0 ends the channel without EOS, 7.2 with it.
  it.each([
    ["a single page", bytes(page(0x7000, "pc.ram", 1)), 1],
    ["a single page and EOS", bytes(page(0x7000, "pc.ram", 1), RAM_EOS), 1],
    ["pages and EOS", bytes(PAGES, RAM_EOS), 3],
  ])("may end behind %s", (_, input, pages) => {
    const events = read(input);
    expect(events.map(({ kind }) => kind)).toEqual(new Array(pages).fill("page"));
    expect(inspectBytes(input).summary).toMatchObject({ kind: "qemu-preempt", faultCount: 0 });
  });

  it("says the same however the input is cut", () => {
    for (const input of [PAGES, bytes(PAGES, [1, 2, 3, 4, 5, 6, 7, 8, 9])]) {
      const whole = read(input);
      expect(read(input, evenCuts(input.length, 1))).toEqual(whole);
      fc.assert(
        fc.property(anyCuts(input.length), (cuts) => {
          expect(read(input, cuts)).toEqual(whole);
        }),
        { numRuns: 20 },
      );
    }
  });

  it("has a place for every fault, in the paths that the verbs take", () => {
    const second = 15 + PAGE;
    const damaged = PAGES.slice();
    damaged[second + 8 + PAGE + 7] = 0x55;
    const places: readonly (readonly [Uint8Array, RegExp])[] = [
      // Inside a page, inside the head of a record, and a record that makes no sense.
      [PAGES.subarray(0, second + 100), /pages\[1\]: truncated: .*in page data/],
      [PAGES.subarray(0, second + 5), /gaps\[0\]: truncated: .*in record/],
      [damaged, /gaps\[0\]: in record: no record has the flags/],
    ];
    for (const [input, place] of places) {
      const { records, summary } = inspectBytes(input, { kind: "qemu-preempt" });
      expect(summary.verdict).toMatch(place);
      const [fault] = summary.faults;
      expect(records.map(({ path }) => printPath(path))).toContain(fault?.path);
    }
  });

  it("breaks off with its connection, when that is known", () => {
    const { summary } = inspectBytes(PAGES.subarray(0, 15 + PAGE + 100), { breaksOff: true });
    expect([summary.faultCount, summary.notes]).toEqual([
      0,
      [expect.stringContaining("the connection broke")],
    ]);
  });

  it("gives a fault wherever it is cut inside a record", () => {
    const ends = [0, 15 + PAGE, 15 + PAGE + 8 + PAGE];
    for (let size = 1; size < PAGES.length; size += 53) {
      const faults = read(PAGES.subarray(0, size)).filter(({ kind }) => kind === "fault");
      if (!ends.includes(size)) expect(faults, `cut at ${size}`).toHaveLength(1);
    }
  });
});
