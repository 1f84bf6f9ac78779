import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../src/device/memory/guest-memory.js";
import { SplitDeviceQueue } from "../../../src/device/rings/split-device.js";
import { SplitDriverQueue } from "../../../src/device/rings/split-driver.js";
import { seed } from "../../properties/drawn.js";

const PLACE = { size: 16, descriptorArea: 0x1000, driverArea: 0x2000, deviceArea: 0x3000 };
/** Two regions that follow each other, so that a buffer may lie in both. */
const BORDER = 0x8000;

function chainOf(readable: readonly number[], writable: readonly number[]) {
  const memory = new GuestMemory([
    { guestAddress: 0, bytes: new Uint8Array(BORDER) },
    { guestAddress: BORDER, bytes: new Uint8Array(BORDER) },
  ]);
  const driver = new SplitDriverQueue(memory, PLACE);
  // They lie one behind the other, and the border in their middle.
  const total = [...readable, ...writable].reduce((sum, length) => sum + length, 0);
  let next = BORDER - (total >> 1);
  const part = (length: number) => {
    const address = next;
    next += length;
    return { address, length };
  };
  const buffer = { readable: readable.map(part), writable: writable.map(part) };
  driver.add(buffer);
  const chain = new SplitDeviceQueue(memory, PLACE).take();
  if (chain === undefined) throw new Error("nothing is available");
  const start = BORDER - (total >> 1);
  const readableLength = readable.reduce((sum, length) => sum + length, 0);
  memory.write(
    start,
    Uint8Array.from({ length: readableLength }, (_, i) => i + 1),
  );
  const written: number[] = [];
  memory.observe({
    wrote: (address, length) => {
      for (let i = 0; i < length; i++) written.push(address + i - start - readableLength);
    },
  });
  return { memory, chain, written, start, readableLength };
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

describe("a chain", () => {
  it("is read, and lent to read, from any place on", () => {
    fc.assert(
      fc.property(lengths, fc.nat(260), (readable, start) => {
        const { chain, readableLength } = chainOf(readable, []);
        const expected = Array.from({ length: readableLength }, (_, i) => i + 1).slice(start);
        const bytes = expected.map((value) => value & 0xff);
        expect([...chain.read(start)]).toEqual(bytes);
        expect(chain.lend(start).flatMap((piece) => [...piece])).toEqual(bytes);
      }),
      { seed },
    );
  });

  it("is written, and lent to write, piece by piece, and every byte is told of once", () => {
    const step = fc.record({ inPlace: fc.boolean(), length: fc.nat(50) });
    fc.assert(
      fc.property(lengths, lengths, fc.array(step), (readable, writable, steps) => {
        const { memory, chain, written, start, readableLength } = chainOf(readable, writable);
        const model: number[] = [];
        for (const [i, { inPlace, length }] of steps.entries()) {
          const size = Math.min(length, chain.room);
          if (inPlace) {
            const pieces = chain.lendRoom(length);
            expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(size);
            for (const piece of pieces) piece.fill(i + 1);
            chain.wroteInPlace(length);
          } else expect(chain.write(new Uint8Array(length).fill(i + 1))).toBe(size);
          for (let k = 0; k < size; k++) model.push(i + 1);
        }
        expect(chain.written).toBe(model.length);
        expect([...memory.read(start + readableLength, model.length)]).toEqual(model);
        expect(written).toEqual(model.map((_, i) => i));
        const rest = [...memory.read(start + readableLength + model.length, chain.room)];
        expect(rest.every((byte) => byte === 0)).toBe(true);
      }),
      { seed },
    );
  });
});
