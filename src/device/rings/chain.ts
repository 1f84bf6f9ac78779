/**
 * A buffer that the driver has made available: segments that the device reads, then segments that it writes. Descriptors
 * were read once and are kept here, so that a guest that changes them afterwards changes nothing.
 */
import { copyBytes } from "../memory/copy.js";
import { GuestAddressError, type GuestMemory, guestAddress, type Segment } from "../memory/guest-memory.js";
import type { DescriptorTable } from "./descriptor-table.js";
import { RingFault } from "./fault.js";
import type { RingDescriptor } from "./queue.js";

/**
 * No chain may describe more than 2^32 bytes; one less is what the length in a used ring can say.
 * @source virtio 1.4, The Virtqueue Descriptor Table
 */
const MAX_CHAIN_LENGTH = 2 ** 32 - 1;

/** Descriptors of an indirect table. */
const MAX_INDIRECT = 1 << 16;

export class DescriptorChain {
  /** What names the buffer in the used ring: the head's index (split), or the buffer id (packed). */
  readonly id: number;
  /** How many descriptors of the ring it takes; an indirect table is one. */
  readonly descriptors: number;
  readonly readableLength: number;
  readonly writableLength: number;
  /** What the ring said of it, where the queue keeps that for a successor (see PackedDeviceQueue); else nothing. */
  readonly ring: readonly RingDescriptor[];
  private readonly memory: GuestMemory;
  /** Those that the device reads, then those that it writes. */
  private readonly segments: readonly Segment[];
  private readonly readableSegments: number;
  private writtenLength = 0;

  constructor(
    memory: GuestMemory,
    id: number,
    descriptors: number,
    parts: ChainParts,
    ring: readonly RingDescriptor[] = NOT_KEPT,
  ) {
    this.memory = memory;
    this.ring = ring;
    this.id = id;
    this.descriptors = descriptors;
    this.segments = parts.segments;
    this.readableSegments = parts.readableSegments;
    this.readableLength = parts.readableLength;
    this.writableLength = parts.length - parts.readableLength;
  }

  get readable(): readonly Segment[] {
    return this.segments.slice(0, this.readableSegments);
  }

  get writable(): readonly Segment[] {
    return this.segments.slice(this.readableSegments);
  }

  /** Bytes written so far: what the used ring will say. */
  get written(): number {
    return this.writtenLength;
  }

  /** How many more bytes can be written. */
  get room(): number {
    return this.writableLength - this.writtenLength;
  }

  /** A copy of what the driver has written: from `start` on, at most `length` bytes. */
  read(start = 0, length: number = this.readableLength): Uint8Array {
    const copy = new Uint8Array(Math.max(0, Math.min(length, this.readableLength - start)));
    this.readInto(copy, start);
    return copy;
  }

  /** Copies what the driver has written, from `start` on, as far as it fits. Gives how many bytes that is. */
  readInto(target: Uint8Array, start = 0): number {
    const size = Math.max(0, Math.min(target.length, this.readableLength - start));
    let skip = start;
    let done = 0;
    for (let i = 0; i < this.readableSegments && done < size; i++) {
      const { region, at, length } = this.segments[i] as Segment;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const piece = Math.min(length - skip, size - done);
      copyBytes(region.bytes, at + skip, target, done, piece);
      done += piece;
      skip = 0;
    }
    return size;
  }

  /** Leaves bytes of the device's part as they are: what is written next comes behind them. */
  skip(length: number): void {
    this.writtenLength += Math.max(0, Math.min(length, this.room));
  }

  /**
   * Writes `bytes`, or those of them from `start` up to `end`, behind what was written before, as far as there is room.
   * Gives how many bytes went in.
   */
  write(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    const size = Math.min(end - start, this.room);
    let skip = this.writtenLength;
    let done = 0;
    for (let i = this.readableSegments; done < size; i++) {
      const { address, region, at, length } = this.segments[i] as Segment;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const piece = Math.min(length - skip, size - done);
      copyBytes(bytes, start + done, region.bytes, at + skip, piece);
      this.memory.wrote(address + skip, piece);
      done += piece;
      skip = 0;
    }
    this.writtenLength += size;
    return size;
  }

  /** What the driver has written, from `start` on, where it lies: the driver may still change it. */
  lend(start: number): Uint8Array[] {
    return piecesOf(this.readable, start, this.readableLength - start);
  }

