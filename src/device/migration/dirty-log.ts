/** Who says which pages of the guest's memory were written: a device by write records, or the memory itself. */
import type { DraftV2Driver } from "../drivers/draft-v2-driver.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { type PageRange, WrittenPages } from "../memory/written-pages.js";

export interface DirtyLog {
  /** Watches from now on; what was written before is nobody's concern. */
  start(pageSize: number, ranges: readonly PageRange[]): void;
  /** Addresses of the pages that were written since they were last told, each once. */
  take(): Iterable<number>;
  stop(): void;
}

/** What a member writes, as the draft series' write records tell it. */
export class WriteRecordLog implements DirtyLog {
  private readonly driver: DraftV2Driver;
  private ranges: readonly PageRange[] = [];

  constructor(driver: DraftV2Driver) {
    this.driver = driver;
  }

  /** @throws AdminCommandError when the device cannot record these pages. */
  start(pageSize: number, ranges: readonly PageRange[]): void {
    this.driver.startRecords(pageSize, ranges);
    this.ranges = ranges;
  }

  *take(): Generator<number> {
    for (const range of this.ranges) yield* this.driver.takeRecords(range);
  }

  stop(): void {
    this.driver.stopRecords();
  }
}

/**
 * What is written through one GuestMemory: for processors whose writes go through it, and for devices without write
 * records, in the place of the dirty bits of an IOMMU.
 */
export class ObservedLog implements DirtyLog {
  private readonly memory: GuestMemory;
  private pages: WrittenPages | undefined;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  start(pageSize: number, ranges: readonly PageRange[]): void {
    this.pages = new WrittenPages(pageSize, ranges);
    this.memory.observe(this.pages);
  }

  *take(): Generator<number> {
    const { pages } = this;
    if (pages === undefined) return;
    for (const range of pages.ranges) yield* pages.take(range, Number.POSITIVE_INFINITY);
  }

  stop(): void {
    if (this.pages !== undefined) this.memory.unobserve(this.pages);
    this.pages = undefined;
  }
}
