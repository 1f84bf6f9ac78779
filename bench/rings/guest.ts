/**
 * Rings laid out once, by hand and from the specification's listings, whose buffers are made available again by moving an
 * index or by writing descriptors: a driver that costs next to nothing, so that what is measured is the device.
 * @source virtio 1.4, split-ring.tex, packed-ring.tex
 */
import type { GuestMemory } from "../../src/device/memory/guest-memory.js";
import type { QueuePlace } from "../../src/device/rings/queue.js";

/** Buffers of a ring, each of one descriptor. */
export const RING_SIZE = 256;
/** Between buffers. */
const STRIDE = 2048;
const DRIVER_AREA = 0x1000;
const DEVICE_AREA = 0x2000;
const WRITE = 2;

export interface Buffers {
  /** Where the first one lies. */
  readonly start: number;
  readonly length: number;
  /** For the device to write. */
  readonly writable: boolean;
}

export interface GuestRing {
  readonly place: QueuePlace;
  /** Makes every buffer available; the device must have given all back. */
  offer(): void;
}

export function bufferAddress({ start }: Buffers, index: number): number {
  return start + index * STRIDE;
}

function placeAt(base: number): QueuePlace {
  return {
    size: RING_SIZE,
    descriptorArea: base,
    driverArea: base + DRIVER_AREA,
    deviceArea: base + DEVICE_AREA,
  };
}

export function splitRing(memory: GuestMemory, base: number, buffers: Buffers): GuestRing {
  const { view, guestAddress } = memory.regionOf(base, DEVICE_AREA);
  const at = base - guestAddress;
  for (let i = 0; i < RING_SIZE; i++) {
    view.setBigUint64(at + i * 16, BigInt(bufferAddress(buffers, i)), true);
    view.setUint32(at + i * 16 + 8, buffers.length, true);
    view.setUint16(at + i * 16 + 12, buffers.writable ? WRITE : 0, true);
    view.setUint16(at + DRIVER_AREA + 4 + i * 2, i, true);
  }
  let index = 0;
  return {
    place: placeAt(base),
    offer: () => {
      index = (index + RING_SIZE) & 0xffff;
      view.setUint16(at + DRIVER_AREA + 2, index, true);
    },
  };
}

export function packedRing(memory: GuestMemory, base: number, buffers: Buffers): GuestRing {
  const { view, guestAddress } = memory.regionOf(base, DEVICE_AREA);
  const at = base - guestAddress;
  for (let i = 0; i < RING_SIZE; i++) {
    view.setBigUint64(at + i * 16, BigInt(bufferAddress(buffers, i)), true);
  }
  let wrap = true;
  return {
    place: placeAt(base),
    offer: () => {
      const flags = (buffers.writable ? WRITE : 0) | (wrap ? 0x80 : 0x8000);
      for (let i = 0; i < RING_SIZE; i++) {
        view.setUint32(at + i * 16 + 8, buffers.length, true);
        view.setUint16(at + i * 16 + 12, i, true);
        view.setUint16(at + i * 16 + 14, flags, true);
      }
      wrap = !wrap;
    },
  };
}
