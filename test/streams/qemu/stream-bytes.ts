/** QEMU migration streams put together by hand, from what QEMU 10.0.2's savevm.c, vmstate.c and ram.c write. */
import { be, bytes } from "../wire-bytes.js";

export const PAGE = 4096;

export function str8(text: string): number[] {
  return [text.length, ...[...text].map((character) => character.charCodeAt(0))];
}

export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

export const FILE_HEADER = [...be(4, 0x5145564d), ...be(4, 3)];
export const EOF = [0x00];

export function configuration(machine: string, ...subsections: number[][]): number[] {
  return [0x07, ...be(4, machine.length), ...ascii(machine), ...subsections.flat()];
}

export function subsection(name: string, version: number, body: readonly number[]): number[] {
  return [0x05, ...str8(name), ...be(4, version), ...body];
}

function footer(id: number): number[] {
  return [0x7e, ...be(4, id)];
}

export function full(id: number, name: string, body: readonly number[], version = 1, instance = 0): number[] {
  return [0x04, ...be(4, id), ...str8(name), ...be(4, instance), ...be(4, version), ...body, ...footer(id)];
}

export function start(id: number, name: string, body: readonly number[], version: number): number[] {
  return [0x01, ...be(4, id), ...str8(name), ...be(4, 0), ...be(4, version), ...body, ...footer(id)];
}

export function part(id: number, body: readonly number[]): number[] {
  return [0x02, ...be(4, id), ...body, ...footer(id)];
}

export function end(id: number, body: readonly number[]): number[] {
  return [0x03, ...be(4, id), ...body, ...footer(id)];
}

export function command(cmd: number, data: readonly number[] = []): number[] {
  return [0x08, ...be(2, cmd), ...be(2, data.length), ...data];
}

function vmdescription(json: string): number[] {
  return [0x06, ...be(4, json.length), ...ascii(json)];
}

/** RAM records: offset | flags. */
export function ramWord(offset: number, flags: number): number[] {
  return be(8, BigInt(offset) | BigInt(flags));
}

export const RAM_EOS = ramWord(0, 0x10);

export function memSize(
  blocks: readonly { readonly name: string; readonly size: number; readonly extra?: readonly number[] }[],
): number[] {
  const total = blocks.reduce((sum, { size }) => sum + size, 0);
  return [
    ...ramWord(total, 0x04),
    ...blocks.flatMap(({ name, size, extra }) => [...str8(name), ...be(8, size), ...(extra ?? [])]),
  ];
}

export function page(offset: number, block: string | undefined, fill: number, size = PAGE): number[] {
  return [
    ...ramWord(offset, block === undefined ? 0x28 : 0x08),
    ...(block === undefined ? [] : str8(block)),
    ...new Array<number>(size).fill(fill),
  ];
}

export function zeroPage(offset: number, block: string | undefined): number[] {
  return [
    ...ramWord(offset, block === undefined ? 0x22 : 0x02),
    ...(block === undefined ? [] : str8(block)),
    0,
  ];
}

export function xbzrlePage(offset: number, data: readonly number[]): number[] {
  return [...ramWord(offset, 0x60), 1, ...be(2, data.length), ...data];
}

/** A device with two integers, and its description. */
export const TIMER_BODY = [...be(8, 1234), ...be(8, -1n)];
export const TIMER = {
  name: "timer",
  instance_id: 0,
  vmsd_name: "timer",
  version: 1,
  fields: [
    { name: "ticks", type: "uint64", size: 8 },
    { name: "expires", type: "timer", size: 8 },
  ],
};

export function described(devices: readonly object[], pageSize = PAGE): number[] {
  return vmdescription(JSON.stringify({ page_size: pageSize, devices }));
}

/** A small precopy stream with one of everything that is usual. */
export function precopy(): Uint8Array {
  return bytes(
    FILE_HEADER,
    configuration("pc-q35-10.0"),
    command(1),
    command(2, be(4, 1)),
    start(
      3,
      "ram",
      [
        ...memSize([
          { name: "pc.ram", size: 8 * PAGE },
          { name: "rom", size: PAGE },
        ]),
        ...RAM_EOS,
      ],
      4,
    ),
    part(3, [
      ...page(0, "pc.ram", 0x7e),
      ...zeroPage(PAGE, undefined),
      ...page(2 * PAGE, undefined, 0x04),
      ...zeroPage(0, "rom"),
      ...RAM_EOS,
    ]),
    command(11),
    end(3, [...page(3 * PAGE, "pc.ram", 1), ...RAM_EOS]),
    full(0, "timer", TIMER_BODY),
    full(1, "blob", BLOB_BODY, 2, 5),
    EOF,
    described([TIMER, BLOB]),
  );
}

/** Bytes that look like the footer of their own section, and like the head of another, in the middle of it. */
export const BLOB_BODY = [1, 2, 3, ...footer(1), 9, 9, 9, 0x04, 0, 0, 0, 7, 200, 5, 5];
export const BLOB = {
  name: "blob",
  instance_id: 5,
  vmsd_name: "blob",
  version: 2,
  fields: [{ name: "data", type: "buffer", size: BLOB_BODY.length }],
};
