/** A postcopy migration put together by hand, in the order in which QEMU 10.0.2's migration.c and savevm.c send it. */

import {
  command,
  configuration,
  EOF,
  end,
  FILE_HEADER,
  full,
  memSize,
  PAGE,
  page,
  part,
  RAM_EOS,
  start,
  str8,
  TIMER_BODY,
  zeroPage,
} from "../qemu/stream-bytes.js";
import { be } from "../wire-bytes.js";

const OPEN_RETURN_PATH = command(1);
const ping = (value: number): number[] => command(2, be(4, value));
export const advise = (summary = PAGE): number[] => command(3, [...be(8, summary), ...be(8, PAGE)]);
export const LISTEN = command(4);
export const RUN = command(5);

export function discard(block: string, ...ranges: readonly (readonly [number, number])[]): number[] {
  const list = ranges.flatMap(([at, length]) => [...be(8, at), ...be(8, length)]);
  return command(6, [0, ...str8(block), 0, ...list]);
}

export function packaged(...records: readonly (readonly number[])[]): number[] {
  const inside = records.flat();
  return [...command(7, be(4, inside.length)), ...inside];
}

/** Up to the switch: pages 0 to 3 of 6 have been sent, page 2 has changed since. */
export const BEFORE: readonly (readonly number[])[] = [
  FILE_HEADER,
  configuration("pc-q35-10.0"),
  OPEN_RETURN_PATH,
  ping(1),
  advise(),
  start(0, "ram", [...memSize([{ name: "pc.ram", size: 6 * PAGE }]), ...RAM_EOS], 4),
  part(0, [
    ...page(0, "pc.ram", 1),
    ...zeroPage(PAGE, undefined),
    ...page(2 * PAGE, undefined, 2),
    ...page(3 * PAGE, undefined, 3),
    ...RAM_EOS,
  ]),
  discard("pc.ram", [2 * PAGE, PAGE]),
  ping(2),
  packaged(LISTEN, full(1, "timer", TIMER_BODY), ping(3), RUN),
];

/** In front of what goes on after a break: which pages of the block have come? */
export function recoverWith(block: string): readonly (readonly number[])[] {
  return [command(10, str8(block)), command(9)];
}

/** After it: page 5 was asked for. */
export const AFTER: readonly (readonly number[])[] = [
  part(0, [...page(5 * PAGE, "pc.ram", 5), ...page(2 * PAGE, undefined, 7), ...RAM_EOS]),
  ping(4),
  end(0, [...zeroPage(4 * PAGE, "pc.ram"), ...RAM_EOS]),
  EOF,
];
