/**
 * Rings written by hand from the specification's listings, as an independent judge of what the queues write and read.
 * @source virtio 1.4, split-ring.tex, packed-ring.tex
 */

/** Where the tests put a queue of `size`, all areas aligned to a page. */
export function placeOf(size: number, start = 0x1000) {
  return { size, descriptorArea: start, driverArea: start + 0x10000, deviceArea: start + 0x20000 };
}

export class SplitByHand {
  readonly view: DataView;
  private readonly place: ReturnType<typeof placeOf>;

  constructor(bytes: Uint8Array, place: ReturnType<typeof placeOf>) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.place = place;
  }

  /** struct virtq_desc { le64 addr; le32 len; le16 flags; le16 next; } */
  describe(index: number, addr: number, len: number, flags: number, next = 0, table?: number): void {
    const at = (table ?? this.place.descriptorArea) + index * 16;
    this.view.setBigUint64(at, BigInt(addr), true);
    this.view.setUint32(at + 8, len, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** struct virtq_avail { le16 flags; le16 idx; le16 ring[]; le16 used_event; } */
  offer(slot: number, head: number, idx: number): void {
    this.view.setUint16(this.place.driverArea + 4 + slot * 2, head, true);
    this.view.setUint16(this.place.driverArea + 2, idx, true);
  }

  set availableFlags(flags: number) {
    this.view.setUint16(this.place.driverArea, flags, true);
  }

  set usedEvent(index: number) {
    this.view.setUint16(this.place.driverArea + 4 + this.place.size * 2, index, true);
  }

  /** struct virtq_used { le16 flags; le16 idx; struct { le32 id; le32 len; } ring[]; le16 avail_event; } */
  get usedIndex(): number {
    return this.view.getUint16(this.place.deviceArea + 2, true);
  }

  get usedFlags(): number {
    return this.view.getUint16(this.place.deviceArea, true);
  }

  get availableEvent(): number {
    return this.view.getUint16(this.place.deviceArea + 4 + this.place.size * 8, true);
  }

  used(slot: number): readonly [id: number, len: number] {
    const at = this.place.deviceArea + 4 + slot * 8;
    return [this.view.getUint32(at, true), this.view.getUint32(at + 4, true)];
  }
}

/** struct pvirtq_desc { le64 addr; le32 len; le16 id; le16 flags; } */
export function pvirtqDesc(
  view: DataView,
  at: number,
  addr: number,
  len: number,
  id: number,
  flags: number,
): void {
  view.setBigUint64(at, BigInt(addr), true);
  view.setUint32(at + 8, len, true);
  view.setUint16(at + 12, id, true);
  view.setUint16(at + 14, flags, true);
}
