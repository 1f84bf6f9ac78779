/** vhost-user SET_MEM_TABLE with 8 regions, 276 bytes: 64-bit fields, exact and as numbers. */
import { Parser } from "binary-parser";
import { Reader, Writer } from "../../src/runtime/index.js";
import {
  decodeMemoryTable,
  decodeMemoryTableAsNumber,
  encodeMemoryTable,
  type MemoryTable,
  type MemoryTableAsNumber,
  writeMemoryTable,
  writeMemoryTableAsNumber,
} from "../generated/messages.js";
import { type Case, rotation } from "../measure.js";

const HEADER = { request: 5, flags: 1 };

function numbersOf(seed: number): MemoryTableAsNumber {
  const regions = Array.from({ length: 8 }, (_, i) => ({
    guestAddress: (seed * 8 + i) * 0x1_0000_0000,
    size: 0x4000_0000,
    userAddress: 0x7f00_0000_0000 + (seed * 8 + i) * 0x4000_0000,
    mmapOffset: (seed * 8 + i) * 4096,
  }));
  return { ...HEADER, regions };
}

function exactOf(seed: number): MemoryTable {
  const regions = numbersOf(seed).regions.map((region) => ({
    guestAddress: BigInt(region.guestAddress),
    size: BigInt(region.size),
    userAddress: BigInt(region.userAddress),
    mmapOffset: BigInt(region.mmapOffset),
  }));
  return { ...HEADER, regions };
}

/** Different values in turn: an engine that sees one value only turns its fields into constants. */
const exact = rotation(16, exactOf);
const numbers = rotation(16, numbersOf);

const SIZE = 12 + 8 + 8 * 32;
/** Messages in a row, as in a capture: every subject goes through them over one shared DataView. */
const MESSAGES = 16;
const bytes = new Uint8Array(SIZE * MESSAGES);
for (let at = 0; at < bytes.length; at += SIZE) bytes.set(encodeMemoryTable(exact()), at);
const view = new DataView(bytes.buffer);

function u64AsNumber(from: DataView, at: number): number {
  const value = from.getUint32(at + 4, true) * 0x1_0000_0000 + from.getUint32(at, true);
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("above 2^53");
  return value;
}

/** The checks that a careful person writes: every bound, and that the count fits the size. */
function regionsIn(from: DataView, at: number): number {
  const end = from.byteLength;
  if (end - at < 12) throw new RangeError("truncated");
  const size = from.getUint32(at + 8, true);
  if (size > end - at - 12 || size < 8) throw new RangeError("size");
  const count = from.getUint32(at + 12, true);
  if (count * 32 !== size - 8) throw new RangeError("count");
  return count;
}

function decodeByHand(from: DataView, start: number): MemoryTable {
  const count = regionsIn(from, start);
  const regions = new Array<MemoryTable["regions"][number]>(count);
  for (let i = 0, at = start + 20; i < count; i++, at += 32) {
    regions[i] = {
      guestAddress: from.getBigUint64(at, true),
      size: from.getBigUint64(at + 8, true),
      userAddress: from.getBigUint64(at + 16, true),
      mmapOffset: from.getBigUint64(at + 24, true),
    };
  }
  return {
    request: from.getUint32(start, true),
    flags: from.getUint32(start + 4, true),
    padding: from.getUint32(start + 16, true),
    regions,
  };
}

function decodeNumbersByHand(from: DataView, start: number): MemoryTableAsNumber {
  const count = regionsIn(from, start);
  const regions = new Array<MemoryTableAsNumber["regions"][number]>(count);
  for (let i = 0, at = start + 20; i < count; i++, at += 32) {
    regions[i] = {
      guestAddress: u64AsNumber(from, at),
      size: u64AsNumber(from, at + 8),
      userAddress: u64AsNumber(from, at + 16),
      mmapOffset: u64AsNumber(from, at + 24),
    };
  }
  return {
    request: from.getUint32(start, true),
    flags: from.getUint32(start + 4, true),
    padding: from.getUint32(start + 16, true),
    regions,
  };
}

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** Refuses what does not fit, as ours does. */
function encodeByHand(from: MemoryTable, to: DataView): number {
  const { request, flags, regions } = from;
  if (request >>> 0 !== request || flags >>> 0 !== flags) throw new RangeError("does not fit");
  for (const { guestAddress, size, userAddress, mmapOffset } of regions) {
    if (guestAddress < 0n || guestAddress > U64_MAX || size < 0n || size > U64_MAX)
      throw new RangeError("does not fit");
    if (userAddress < 0n || userAddress > U64_MAX || mmapOffset < 0n || mmapOffset > U64_MAX) {
      throw new RangeError("does not fit");
    }
  }
  return encodeUnchecked(from, to);
}