  /** The next `length` bytes of the device's part where they lie, for who calls `wroteInPlace` when they are filled. */
  lendRoom(length: number): Uint8Array[] {
    return piecesOf(this.writable, this.writtenLength, Math.min(length, this.room));
  }

  /** The next `length` bytes of the device's part have been written. */
  wroteInPlace(length: number): void {
    let skip = this.writtenLength;
    let left = Math.min(length, this.room);
    this.writtenLength += left;
    for (const segment of this.writable) {
      const size = Math.max(0, Math.min(segment.length - skip, left));
      this.memory.wrote(segment.address + skip, size);
      left -= size;
      skip = Math.max(0, skip - segment.length);
    }
  }
}

const NOT_KEPT: readonly RingDescriptor[] = [];

/** `wanted` bytes of segments, from `start` on. */
function piecesOf(segments: readonly Segment[], start: number, wanted: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let skip = start;
  let left = wanted;
  for (const { region, at, length } of segments) {
    const size = Math.min(length - skip, left);
    if (size > 0) pieces.push(region.bytes.subarray(at + skip, at + skip + size));
    left -= Math.max(0, size);
    skip = Math.max(0, skip - length);
  }
  return pieces;
}

/** Gathers the segments of one chain after another, and holds them to what a device may expect. */
export class ChainParts {
  segments: Segment[] = [];
  readableSegments = 0;
  length = 0;
  readableLength = 0;
  private readonly memory: GuestMemory;
  private isWritable = false;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  /** For the next chain. What was gathered is the last one's. */
  begin(): void {
    this.segments = [];
    this.readableSegments = 0;
    this.length = 0;
    this.readableLength = 0;
    this.isWritable = false;
  }

  /** @throws RingFault when the buffer may not stand here. */
  add(address: number, length: number, writable: boolean): void {
    if (length === 0) throw new RingFault("length", "a descriptor of no bytes");
    if (!writable && this.isWritable) {
      throw new RingFault("order", "a buffer for the device to read behind one for it to write");
    }
    this.length += length;
    if (this.length > MAX_CHAIN_LENGTH) throw new RingFault("length", "a chain of 2^32 bytes or more");
    const segment = this.memory.segment(address, length);
    if (segment === undefined) this.segments.push(...this.several(address, length));
    // A list of one, which most are, takes a tenth of what an empty one grows to.
    else if (this.segments.length === 0) this.segments = [segment];
    else this.segments.push(segment);
    this.isWritable = writable;
    if (writable) return;
    this.readableLength += length;
    this.readableSegments = this.segments.length;
  }

  private several(address: number, length: number): Segment[] {
    try {
      return this.memory.segments(address, length);
    } catch (error) {
      throw asRingFault(error);
    }
  }
}

/** An address of the wire. @throws RingFault above 2^53, where no memory can be. */
export function areaAddress(address: bigint): number {
  try {
    return guestAddress(address);
  } catch (error) {
    throw asRingFault(error);
  }
}

/** An area of a queue, in one region. @throws RingFault when there is no such memory, or when it is not aligned. */
export function areaOf(
  memory: GuestMemory,
  address: number,
  length: number,
  alignment: number,
  name: string,
): Uint8Array {
  if (address % alignment !== 0) {
    throw new RingFault("alignment", `the ${name} lies at 0x${address.toString(16)}`);
  }
  try {
    return memory.area(address, length);
  } catch (error) {
    throw asRingFault(error);
  }
}

/**
 * Turns `table` to the indirect descriptors that the descriptor `outer` points to; they may lie anywhere.
 * Gives how many they are. @throws RingFault when there is no such memory.
 */
export function aimIndirect(
  table: DescriptorTable,
  memory: GuestMemory,
  outer: Pick<RingDescriptor, "address" | "length">,
  entry: number,
): number {
  const { address, length } = outer;
  // The specification holds a table to the queue size. Linux and QEMU do not; more than `next` can name is absurd.
  if (length === 0 || length % entry !== 0 || length / entry > MAX_INDIRECT) {
    throw new RingFault("indirect", `an indirect table of ${length} bytes`);
  }
  try {
    table.aim(memory, address, length);
  } catch (error) {
    throw asRingFault(error);
  }
  return length / entry;
}

function asRingFault(error: unknown): unknown {
  return error instanceof GuestAddressError ? new RingFault("address", error.message, error) : error;
}
