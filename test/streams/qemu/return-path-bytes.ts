/** Messages of the return path put together by hand, from what QEMU 10.0.2's migration.c and ram.c write. */
import { be, bytes } from "../wire-bytes.js";
import { str8 } from "./stream-bytes.js";

function rpMessage(type: number, data: readonly number[]): number[] {
  return [...be(2, type), ...be(2, data.length), ...data];
}

export const pong = (value: number): number[] => rpMessage(2, be(4, value));
export const shut = (value: number): number[] => rpMessage(1, be(4, value));
export const resumeAck = (value = 1): number[] => rpMessage(6, be(4, value));
export const switchoverAck = (): number[] => rpMessage(7, []);

export function requestPages(start: number, length: number, block?: string): number[] {
  const range = [...be(8, start), ...be(4, length)];
  return block === undefined ? rpMessage(4, range) : rpMessage(3, [...range, ...str8(block)]);
}

/** RECV_BITMAP and what stands behind it. */
export function receivedBitmap(
  block: string,
  words: readonly number[],
  mark = 0x0123456789abcdefn,
): number[] {
  return [...rpMessage(5, str8(block)), ...be(8, words.length), ...words, ...be(8, mark)];
}

/** A postcopy that is interrupted and recovered, every kind of message in it. */
export function recovery(): Uint8Array {
  return bytes(
    pong(1),
    switchoverAck(),
    requestPages(0x5000, 4096, "pc.ram"),
    requestPages(0x9000, 8192),
    receivedBitmap("pc.ram", [0xff, 0x01, 0, 0, 0, 0, 0, 0x80]),
    receivedBitmap("pc.bios", new Array<number>(16).fill(0x11)),
    resumeAck(),
    requestPages(0, 4096),
    shut(0),
  );
}