function encodeUnchecked(from: MemoryTable, to: DataView): number {
  const { request, flags, regions } = from;
  to.setUint32(0, request, true);
  to.setUint32(4, flags, true);
  to.setUint32(8, 8 + regions.length * 32, true);
  to.setUint32(12, regions.length, true);
  to.setUint32(16, 0, true);
  let at = 20;
  for (const region of regions) {
    to.setBigUint64(at, region.guestAddress, true);
    to.setBigUint64(at + 8, region.size, true);
    to.setBigUint64(at + 16, region.userAddress, true);
    to.setBigUint64(at + 24, region.mmapOffset, true);
    at += 32;
  }
  return at;
}

function setU64(to: DataView, at: number, value: number): void {
  to.setUint32(at, value, true);
  to.setUint32(at + 4, value / 0x1_0000_0000, true);
}

function isU64(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function encodeNumbersByHand(from: MemoryTableAsNumber, to: DataView): number {
  const { request, flags, regions } = from;
  if (request >>> 0 !== request || flags >>> 0 !== flags) throw new RangeError("does not fit");
  for (const { guestAddress, size, userAddress, mmapOffset } of regions) {
    if (!isU64(guestAddress) || !isU64(size) || !isU64(userAddress) || !isU64(mmapOffset)) {
      throw new RangeError("does not fit");
    }
  }
  return encodeNumbersUnchecked(from, to);
}

function encodeNumbersUnchecked(from: MemoryTableAsNumber, to: DataView): number {
  const { request, flags, regions } = from;
  to.setUint32(0, request, true);
  to.setUint32(4, flags, true);
  to.setUint32(8, 8 + regions.length * 32, true);
  to.setUint32(12, regions.length, true);
  to.setUint32(16, 0, true);
  let at = 20;
  for (const region of regions) {
    setU64(to, at, region.guestAddress);
    setU64(to, at + 8, region.size);
    setU64(to, at + 16, region.userAddress);
    setU64(to, at + 24, region.mmapOffset);
    at += 32;
  }
  return at;
}

const binaryParser = Parser.start()
  .endianness("little")
  .uint32("request")
  .uint32("flags")
  .uint32("size")
  .uint32("count")
  .uint32("padding")
  .array("regions", {
    length: "count",
    type: Parser.start()
      .endianness("little")
      .uint64("guestAddress")
      .uint64("size")
      .uint64("userAddress")
      .uint64("mmapOffset"),
  });

const reader = new Reader(bytes);

/** Calls `decode` for every message. */
function each(decode: (from: Reader) => unknown): unknown {
  reader.rewind(0, bytes.byteLength, 0);
  let last: unknown;
  while (reader.at < reader.end) last = decode(reader);
  return last;
}

function eachByHand(decode: (from: DataView, at: number) => unknown): unknown {
  let last: unknown;
  for (let at = 0; at < bytes.length; at += SIZE) last = decode(view, at);
  return last;
}

const slices = Array.from({ length: MESSAGES }, (_, i) => bytes.subarray(i * SIZE, (i + 1) * SIZE));
function eachWithBinaryParser(): unknown {
  let last: unknown;
  for (const message of slices) last = binaryParser.parse(message);
  return last;
}

const target = new Uint8Array(SIZE);
const targetView = new DataView(target.buffer);
const writer = new Writer(target);

export const cases: Record<string, Case> = {
  "decode/memory-table": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => each(decodeMemoryTable),
      hand: () => eachByHand(decodeByHand),
      "binary-parser": eachWithBinaryParser,
    },
    targets: { hand: 1.15, "binary-parser": 1 / 1.5 },
  },
  "decode/memory-table-as-number": {
    batch: 8,
    operations: MESSAGES,
    subjects: {
      virtwire: () => each(decodeMemoryTableAsNumber),
      hand: () => eachByHand(decodeNumbersByHand),
      "binary-parser": eachWithBinaryParser,
    },
    targets: { hand: 1.15, "binary-parser": 1 / 3 },
  },
  "encode/memory-table": {
    batch: 100,
    subjects: {
      virtwire: () => writeMemoryTable(writer.reset(), exact()),
      hand: () => encodeByHand(exact(), targetView),
      "hand, unchecked": () => encodeUnchecked(exact(), targetView),
    },
    targets: { hand: 1.15 },
  },
  "encode/memory-table-as-number": {
    batch: 100,
    subjects: {
      virtwire: () => writeMemoryTableAsNumber(writer.reset(), numbers()),
      hand: () => encodeNumbersByHand(numbers(), targetView),
      "hand, unchecked": () => encodeNumbersUnchecked(numbers(), targetView),
    },
    targets: { hand: 1.15 },
  },
};
