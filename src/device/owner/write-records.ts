/**
 * Which pages a member has written, for the owner's driver. Records belong to the owner: no reset of the member touches
 * them.
 * @source virtio-comment v2 7/8 and 8/8, admin-cmds-device-migration.tex
 */
import type { GuestMemory } from "../memory/guest-memory.js";
import { type PageRange, WrittenPages } from "../memory/written-pages.js";
import { invalidCommand, invalidField } from "./admin-error.js";

const SMALLEST_PAGE = 4096;
/** 4 KiB, 64 KiB and 2 MiB: bit n is 4096 << n. */
export const SUPPORTED_PAGE_SIZES: number = (1 << 0) | (1 << 4) | (1 << 9);
/** Ranges that can be recorded at a time. */
export const SUPPORTED_RANGES = 64;

export class WriteRecords {
  private readonly memory: GuestMemory;
  private recorders: WrittenPages[] = [];

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  /** @throws AdminError when the ranges cannot be recorded; then none is. */
  start(pageSize: number, ranges: readonly PageRange[]): void {
    if (!isSupported(pageSize)) throw invalidField(`pages of ${pageSize} bytes`);
    if (ranges.length === 0) throw invalidField("no range");
    const present = this.recorders.flatMap((recorder) => recorder.ranges);
    if (present.length + ranges.length > SUPPORTED_RANGES) {
      throw invalidField(`${present.length + ranges.length} ranges, supported are ${SUPPORTED_RANGES}`);
    }
    let recorder: WrittenPages;
    try {
      recorder = new WrittenPages(pageSize, ranges);
    } catch (error) {
      if (error instanceof RangeError) throw invalidField(error.message);
      throw error;
    }
    for (const range of recorder.ranges) {
      if (present.some((other) => overlap(range, other))) {
        throw invalidField(`the range at 0x${range.address.toString(16)} is being recorded already`);
      }
    }
    this.recorders.push(recorder);
    this.memory.observe(recorder);
  }

  /** Records in the range, at most `limit`, cleared here. @throws AdminError when nothing is being recorded. */
  read(range: PageRange, limit: number): number[] {
    if (this.recorders.length === 0) throw invalidCommand("no writes are being recorded");
    const sizes = pageSizes();
    if (range.length <= 0 || !sizes.some((size) => range.length % size === 0)) {
      throw invalidField(`${range.length} bytes are not whole pages`);
    }
    const found: number[] = [];
    for (const recorder of this.recorders) {
      // Not pushed with one call, which takes no hundred thousand arguments: pages that were taken would be lost.
      for (const page of recorder.take(range, limit - found.length)) found.push(page);
    }
    return found;
  }

  stop(): void {
    for (const recorder of this.recorders) this.memory.unobserve(recorder);
    this.recorders = [];
  }
}

function pageSizes(): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => ((SUPPORTED_PAGE_SIZES >>> bit) & 1) === 1)
    .map((bit) => SMALLEST_PAGE * 2 ** bit);
}

function isSupported(pageSize: number): boolean {
  return pageSizes().includes(pageSize);
}

function overlap(a: PageRange, b: PageRange): boolean {
  return a.address < b.address + b.length && b.address < a.address + a.length;
}
