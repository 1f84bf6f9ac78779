/** Notes in an image where the pages of a multifd channel lie. The blocks must be known: the main stream is read first. */
import type { MultifdEvent, MultifdPagesEvent } from "../multifd-events.js";
import type { RamImage } from "./image.js";
import { MAX_INPUTS, packedCode, ZERO_CODE } from "./location.js";

export class ChannelPages {
  private readonly image: RamImage;
  private readonly input: number;
  private round = 0;
  /** Pages that unpacking the channel has given so far. */
  private ordinal = 0;

  constructor(image: RamImage, input: number) {
    if (input >= MAX_INPUTS) throw new RangeError(`input ${input}: at most ${MAX_INPUTS} can be told apart`);
    this.image = image;
    this.input = input;
  }

  take(event: MultifdEvent): void {
    if (event.kind === "pages") this.pages(event);
  }

  private pages(event: MultifdPagesEvent): void {
    const { packet, compression, pageSize, at, dataAt, sync, lengths } = event;
    const { ramblock, normalPages, zeroPages, offset } = packet;
    const arrival = { round: this.round, wins: false };
    const known = this.image.block(ramblock)?.pageSize ?? pageSize;
    if (known !== pageSize) {
      this.image.fault(
        "constraint",
        "packets.pages_alloc",
        at,
        `pages of ${pageSize} bytes, not of ${known}`,
      );
      return;
    }
    let plainAt = dataAt;
    for (let i = 0; i < normalPages; i++) {
      const where = offset[i] ?? 0;
      const size = compression === "none" ? pageSize : (lengths?.[i] ?? 0);
      // Of the pages that are compressed one by one, those that did not get smaller are there as they were.
      if (size === pageSize) this.image.putPlain(ramblock, where, this.input, plainAt, arrival);
      else this.image.put(ramblock, where, packedCode(this.input, this.ordinal + i), arrival, at);
      plainAt += size;
    }
    if (compression !== "none") this.ordinal += normalPages;
    for (let i = normalPages; i < normalPages + zeroPages; i++) {
      this.image.put(ramblock, offset[i] ?? 0, ZERO_CODE, arrival, at);
    }
    if (sync) this.round++;
  }
}
