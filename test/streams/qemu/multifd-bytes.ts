/** Multifd packets put together by hand, from QEMU 10.0.2's multifd.h. */
import { be } from "../wire-bytes.js";
import { ascii, PAGE } from "./stream-bytes.js";

const MAGIC = be(4, 0x11223344);
const ROOM = (512 << 10) / PAGE;
export const SYNC = 1;
export const ZLIB = 1 << 1;
const DEVICE_STATE = 1 << 6;

export function multifdInit(id: number): number[] {
  return [...MAGIC, ...be(4, 1), ...new Array<number>(16).fill(0), id, ...new Array<number>(39).fill(0)];
}

function text256(text: string): number[] {
  return [...ascii(text), ...new Array<number>(256 - text.length).fill(0)];
}

export interface PagesPacket {
  readonly num?: number;
  readonly flags?: number;
  readonly alloc?: number;
  readonly block?: string;
  readonly normal?: readonly number[];
  readonly zero?: readonly number[];
  /** Default: a page of 0x5a for each normal page. */
  readonly data?: readonly number[];
  /** Default: the length of the data. */
  readonly size?: number;
  /** Pages that the packet has room for. */
  readonly room?: number;
}

export function pagesPacket({
  num = 0,
  flags = 0,
  room = ROOM,
  alloc = room,
  block = "",
  normal = [],
  zero = [],
  data = normal.flatMap(() => new Array<number>(PAGE).fill(0x5a)),
  size = data.length,
}: PagesPacket): number[] {
  const offsets = [...normal, ...zero];
  return [
    ...MAGIC,
    ...be(4, 1),
    ...be(4, flags),
    ...be(4, alloc),
    ...be(4, normal.length),
    ...be(4, size),
    ...be(8, num),
    ...be(4, zero.length),
    ...new Array<number>(28).fill(0),
    ...text256(block),
    ...offsets.flatMap((offset) => be(8, offset)),
    ...new Array<number>((room - offsets.length) * 8).fill(0),
    ...data,
  ];
}

export function syncPacket(num: number, room = ROOM): number[] {
  return pagesPacket({ num, flags: SYNC, alloc: 0, room });
}

export function deviceStatePacket(name: string, instance: number, data: readonly number[]): number[] {
  return [
    ...MAGIC,
    ...be(4, 1),
    ...be(4, DEVICE_STATE),
    ...text256(name),
    ...be(4, instance),
    ...be(4, data.length),
    ...data,
  ];
}
