/**
 * The driver's side of a split virtqueue with nothing but what it takes to keep a device busy: descriptors are written
 * once, and every buffer that comes back goes out again. So what is measured is the device. Little-endian hosts only.
 */
import type { QueuePlace } from "../../src/device/index.js";

/** Flags of a descriptor. @source virtio 1.4, struct virtq_desc */
export const NEXT = 1;
export const WRITE = 2;

const DESCRIPTOR_BYTES = 16;
/** Flags and index lead both rings. */
const HEAD_WORDS = 2;
const USED_WORDS = 2;

export class FloodQueue {
  readonly size: number;
  private readonly descriptors: DataView;
  private readonly available: Uint16Array;
  private readonly used: Uint32Array;
  /** The same memory, for the index and the event behind the ring. */
  private readonly usedWords: Uint16Array;
  private readonly mask: number;
  private readonly batch: number;
  private nextAvailable = 0;
  private published = 0;
  private nextUsed = 0;

  /**
   * `memory`: guest memory from address 0. VIRTIO_F_EVENT_IDX has been negotiated. `batch`: a guest that kicks for every
   * single buffer would measure the price of a kick.
   */
  constructor(
    memory: Uint8Array,
    batch: number,
    { size, descriptorArea, driverArea, deviceArea }: QueuePlace,
  ) {
    const { buffer, byteOffset } = memory;
    this.size = size;
    this.mask = size - 1;
    this.batch = batch;
    this.descriptors = new DataView(buffer, byteOffset + descriptorArea, size * DESCRIPTOR_BYTES);
    this.available = new Uint16Array(buffer, byteOffset + driverArea, HEAD_WORDS + size + 1);
    this.used = new Uint32Array(buffer, byteOffset + deviceArea, 1 + size * USED_WORDS);
    this.usedWords = new Uint16Array(buffer, byteOffset + deviceArea, HEAD_WORDS + size * 2 * USED_WORDS + 1);
  }

  describe(index: number, address: number, length: number, flags: number, next = 0): void {
    const at = index * DESCRIPTOR_BYTES;
    this.descriptors.setBigUint64(at, BigInt(address), true);
    this.descriptors.setUint32(at + 8, length, true);
    this.descriptors.setUint16(at + 12, flags, true);
    this.descriptors.setUint16(at + 14, next, true);
  }

  offer(head: number): void {
    this.available[HEAD_WORDS + (this.nextAvailable & this.mask)] = head;
    this.nextAvailable = (this.nextAvailable + 1) & 0xffff;
  }

  /** Shows the device what was offered. Gives whether it wants to be kicked. */
  publish(): boolean {
    const before = this.published;
    const now = this.nextAvailable;
    if (before === now) return false;
    this.published = now;
    Atomics.store(this.available, 1, now);
    // While buffers are looked for, nobody has to call: as far away as there is.
    Atomics.store(this.available, HEAD_WORDS + this.size, (this.nextUsed + 0x8000) & 0xffff);
    const event = Atomics.load(this.usedWords, HEAD_WORDS + this.size * 2 * USED_WORDS);
    return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
  }

  /** Has the device call when a batch has come back, until buffers are published again. Gives whether one is back. */
  wantNotifications(): boolean {
    Atomics.store(this.available, HEAD_WORDS + this.size, (this.nextUsed + this.batch - 1) & 0xffff);
    return this.back() >= this.batch;
  }

  private back(): number {
    return (Atomics.load(this.usedWords, 1) - this.nextUsed) & 0xffff;
  }

  /** Offers every buffer again that has come back, once they are a batch, and gives how many those were. */
  recycle(): number {
    const count = this.back();
    if (count < this.batch) return 0;
    for (let i = 0; i < count; i++) {
      const at = 1 + ((this.nextUsed + i) & this.mask) * USED_WORDS;
      this.offer(this.used[at] as number);
    }
    this.nextUsed = (this.nextUsed + count) & 0xffff;
    return count;
  }
}
