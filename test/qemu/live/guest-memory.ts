/** The memory of two guests, compared. */
import type { LinuxGuest } from "./linux-guest.js";
import { readMemfd } from "./qemu-memfd.js";

const PAGE = 4096;

/** The guest-physical pages, by number, in which two guests of the same size differ. Neither may run. */
export function differingPages(a: LinuxGuest, b: LinuxGuest): number[] {
  const [left, right] = [memoryOf(a), memoryOf(b)];
  if (left.length !== right.length) throw new Error("guests of different sizes");
  const differing: number[] = [];
  for (let at = 0; at < left.length; at += PAGE) {
    if (left.compare(right, at, at + PAGE, at, at + PAGE) !== 0) differing.push(at / PAGE);
  }
  return differing;
}

function memoryOf({ qemu, memory }: LinuxGuest): Buffer {
  const bytes = readMemfd(qemu, "memory-backend-memfd", memory << 20);
  if (bytes === undefined) throw new Error("this QEMU has no memory in a memfd");
  return bytes;
}
