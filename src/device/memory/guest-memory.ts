/**
 * The memory of a guest as a device sees it: regions at guest-physical addresses, each lying somewhere in an
 * ArrayBuffer. Every address comes from the guest, so every access is bounded by a region, and every write is told to
 * those who record dirty pages.
 */
import { copyBytes } from "./copy.js";

/** A piece of guest memory. */
export interface MemoryRegion {
  /** Guest-physical address of the first byte: a whole number up to 2^53 − 1. */
  readonly guestAddress: number;
  /** The bytes themselves, shared with the guest; they may lie in a SharedArrayBuffer or in a mapping. */
  readonly bytes: Uint8Array;
}

/** Is told of every write that a device makes, after the bytes are there. */
export interface WriteObserver {
  /** `length` bytes at a guest-physical address, all of them in one region. */
  wrote(address: number, length: number): void;
}

/** A region as the device uses it. Its view is made once: one for each access would cost more than the access. */
class Region implements MemoryRegion {
  readonly guestAddress: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly length: number;

  constructor({ guestAddress, bytes }: MemoryRegion) {
    this.guestAddress = guestAddress;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.length = bytes.length;
  }

  holds(address: number): boolean {
    const at = address - this.guestAddress;
    return at >= 0 && at < this.length;
  }
}

export type { Region };

/** A part of a buffer that lies in one region: `length` bytes of it, from index `at` of its bytes on. */
export interface Segment {
  readonly address: number;
  readonly region: Region;
  readonly at: number;
  readonly length: number;
}

/** The guest has named memory that it has not. */
export class GuestAddressError extends RangeError {
  readonly address: number | bigint;
  readonly length: number;

  constructor(address: number | bigint, length: number) {
    super(`no guest memory holds ${length} bytes at 0x${address.toString(16)}`);
    this.name = "GuestAddressError";
    this.address = address;
    this.length = length;
  }
}

export class GuestMemory {
  /** By address. */
  readonly regions: readonly Region[];
  private readonly observers: WriteObserver[] = [];
  /** Buffers of one queue tend to lie in one region. */
  private latest: Region | undefined;

  /** Throws RangeError when regions overlap or end above 2^53. */
  constructor(regions: readonly MemoryRegion[]) {
    this.regions = regions
      .filter(({ bytes }) => bytes.length > 0)
      .map((region) => new Region(region))
      .sort((a, b) => a.guestAddress - b.guestAddress);
    let end = 0;
    for (const region of this.regions) {
      const { guestAddress, bytes } = region;
      if (!Number.isSafeInteger(guestAddress) || !Number.isSafeInteger(guestAddress + bytes.length)) {
        throw new RangeError(`a region cannot lie at ${guestAddress}`);
      }
      if (guestAddress < end) {
        throw new RangeError(`the region at 0x${guestAddress.toString(16)} overlaps the one before it`);
      }
      end = guestAddress + bytes.length;
    }
  }

  /** Guest memory of one region, from address 0. */
  static of(size: number): GuestMemory {
    return new GuestMemory([{ guestAddress: 0, bytes: new Uint8Array(size) }]);
  }

  observe(observer: WriteObserver): void {
    if (!this.observers.includes(observer)) this.observers.push(observer);
  }

  unobserve(observer: WriteObserver): void {
    const index = this.observers.indexOf(observer);
    if (index >= 0) this.observers.splice(index, 1);
  }

  /**
   * A buffer as the segments that it takes, one for each region that it touches.
   * @throws GuestAddressError when part of it is in no region.
   */
  segments(address: number, length: number): Segment[] {
    const found: Segment[] = [];
    for (let at = address, left = length; left > 0; ) {
      const region = this.regionAt(at);
      if (region === undefined) throw new GuestAddressError(address, length);
      const start = at - region.guestAddress;
      const size = Math.min(left, region.length - start);
      found.push({ address: at, region, at: start, length: size });
      at += size;
      left -= size;
    }
    return found;
  }

  /** The same, of a buffer that lies in one region, as they nearly always do; undefined for others. */
  segment(address: number, length: number): Segment | undefined {
    const region = this.regionAt(address);
    if (region === undefined) return undefined;
    const at = address - region.guestAddress;
    return length <= region.length - at ? { address, region, at, length } : undefined;
  }

  /**
   * The region that holds all of these bytes.
   * @throws GuestAddressError when none does.
   */
  regionOf(address: number, length: number): Region {
    const region = this.regionAt(address);
    if (region === undefined || length > region.length - (address - region.guestAddress)) {
      throw new GuestAddressError(address, length);
    }
    return region;
  }

  /**
   * A structure that both sides go on using, such as a ring: the memory itself, in one region.
   * @throws GuestAddressError when no region holds all of it.
   */
  area(address: number, length: number): Uint8Array {
    const { bytes, guestAddress } = this.regionOf(address, length);
    return bytes.subarray(address - guestAddress, address - guestAddress + length);
  }

  /**
   * A copy, which the guest can no longer change.
   * @throws GuestAddressError when part of it is in no region.
   */
  read(address: number, length: number): Uint8Array {
    const segments = this.segments(address, length);
    const copy = new Uint8Array(length);
    let to = 0;
    for (const { region, at, length: size } of segments) {
      copyBytes(region.bytes, at, copy, to, size);
      to += size;
    }
    return copy;
  }

  /** @throws GuestAddressError when part of it is in no region; then nothing is written. */
  write(address: number, bytes: Uint8Array): void {
    let from = 0;
    for (const segment of this.segments(address, bytes.length)) {
      copyBytes(bytes, from, segment.region.bytes, segment.at, segment.length);
      from += segment.length;
      this.wrote(segment.address, segment.length);
    }
  }

  /** Tells the observers of bytes that were written in place. */
  wrote(address: number, length: number): void {
    const { observers } = this;
    if (length === 0 || observers.length === 0) return;
    for (const observer of observers) observer.wrote(address, length);
  }

  private regionAt(address: number): Region | undefined {
    const { latest } = this;
    return latest?.holds(address) ? latest : this.search(address);
  }

  private search(address: number): Region | undefined {
    let low = 0;
    let high = this.regions.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const region = this.regions[middle] as Region;
      if (address < region.guestAddress) high = middle - 1;
      else if (region.holds(address)) {
        this.latest = region;
        return region;
      } else low = middle + 1;
    }
    return undefined;
  }
}

/**
 * A 64-bit address of the wire as a number.
 * @throws GuestAddressError above 2^53, where no memory can be.
 */
export function guestAddress(address: bigint, length = 1): number {
  const number = Number(address);
  if (!Number.isSafeInteger(number)) throw new GuestAddressError(address, length);
  return number;
}
