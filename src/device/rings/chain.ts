/**
 * A buffer that the driver has made available: segments that the device reads, then segments that it writes. Descriptors
 * were read once and are kept here, so that a guest that changes them afterwards changes nothing.
 */
import { copyBytes } from "../memory/copy.js";
import { GuestAddressError, type GuestMemory, guestAddress, type Segment } from "../memory/guest-memory.js";
import { RingFault } from "./fault.js";

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
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
  readonly readableLength: number;
  readonly writableLength: number;
  private readonly memory: GuestMemory;
  private writtenLength = 0;

  constructor(memory: GuestMemory, id: number, descriptors: number, parts: ChainParts) {
    this.memory = memory;
    this.id = id;
    this.descriptors = descriptors;
    this.readable = parts.readable;
    this.writable = parts.writable;
    this.readableLength = parts.readableLength;
    this.writableLength = parts.length - parts.readableLength;
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
    let at = 0;
    for (const { bytes } of this.readable) {
      if (at === size) break;
      if (skip >= bytes.length) {
        skip -= bytes.length;
        continue;
      }
      const length = Math.min(bytes.length - skip, size - at);
      copyBytes(bytes, skip, target, at, length);
      at += length;
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
    let at = 0;
    for (const { address, bytes: target } of this.writable) {
      if (at === size) break;
      if (skip >= target.length) {
        skip -= target.length;
        continue;
      }
      const length = Math.min(size - at, target.length - skip);
      copyBytes(bytes, start + at, target, skip, length);
      this.memory.wrote(address + skip, length);
      at += length;
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
    for (const { address, bytes } of this.writable) {
      const size = Math.max(0, Math.min(bytes.length - skip, left));
      this.memory.wrote(address + skip, size);
      left -= size;
      skip = Math.max(0, skip - bytes.length);
    }
  }
}

/** `length` bytes of segments, from `start` on. */
function piecesOf(segments: readonly Segment[], start: number, length: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let skip = start;
  let left = length;
  for (const { bytes } of segments) {
    if (left <= 0) break;
    const piece = bytes.subarray(skip, skip + left);
    skip = Math.max(0, skip - bytes.length);
    left -= piece.length;
    if (piece.length > 0) pieces.push(piece);
  }
  return pieces;
}

/** A descriptor, as far as both kinds of ring have the same. */
export interface BufferDescriptor {
  readonly addr: bigint;
  readonly len: number;
}

/** Gathers a chain's segments, and holds them to what a device may expect. */
export class ChainParts {
  readonly readable: Segment[] = [];
  readonly writable: Segment[] = [];
  length = 0;
  readableLength = 0;
  private readonly memory: GuestMemory;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  /** @throws RingFault when the buffer may not stand here. */
  add({ addr, len }: BufferDescriptor, writable: boolean): void {
    if (len === 0) throw new RingFault("length", "a descriptor of no bytes");
    if (!writable && this.writable.length > 0) {
      throw new RingFault("order", "a buffer for the device to read behind one for it to write");
    }
    this.length += len;
    if (this.length > MAX_CHAIN_LENGTH) throw new RingFault("length", "a chain of 2^32 bytes or more");
    if (!writable) this.readableLength += len;
    const list = writable ? this.writable : this.readable;
    for (const segment of segmentsOf(this.memory, addr, len)) list.push(segment);
  }
}

/** @throws RingFault when part of the buffer is in no guest memory. */
function segmentsOf(memory: GuestMemory, address: bigint, length: number): Segment[] {
  try {
    return memory.segments(guestAddress(address, length), length);
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

/** A table of indirect descriptors, which may lie anywhere. @throws RingFault when there is no such memory. */
export function indirectTable(
  memory: GuestMemory,
  { addr, len }: BufferDescriptor,
  entry: number,
): Uint8Array {
  // The specification holds a table to the queue size. Linux and QEMU do not; more than `next` can name is absurd.
  if (len === 0 || len % entry !== 0 || len / entry > MAX_INDIRECT) {
    throw new RingFault("indirect", `an indirect table of ${len} bytes`);
  }
  try {
    return memory.area(guestAddress(addr, len), len);
  } catch (error) {
    throw asRingFault(error);
  }
}

function asRingFault(error: unknown): unknown {
  return error instanceof GuestAddressError ? new RingFault("address", error.message, error) : error;
}
