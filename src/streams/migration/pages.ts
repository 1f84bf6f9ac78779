/**
 * What the destination of a postcopy migration knows about each page of a block: missing, asked for, or there.
 *
 * Two bits for each page, in two maps: QEMU's own (`receivedmap`), and one in place of its tree of requests.
 */

export type PageState = "missing" | "requested" | "received";

export class BlockPages {
  readonly name: string;
  /** In bytes. */
  readonly pageSize: number;
  readonly count: number;
  private readonly receivedMap: Uint8Array;
  private readonly requestedMap: Uint8Array;
  private receivedCount = 0;
  private requestedCount = 0;
  /** No page from this one on is missing and not asked for. */
  private settledFrom: number;

  constructor(name: string, length: number, pageSize: number) {
    this.name = name;
    this.pageSize = pageSize;
    this.count = Math.ceil(length / pageSize);
    this.receivedMap = new Uint8Array(Math.ceil(this.count / 8));
    this.requestedMap = new Uint8Array(this.receivedMap.length);
    this.settledFrom = this.count;
  }

  /** Pages that are there. */
  get received(): number {
    return this.receivedCount;
  }

  /** Pages that have been asked for and are not there yet. */
  get requested(): number {
    return this.requestedCount;
  }

  get missing(): number {
    return this.count - this.receivedCount - this.requestedCount;
  }

  /** `page`: its number in the block. */
  state(page: number): PageState {
    if (has(this.receivedMap, page)) return "received";
    return has(this.requestedMap, page) ? "requested" : "missing";
  }

  /** The page has arrived. Says what it was before. */
  receive(page: number): PageState {
    const before = this.state(page);
    if (before === "received" || page >= this.count) return before;
    put(this.receivedMap, page, true);
    this.receivedCount++;
    if (before === "requested") {
      put(this.requestedMap, page, false);
      this.requestedCount--;
    }
    return before;
  }

  /** The page is going to be asked for. False when that makes no sense, because it is there or has been asked for. */
  request(page: number): boolean {
    if (page >= this.count || this.state(page) !== "missing") return false;
    put(this.requestedMap, page, true);
    this.requestedCount++;
    return true;
  }

  /** Pages of this range, in bytes, were changed after they had been sent: they are missing again. */
  discard(start: number, length: number): void {
    const from = Math.floor(start / this.pageSize);
    const to = Math.min(this.count, Math.ceil((start + length) / this.pageSize));
    for (let page = from; page < to; page++) {
      if (!has(this.receivedMap, page)) continue;
      put(this.receivedMap, page, false);
      this.receivedCount--;
    }
    this.settledFrom = Math.max(this.settledFrom, to);
  }

  /** Nobody will answer what has been asked for: it is missing, as if it had not been. */
  forgetRequests(): void {
    this.requestedMap.fill(0);
    this.requestedCount = 0;
    this.settledFrom = this.count;
  }

  /** A bit for each page that is there, the first page lowest, up to whole words of 64. */
  receivedBitmap(): Uint8Array {
    const bitmap = new Uint8Array(Math.ceil(this.count / 64) * 8);
    bitmap.set(this.receivedMap);
    return bitmap;
  }

  /** The last page that is missing and has not been asked for. */
  lastMissing(): number | undefined {
    let end = this.settledFrom;
    while (end > 0) {
      // Eight pages at a time where all of them are settled: nearly all are when postcopy begins.
      const byte = end / 8 - 1;
      if (end % 8 === 0 && ((this.receivedMap[byte] ?? 0) | (this.requestedMap[byte] ?? 0)) === 0xff)
        end -= 8;
      else if (this.state(end - 1) === "missing") break;
      else end--;
    }
    this.settledFrom = end;
    return end > 0 ? end - 1 : undefined;
  }
}

function has(map: Uint8Array, page: number): boolean {
  return ((map[Math.floor(page / 8)] ?? 0) & (1 << (page % 8))) !== 0;
}

function put(map: Uint8Array, page: number, value: boolean): void {
  const at = Math.floor(page / 8);
  const bit = 1 << (page % 8);
  map[at] = value ? (map[at] ?? 0) | bit : (map[at] ?? 0) & ~bit;
}
