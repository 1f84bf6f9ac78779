import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { DirtyLog, dirtyLogSize } from "../../../src/streams/index.js";

const MIB = 1n << 20n;

describe("the dirty log", () => {
  it.each([
    // QEMU's log of a guest with 32 MiB, and of the captured session's guest with 160 MiB.
    [[{ guestPhysAddr: 0n, memorySize: 32n * MIB }], 0x400n],
    [[{ guestPhysAddr: 0n, memorySize: 160n * MIB }], 0x1400n],
    // From address 0 to the end of the last region, whatever lies between.
    [
      [
        { guestPhysAddr: 4096n * MIB, memorySize: MIB },
        { guestPhysAddr: 0n, memorySize: 16n * MIB },
      ],
      0x20020n,
    ],
    // Part of a page, and part of eight pages, take a byte.
    [[{ guestPhysAddr: 0n, memorySize: 1n }], 1n],
    [[{ guestPhysAddr: 0x8000n, memorySize: 1n }], 2n],
    [[], 0n],
  ])("of %o takes as many bytes as it must", (ranges, size) => {
    expect(dirtyLogSize(ranges)).toBe(size);
  });

  it("sets the bit of the document's formula", () => {
    const log = new DirtyLog(new Uint8Array(new SharedArrayBuffer(16)));
    for (const address of [0n, 0x1000n, 0x9fffn, 0x7f123n]) {
      log.mark(address);
      // page = addr / 0x1000; log[page / 8] |= 1 << page % 8
      const page = Number(address >> 12n);
      expect(log.bitmap[page >> 3] ?? 0).toSatisfy((byte: number) => ((byte >> (page & 7)) & 1) === 1);
      expect(log.isDirty(address)).toBe(true);
    }
    expect([...log.pages()]).toEqual([0, 1, 9, 127]);
    expect(log.isDirty(0x2000n)).toBe(false);
  });

  it("marks every page that a write touches", () => {
    const log = new DirtyLog(new Uint8Array(2));
    log.mark(0x1fffn, 2);
    log.mark(0x5000n, 0x2000);
    log.mark(0x9000n, 0);
    expect([...log.pages()]).toEqual([1, 2, 5, 6]);
  });

  it("refuses what lies outside, and changes nothing", () => {
    const log = new DirtyLog(new Uint8Array(1));
    expect(() => log.mark(0x7fffn, 2)).toThrow(RangeError);
    expect(() => log.mark(-1n)).toThrow(RangeError);
    expect([...log.pages()]).toEqual([]);
    expect(log.isDirty(1n << 60n)).toBe(false);
  });

  it("hands dirty pages out once", () => {
    const log = new DirtyLog(new Uint8Array(4));
    log.mark(0x3000n);
    log.mark(0x1f000n);
    expect([...log.take()]).toEqual([3, 31]);
    expect([...log.take()]).toEqual([]);
  });

  it("loses no bit that another thread sets in the same byte", async () => {
    const ROUNDS = 20_000;
    const shared = new SharedArrayBuffer(8);
    const other = new Worker(
      `const { shared, rounds } = require("node:worker_threads").workerData;
       const bytes = new Uint8Array(shared);
       const isOver = () => Atomics.load(bytes, 4) === 1;
       for (let i = 0; i < rounds && !isOver(); i++) {
         Atomics.or(bytes, 0, 1);
         while ((Atomics.load(bytes, 0) & 1) !== 0 && !isOver());
       }`,
      { eval: true, workerData: { shared, rounds: ROUNDS } },
    );
    const ended = new Promise((resolve) => other.on("exit", resolve));
    const log = new DirtyLog(new Uint8Array(shared, 0, 4));
    const flags = new Uint8Array(shared);
    let taken = 0;
    const deadline = Date.now() + 20_000;
    while (taken < ROUNDS && Date.now() < deadline) {
      // Page 1 shares its byte with page 0, which the other thread marks and waits for.
      log.mark(0x1000n);
      for (const page of log.take()) if (page === 0) taken++;
    }
    Atomics.store(flags, 4, 1);
    await ended;
    expect(taken).toBe(ROUNDS);
  }, 30_000);
});
