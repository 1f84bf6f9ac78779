import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MigrationDestination } from "../../../src/streams/index.js";
import { pong, requestPages, shut, switchoverAck } from "../qemu/return-path-bytes.js";
import { PAGE, page, precopy, RAM_EOS, ramWord } from "../qemu/stream-bytes.js";
import { evenCuts } from "../splits.js";
import { be, bytes } from "../wire-bytes.js";
import { AFTER, advise, BEFORE, discard, LISTEN, packaged, RUN } from "./postcopy-bytes.js";

function destination(switchoverAck = false): { to: MigrationDestination; said: () => number[] } {
  const said: number[] = [];
  const to = new MigrationDestination({ reply: (message) => said.push(...message), switchoverAck });
  return { to, said: () => said };
}

function capture(name: string): Uint8Array {
  return readFileSync(new URL(`../../captures/${name}`, import.meta.url));
}

describe("the destination of a migration", () => {
  it("answers a real source as a real QEMU did", () => {
    const stream = capture("x86-q35-return-path.bin");
    const { to, said } = destination();
    for (const cut of evenCuts(stream.length, 65_536)) to.push(stream.subarray(cut - 65_536, cut));
    to.push(stream.subarray(Math.floor((stream.length - 1) / 65_536) * 65_536));
    expect(to.over).toBe(true);
    expect(to.finish()).toBe(true);
    expect(Uint8Array.from(said())).toEqual(Uint8Array.from(capture("x86-q35-return-path.return.bin")));
    expect([to.status.state, to.postcopy.state, to.faults]).toEqual(["completed", "NONE", []]);
  });

  it("says nothing where the source does not listen", () => {
    const { to, said } = destination(true);
    to.push(capture("x86-q35-net-blk.bin"));
    expect(to.finish()).toBe(true);
    expect(said()).toEqual([]);
  });

  it("lets the source switch over, when told that it waits for that", () => {
    const { to, said } = destination(true);
    to.push(precopy());
    expect(to.over).toBe(true);
    to.finish();
    expect(said()).toEqual([...switchoverAck(), ...pong(1), ...shut(0)]);
  });

  it("asks in postcopy for what is missing, and knows the end by EOF", () => {
    const whole = bytes(...BEFORE, ...AFTER);
    for (const step of [1, 7, 100, whole.length]) {
      const { to, said } = destination();
      let from = 0;
      for (const cut of [...evenCuts(whole.length, step), whole.length]) {
        expect(to.over, `${step} ${from}`).toBe(false);
        to.push(whole.subarray(from, cut));
        from = cut;
      }
      expect(to.over).toBe(true);
      expect(to.postcopy.state).toBe("RUNNING");
      expect(to.share).toBe(1);
      expect(to.finish()).toBe(true);
      expect([to.postcopy.state, to.status.state, to.faults]).toEqual(["END", "completed", []]);
      // Page 2 was discarded; 4 and 5 had not been sent.
      const requests = [
        requestPages(5 * PAGE, PAGE, "pc.ram"),
        requestPages(4 * PAGE, PAGE),
        requestPages(2 * PAGE, PAGE),
      ];
      expect(said()).toEqual([pong(1), pong(2), pong(3), ...requests, pong(4), shut(0)].flat());
    }
  });

  it("asks for whole pages of the host", () => {
    const { to, said } = destination();
    const [, , , , , ...rest] = BEFORE;
    to.push(bytes(...BEFORE.slice(0, 4), advise(2 * PAGE), ...rest, ...AFTER));
    to.finish();
    expect(said()).toEqual(
      [
        ...[pong(1), pong(2), pong(3)],
        requestPages(4 * PAGE, 2 * PAGE, "pc.ram"),
        requestPages(2 * PAGE, 2 * PAGE),
        ...[pong(4), shut(0)],
      ].flat(),
    );
  });

  it("asks for a few pages at a time, and for the next when one has come", () => {
    const { to, said } = destination();
    const blocks = ramWord(100 * PAGE, 0x04);
    const entry = [6, ...[..."pc.ram"].map((c) => c.charCodeAt(0)), ...be(8, 100 * PAGE)];
    const started = [
      1,
      ...be(4, 0),
      3,
      0x72,
      0x61,
      0x6d,
      ...be(4, 0),
      ...be(4, 4),
      ...blocks,
      ...entry,
      ...RAM_EOS,
    ];
    const opening = [...BEFORE.slice(0, 5), [...started, 0x7e, ...be(4, 0)]];
    to.push(bytes(...opening, packaged(LISTEN, RUN)));
    const eight = said().length;
    expect(eight).toBe(
      pong(1).length + requestPages(0, PAGE, "pc.ram").length + 7 * requestPages(0, PAGE).length,
    );
    to.push(bytes([2, ...be(4, 0)], page(97 * PAGE, "pc.ram", 1)));
    expect(said().slice(eight)).toEqual(requestPages(91 * PAGE, PAGE));
    to.push(bytes(page(50 * PAGE, undefined, 1)));
    expect(said().length).toBe(eight + requestPages(0, PAGE).length);
  });

  it("takes pages from the channel of postcopy-preempt", () => {
    const { to } = destination();
    to.push(bytes(...BEFORE));
    expect(to.share).toBe(0.5);
    to.pushPreempt(bytes(page(5 * PAGE, "pc.ram", 5).slice(0, 100)));
    to.pushPreempt(bytes(page(5 * PAGE, "pc.ram", 5).slice(100), page(2 * PAGE, undefined, 9), RAM_EOS));
    expect(to.share).toBe(5 / 6);
    expect(to.faults).toEqual([]);
  });

  it("names what is wrong on that channel once", () => {
    const { to } = destination();
    to.push(bytes(...BEFORE));
    to.pushPreempt(bytes(page(0, "vga.vram", 5)));
    to.pushPreempt(bytes(page(0, "vga.vram", 5)));
    expect(to.faults.map(({ detail }) => detail)).toEqual(['no block is called "vga.vram"']);
  });

  const wrongOrders: readonly [string, readonly (readonly number[])[], string][] = [
    ["RUN without LISTEN", [...BEFORE.slice(0, 8), packaged(RUN)], "RUN in the postcopy state DISCARD"],
    ["LISTEN without ADVISE", [...BEFORE.slice(0, 4), LISTEN], "LISTEN in the postcopy state NONE"],
    ["a second ADVISE", [...BEFORE.slice(0, 5), advise()], "ADVISE in the postcopy state ADVISE"],
    [
      "DISCARD after RUN",
      [...BEFORE, discard("pc.ram", [0, PAGE]), ...AFTER],
      "DISCARD in the postcopy state RUNNING",
    ],
  ];
  for (const [name, records, detail] of wrongOrders) {
    it(`reports ${name} to the source`, () => {
      const { to, said } = destination();
      to.push(bytes(...records));
      expect(to.faults.map((fault) => fault.detail)).toContain(detail);
      expect(to.mayBeOver).toBe(true);
      expect(to.finish()).toBe(false);
      expect(to.status.state).toBe("failed");
      expect(said().slice(-8)).toEqual(shut(1));
    });
  }

  it("tells the source to keep its guest when the stream is cut off, or when this side cannot go on", () => {
    const cut = destination();
    cut.to.push(bytes(...BEFORE.slice(0, 7)));
    expect(cut.to.over).toBe(false);
    expect(cut.to.finish()).toBe(false);
    expect(cut.said().slice(-8)).toEqual(shut(1));
    const lost = destination();
    lost.to.push(precopy());
    expect(lost.to.finish(true)).toBe(false);
    expect(lost.to.finish()).toBe(false);
    expect(lost.said()).toEqual([...pong(1), ...shut(1)]);
  });

  it("may be over at EOF where the description is suppressed", () => {
    const stream = capture("x86-q35-return-path.bin");
    // EOF, type, length of the text, text.
    const description = Buffer.from(stream).lastIndexOf('{"configuration"');
    const { to } = destination();
    to.push(stream.subarray(0, description - 5));
    expect([to.over, to.mayBeOver]).toEqual([false, true]);
    expect(to.finish()).toBe(true);
    const before = destination();
    before.to.push(stream.subarray(0, description - 6));
    expect([before.to.over, before.to.mayBeOver]).toEqual([false, false]);
  });

  it("asks for nothing of a guest that is larger than it will keep track of", () => {
    const { to, said } = destination();
    const [, , , , , , , ...rest] = BEFORE;
    const size = 2 ** 50;
    const entry = [6, ...[..."pc.ram"].map((c) => c.charCodeAt(0)), ...be(8, size)];
    const blocks = [...be(8, BigInt(size) | 4n), ...entry, ...RAM_EOS];
    const started = [
      1,
      ...be(4, 0),
      3,
      0x72,
      0x61,
      0x6d,
      ...be(4, 0),
      ...be(4, 4),
      ...blocks,
      0x7e,
      ...be(4, 0),
    ];
    to.push(bytes(...BEFORE.slice(0, 5), started, ...rest, ...AFTER));
    to.finish();
    expect(to.faults).toEqual([]);
    expect(said()).toEqual([pong(1), pong(2), pong(3), pong(4), shut(0)].flat());
  });
});
