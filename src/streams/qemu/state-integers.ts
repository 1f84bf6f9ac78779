/** The encodings of integers that descriptions of devices name. */
import type { Reader } from "../../runtime/index.js";

export interface Integer {
  /** In bytes. */
  readonly size: number;
  readonly read: (reader: Reader) => number | bigint;
  readonly meaning?: (value: number | bigint) => string | undefined;
}

export const u8: Integer = { size: 1, read: (r) => r.view.getUint8(r.take(1)) };
const s8: Integer = { size: 1, read: (r) => r.view.getInt8(r.take(1)) };
const u16: Integer = { size: 2, read: (r) => r.view.getUint16(r.take(2)) };
const s16: Integer = { size: 2, read: (r) => r.view.getInt16(r.take(2)) };
export const u32: Integer = { size: 4, read: (r) => r.view.getUint32(r.take(4)) };
const s32: Integer = { size: 4, read: (r) => r.view.getInt32(r.take(4)) };
export const u64: Integer = { size: 8, read: (r) => r.view.getBigUint64(r.take(8)) };
const s64: Integer = { size: 8, read: (r) => r.view.getBigInt64(r.take(8)) };

/**
 * The encodings of one integer, all big-endian. `int32 le` too: its name says that the value must be less or equal to
 * the destination's. `equal` says that it must be the same.
 * @source QEMU 10.0.2, migration/vmstate-types.c
 */
export const INTEGERS: ReadonlyMap<string, Integer> = new Map<string, Integer>([
  ["bool", { ...u8, meaning: (value) => (value === 0 ? "false" : "true") }],
  ["int8", s8],
  ["uint8", u8],
  ["uint8 equal", u8],
  ["int16", s16],
  ["uint16", u16],
  ["uint16 equal", u16],
  ["int32", s32],
  ["int32 equal", s32],
  ["int32 le", s32],
  ["uint32", u32],
  ["uint32 equal", u32],
  ["int64", s64],
  // The name of uint64 equal.
  ["int64 equal", u64],
  ["uint64", u64],
  ["CPU_Double_U", u64],
  ["timer", { ...s64, meaning: (value) => (value === -1n ? "off" : undefined) }],
]);
