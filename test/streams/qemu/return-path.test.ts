import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReturnPathEvent, ReturnPathParser } from "../../../src/streams/index.js";
import { anyCuts, evenCuts, feed } from "../splits.js";
import { be, bytes } from "../wire-bytes.js";
import { pong, receivedBitmap, recovery, requestPages, resumeAck, shut } from "./return-path-bytes.js";

/** Events without the bytes that were lent. */
function read(input: Uint8Array, cuts: readonly number[] = []): ReturnPathEvent[] {
  const events: ReturnPathEvent[] = [];
  const parser = new ReturnPathParser((event) => {
    events.push(event.kind === "message" ? { ...event, bytes: event.bytes.slice() } : event);
  });
  feed(parser, input, cuts);
  return events;
}

const faultsOf = (events: readonly ReturnPathEvent[]) =>
  events.flatMap((event) => (event.kind === "fault" ? [event.fault] : []));

describe("the return path", () => {
  it("reads what a destination sent in a postcopy migration", () => {
    const capture = readFileSync(new URL("../../captures/x86-q35-postcopy.return.bin", import.meta.url));
    const events = read(new Uint8Array(capture));
    expect(faultsOf(events)).toEqual([]);
    const requests = events.flatMap((event) =>
      event.kind === "message" && event.request !== undefined ? [event.request] : [],
    );
    expect(requests).toHaveLength(16);
    expect(requests[0]).toEqual({ block: "pc.ram", start: 0x287f000, length: 4096 });
    // A request without a name is for the block named last.
    expect(requests.at(-1)).toEqual({ block: "pc.ram", start: 0x6200000, length: 4096 });
  });

  it("counts the bitmaps of a recovery, which no length of a message covers", () => {
    const events = read(recovery());
    expect(faultsOf(events)).toEqual([]);
    expect(events.filter(({ kind }) => kind === "bitmap")).toMatchObject([
      { index: 4, block: "pc.ram", bitmapSize: 8, received: 10, size: 24 },
      { index: 5, block: "pc.bios", bitmapSize: 16, received: 32, size: 32 },
    ]);
    expect(events.at(-2)).toMatchObject({ kind: "message", request: { block: "pc.ram", start: 0 } });
  });

  it("says the same however the input is cut", () => {
    const input = recovery();
    const whole = read(input);
    expect(read(input, evenCuts(input.length, 1))).toEqual(whole);
    fc.assert(
      fc.property(anyCuts(input.length), (cuts) => {
        expect(read(input, cuts)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it("says the same of damage however the input is cut", () => {
    for (let at = 0; at < recovery().length; at++) {
      const input = recovery();
      input[at] = (input[at] ?? 0) ^ 0xff;
      expect(read(input, evenCuts(input.length, 1)), `byte ${at}`).toEqual(read(input));
    }
  });

  it("gives every prefix a fault, because SHUT is missing", () => {
    const input = recovery();
    for (let size = 0; size < input.length; size++) {
      expect(faultsOf(read(input.subarray(0, size))), `cut at ${size}`).toMatchObject([
        { code: "truncated" },
      ]);
    }
  });

  it.each([
    ["a request before any block is named", bytes(requestPages(0, 4096), shut(0)), "constraint", 0],
    ["a request inside a page", bytes(requestPages(8, 4096, "pc.ram"), shut(0)), "constraint", 4],
    ["a wrong acknowledgement", bytes(resumeAck(2), shut(0)), "constraint", 4],
    ["a message behind the last", bytes(shut(0), pong(1)), "trailing", 8],
    ["a wrong end of a bitmap", bytes(receivedBitmap("a", [], 1n), shut(0)), "constant", 14],
    ["a message of no type", bytes(pong(1), be(2, 9), be(2, 0), shut(0)), "constraint", 8],
  ])("finds %s", (_, input, code, offset) => {
    expect(faultsOf(read(input))[0]).toMatchObject({ code, offset });
  });

  it("goes on behind damage where messages follow one another again", () => {
    const events = read(bytes(pong(1), [0, 3, 0xff, 0xff, 1, 2, 3], pong(2), pong(3), shut(0)));
    expect(faultsOf(events)).toMatchObject([{ code: "constraint", offset: 10 }]);
    expect(events).toContainEqual({ kind: "gap", at: 8, size: 7 });
    expect(events.filter(({ kind }) => kind === "message")).toHaveLength(4);
  });

  it("refuses lengths that nobody means at once", () => {
    const parser = (input: Uint8Array): ReturnPathEvent[] => {
      const events: ReturnPathEvent[] = [];
      new ReturnPathParser((event) => events.push(event)).push(input);
      return events;
    };
    expect(faultsOf(parser(bytes(be(2, 2), be(2, 0xffff), [0])))).toHaveLength(1);
    const bitmap = bytes(be(2, 5), be(2, 2), [1, 0x61], be(8, 2n ** 40n), [0]);
    expect(faultsOf(parser(bitmap))).toMatchObject([{ code: "constraint", offset: 6 }]);
  });

  it("keeps nothing of a bitmap, however long it is", () => {
    const events: ReturnPathEvent[] = [];
    const parser = new ReturnPathParser((event) => events.push(event));
    const size = 64 << 20;
    parser.push(bytes(be(2, 5), be(2, 2), [1, 0x61], be(8, size)));
    const chunk = new Uint8Array(1 << 16).fill(0x0f);
    const before = process.memoryUsage().arrayBuffers;
    for (let sent = 0; sent < size; sent += chunk.length) parser.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    parser.push(bytes(be(8, 0x0123456789abcdefn), shut(0)));
    parser.end();
    expect(events).toContainEqual(expect.objectContaining({ kind: "bitmap", received: size * 4 }));
    expect(faultsOf(events)).toEqual([]);
  });
});
