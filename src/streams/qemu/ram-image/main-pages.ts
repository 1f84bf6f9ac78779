/**
 * Notes in an image where the pages of a main stream lie. Rounds are counted as the destination's barriers are: by the
 * records MULTIFD_FLUSH, or, from sources that send none, by the parts of the section.
 */
import type { QemuVmCommand } from "../../../../generated/qemu/stream.js";
import type { RamBlock, RamPageSink } from "../ram/blocks.js";
import type { Arrival, RamImage } from "./image.js";
import { ZERO_CODE } from "./location.js";

export class MainPages implements RamPageSink {
  private readonly image: RamImage;
  private input: number;
  /** Where in the stream the input begins. */
  private from = 0;
  private readonly pageSize: () => number | undefined;
  private flushes = 0;
  private parts = 0;
  /** Pages came before anything had said how large they are: the stream must be read again, now that it is known. */
  pageSizeMissed = false;

  /** `pageSize`: what the parser knows when it reports a page. */
  constructor(image: RamImage, input: number, pageSize: () => number | undefined) {
    this.image = image;
    this.input = input;
    this.pageSize = pageSize;
  }

  /** The stream goes on in another input, from `from` on. */
  resume(input: number, from: number): void {
    this.input = input;
    this.from = from;
  }

  page(block: RamBlock, offset: number, at: number): void {
    if (this.knows(block)) this.image.putPlain(block.name, offset, this.input, at - this.from, this.arrival);
  }

  zero(block: RamBlock, offset: number): void {
    if (this.knows(block)) this.image.put(block.name, offset, ZERO_CODE, this.arrival, 0);
  }

  changes(block: RamBlock, offset: number, at: number, length: number): void {
    if (this.knows(block)) this.image.change(block.name, offset, at, length, this.arrival);
  }

  /** Where a bit is not set, the page is not in the file: it holds zeroes. */
  bitmap(block: RamBlock, first: number, bytes: Uint8Array): void {
    const { mapped, usedLength, name } = block;
    const pageSize = this.pageSize();
    if (mapped === undefined || pageSize === undefined || !this.knows(block)) return;
    const { arrival } = this;
    const pages = Math.min(bytes.length * 8, Math.ceil(usedLength / pageSize) - first);
    for (let i = 0; i < pages; i++) {
      const offset = (first + i) * pageSize;
      const isThere = ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1;
      if (isThere) this.image.putPlain(name, offset, this.input, mapped.pagesOffset + offset, arrival);
      else this.image.put(name, offset, ZERO_CODE, arrival, mapped.bitmapOffset);
    }
  }

  flush(): void {
    this.flushes++;
  }

  partEnd(): void {
    this.parts++;
  }

  /** For commands that say something of pages. */
  command({ data: { body } }: QemuVmCommand): void {
    if (body.case !== "migCmdPostcopyRamDiscard") return;
    const { block, ranges } = body.value;
    for (const { start, length } of ranges) {
      this.image.discard(block.text, Number(start), Number(length), this.round);
    }
  }

  private get round(): number {
    return this.flushes > 0 ? this.flushes : this.parts;
  }

  private get arrival(): Arrival {
    return { round: this.round, wins: true };
  }

  private knows(block: RamBlock): boolean {
    const pageSize = this.pageSize();
    if (pageSize === undefined) {
      this.pageSizeMissed = true;
      return false;
    }
    this.image.declare(block.name, block.usedLength, pageSize);
    return true;
  }
}
