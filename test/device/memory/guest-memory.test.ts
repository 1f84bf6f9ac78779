import { describe, expect, it } from "vitest";
import { GuestAddressError, GuestMemory, guestAddress } from "../../../src/device/memory/guest-memory.js";

const low = new Uint8Array(0x100);
const high = new Uint8Array(0x100);
const above = 2 ** 32;

function memory(): GuestMemory {
  low.fill(0);
  high.fill(0);
  return new GuestMemory([
    { guestAddress: above, bytes: new Uint8Array(0x100) },
    { guestAddress: 0x1100, bytes: high },
    { guestAddress: 0x1000, bytes: low },
  ]);
}

describe("guest memory", () => {
  it("reads and writes across regions that follow each other", () => {
    const guest = memory();
    guest.write(0x10fe, Uint8Array.of(1, 2, 3, 4));
    expect([...low.subarray(0xfe), ...high.subarray(0, 3)]).toEqual([1, 2, 3, 4, 0]);
    expect([...guest.read(0x10fd, 6)]).toEqual([0, 1, 2, 3, 4, 0]);
    expect(guest.segments(0x10fe, 4).map(({ address, length }) => [address, length])).toEqual([
      [0x10fe, 2],
      [0x1100, 2],
    ]);
  });

  it("reaches above 4 GiB", () => {
    const guest = memory();
    guest.write(above + 0xff, Uint8Array.of(7));
    expect([...guest.read(above + 0xfe, 2)]).toEqual([0, 7]);
  });

  it.each([
    ["before the first region", 0xfff, 1],
    ["behind the last byte of a region", 0x1200, 1],
    ["over the end", 0x11ff, 2],
    ["into a hole", 0x1000, 0x201],
    ["at a length that wraps", 0x1000, Number.MAX_SAFE_INTEGER],
    ["at no address", Number.NaN, 1],
    ["below zero", -1, 1],
  ])("refuses an access %s, and writes nothing of it", (_, address, length) => {
    const guest = memory();
    expect(() => guest.segments(address, length)).toThrow(GuestAddressError);
    if (length <= 0x201) {
      expect(() => guest.write(address, new Uint8Array(length).fill(1))).toThrow(GuestAddressError);
      expect([...low, ...high].every((byte) => byte === 0)).toBe(true);
    }
  });

  it("gives areas in one region only", () => {
    const guest = memory();
    expect(guest.area(0x1000, 0x100).length).toBe(0x100);
    expect(() => guest.area(0x10ff, 2)).toThrow(GuestAddressError);
  });

  it("refuses regions that overlap", () => {
    const region = (guestAddress: number) => ({ guestAddress, bytes: new Uint8Array(0x10) });
    expect(() => new GuestMemory([region(0), region(0xf)])).toThrow(/overlaps/);
    expect(() => new GuestMemory([region(Number.MAX_SAFE_INTEGER)])).toThrow(RangeError);
  });

  it("tells observers of writes until they have had enough", () => {
    const guest = memory();
    const seen: [number, number][] = [];
    const observer = {
      wrote: (address: number, length: number): void => {
        seen.push([address, length]);
      },
    };
    guest.observe(observer);
    guest.write(0x10fe, new Uint8Array(4));
    guest.unobserve(observer);
    guest.write(0x1000, new Uint8Array(4));
    expect(seen).toEqual([
      [0x10fe, 2],
      [0x1100, 2],
    ]);
  });

  it("refuses 64-bit addresses that no number holds", () => {
    expect(guestAddress(0x1234n)).toBe(0x1234);
    expect(() => guestAddress(0xffff_ffff_ffff_fff0n)).toThrow(GuestAddressError);
  });
});
