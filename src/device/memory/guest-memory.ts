/**
 * The memory of a guest as a device sees it: regions at guest-physical addresses, each lying somewhere in an
 * ArrayBuffer. Every address comes from the guest, so every access is bounded by a region, and every write is told to
 * those who record dirty pages.
 */

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

/** A part of a buffer that lies in one region. `bytes` is the memory itself. */
export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
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
  readonly regions: readonly MemoryRegion[];
  private readonly observers = new Set<WriteObserver>();
  /** Buffers of one queue tend to lie in one region. */
  private latest: MemoryRegion | undefined;

  /** Throws RangeError when regions overlap or end above 2^53. */
  constructor(regions: readonly MemoryRegion[]) {
    this.regions = regions
      .filter(({ bytes }) => bytes.length > 0)
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
    this.observers.add(observer);
  }

  unobserve(observer: WriteObserver): void {
    this.observers.delete(observer);
  }

  /**
   * A buffer as the segments that it takes, one for each region that it touches.
   * @throws GuestAddressError when part of it is in no region.
   */
  segments(address: number, length: number): Segment[] {
    const first = this.regionAt(address);
    if (first === undefined) throw new GuestAddressError(address, length);
    const start = address - first.guestAddress;
    if (length <= first.bytes.length - start) {
      return [{ address, bytes: first.bytes.subarray(start, start + length) }];
    }
    const found: Segment[] = [];
    for (let at = address, left = length; left > 0; ) {
      const region = this.regionAt(at);
      if (region === undefined) throw new GuestAddressError(address, length);
      const from = at - region.guestAddress;
      const bytes = region.bytes.subarray(from, Math.min(region.bytes.length, from + left));
      found.push({ address: at, bytes });
      at += bytes.length;
      left -= bytes.length;
    }
    return found;
  }

  /**
   * A structure that both sides go on using, such as a ring: the memory itself, in one region.
   * @throws GuestAddressError when no region holds all of it.
   */
  area(address: number, length: number): Uint8Array {
    const region = this.regionAt(address);
    const start = region === undefined ? 0 : address - region.guestAddress;
    if (region === undefined || length > region.bytes.length - start) {
      throw new GuestAddressError(address, length);
    }
    return region.bytes.subarray(start, start + length);
  }

  /**
   * A copy, which the guest can no longer change.
   * @throws GuestAddressError when part of it is in no region.
   */
  read(address: number, length: number): Uint8Array {
    const segments = this.segments(address, length);
    const copy = new Uint8Array(length);
    let at = 0;
    for (const { bytes } of segments) {
      copy.set(bytes, at);
      at += bytes.length;
    }
    return copy;
  }

  /** @throws GuestAddressError when part of it is in no region; then nothing is written. */
  write(address: number, bytes: Uint8Array): void {
    let at = 0;
    for (const segment of this.segments(address, bytes.length)) {
      segment.bytes.set(bytes.subarray(at, at + segment.bytes.length));
      at += segment.bytes.length;
      this.wrote(segment.address, segment.bytes.length);
    }
  }

  /** Tells the observers of bytes that were written in place. */
  wrote(address: number, length: number): void {
    if (length === 0) return;
    for (const observer of this.observers) observer.wrote(address, length);
  }

  private regionAt(address: number): MemoryRegion | undefined {
    const { latest } = this;
    if (latest !== undefined && holds(latest, address)) return latest;
    let low = 0;
    let high = this.regions.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const region = this.regions[middle] as MemoryRegion;
      if (address < region.guestAddress) high = middle - 1;
      else if (holds(region, address)) {
        this.latest = region;
        return region;
      } else low = middle + 1;
    }
    return undefined;
  }
}

function holds({ guestAddress, bytes }: MemoryRegion, address: number): boolean {
  return address >= guestAddress && address < guestAddress + bytes.length;
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
