/** What a hostile driver writes into its virtqueues: sound buffers, and every way to break a ring. */
import type { Draw } from "./draw.js";

export interface HostileRing {
  readonly size: number;
  /** Places in `memory`, which begins at guest address 0. */
  readonly descriptors: number;
  readonly driver: number;
  readonly device: number;
}

/** Flags of a descriptor. @source virtio 1.4, struct virtq_desc */
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const DESCRIPTOR = 16;

/**
 * Writes descriptors: in one of four rings all sound but a few. `data` is where buffers may lie, so that some of them are
 * what they claim to be.
 */
export function scribbleSplit(memory: DataView, ring: HostileRing, data: number, draw: Draw): void {
  const isWild = !draw.once(4);
  for (let i = 0; i < ring.size; i++) {
    const at = ring.descriptors + i * DESCRIPTOR;
    const wild = isWild && draw.once(4);
    // In a ring that is sound otherwise, a device gets as far as writing there.
    const isAstray = wild || (!isWild && draw.once(4));
    const address = isAstray ? wildAddress(memory, draw) : BigInt(data + draw.below(16) * 512);
    const length = wild ? Number(draw.absurd(32)) : draw.of([1, 12, 16, 512, 1024]);
    // A descriptor that follows itself, or one before it, makes a loop.
    const next = wild ? draw.of([i, 0, ring.size, 65535, draw.below(ring.size)]) : (i + 1) % ring.size;
    const flags = wild ? draw.below(8) : draw.of([0, NEXT, NEXT, WRITE, NEXT | WRITE]);
    describe(memory, at, address, length, flags, next);
    if (isWild && draw.once(6)) indirect(memory, at, data, draw);
  }
  for (let i = 0; i < ring.size; i++) {
    const head = draw.once(5) ? Number(draw.absurd(16)) : draw.below(ring.size);
    memory.setUint16(ring.driver + 4 + i * 2, head, true);
  }
  const before = memory.getUint16(ring.driver + 2, true);
  // More than the ring holds, or backwards.
  const step = draw.once(4) ? Number(draw.absurd(16)) : draw.below(ring.size);
  memory.setUint16(ring.driver, draw.below(3), true);
  memory.setUint16(ring.driver + 2, (before + step) & 0xffff, true);
}

/** Anywhere, or around the end of what is shared: a buffer that begins inside and ends outside, or begins there. */
function wildAddress(memory: DataView, draw: Draw): bigint {
  return draw.once(2) ? draw.absurd(64) : BigInt(memory.byteLength + draw.of([-512, -1, 0, 512]));
}

/** The same cells as a packed ring, whose descriptors carry an id and availability flags. */
export function scribblePacked(memory: DataView, ring: HostileRing, data: number, draw: Draw): void {
  for (let i = 0; i < ring.size; i++) {
    const at = ring.descriptors + i * DESCRIPTOR;
    const wild = draw.once(4);
    const address = wild ? wildAddress(memory, draw) : BigInt(data + draw.below(16) * 512);
    const length = wild ? Number(draw.absurd(32)) : draw.of([0, 1, 16, 512]);
    const id = wild ? Number(draw.absurd(16)) : i;
    // Available in the first round: bit 7 set, bit 15 clear.
    const flags = draw.once(4) ? draw.below(65536) : 0x80 | draw.of([0, NEXT, WRITE, INDIRECT]);
    describe(memory, at, address, length, id, flags);
  }
  memory.setUint32(ring.driver, Number(draw.absurd(32)), true);
}

/** Turns a descriptor into one that points at a table, in which tables, loops and bad lengths may follow. */
function indirect(memory: DataView, at: number, data: number, draw: Draw): void {
  const entries = draw.of([1, 2, 4]);
  const length = draw.once(3) ? Number(draw.absurd(32)) : entries * DESCRIPTOR;
  describe(memory, at, BigInt(data), length, INDIRECT | (draw.once(4) ? NEXT : 0), 0);
  for (let i = 0; i < entries; i++) {
    const flags = draw.of([0, NEXT, WRITE, INDIRECT, INDIRECT | NEXT, NEXT | WRITE]);
    const next = draw.of([i, i + 1, 0, 65535]);
    describe(memory, data + i * DESCRIPTOR, BigInt(data), draw.of([0, 16, 512]), flags, next);
  }
}

/** The last two fields change places in a packed ring. */
function describe(
  memory: DataView,
  at: number,
  address: bigint,
  length: number,
  third: number,
  fourth: number,
): void {
  memory.setBigUint64(at, address, true);
  memory.setUint32(at + 8, length, true);
  memory.setUint16(at + 12, third, true);
  memory.setUint16(at + 14, fourth, true);
}
