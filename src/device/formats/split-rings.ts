/**
 * What guest memory says of a split virtqueue of a device that stands still: the used index, what the driver made
 * available, and what descriptors say. The guest's driver wrote it, so nothing in it is believed.
 */
import {
  decodeVirtqAvail,
  decodeVirtqUsed,
  decodeVringAvail,
  decodeVringUsed,
  readVringDescAt,
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_ELEM_SIZE,
  VirtqDescFlags,
} from "../../../generated/virtio/ring.js";
import { Reader } from "../../runtime/index.js";
import type { BufferPart, BufferParts, QueueState } from "../member/device-state.js";

/** Bytes at a guest-physical address. Undefined where it is not known what stands there. */
export type GuestBytes = (address: bigint, length: number) => Uint8Array | undefined;

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE, VIRTQ_DESC_F_INDIRECT } = VirtqDescFlags;
/** Flags and index, in front of the elements of either ring. */
const RING_HEAD = 2 * Uint16Array.BYTES_PER_ELEMENT;
/** @source virtio 1.4, Split Virtqueues */
const MAX_SIZE = 32768;
/** What QEMU has room for in a request, and far more than a driver puts into one. */
const MAX_PARTS = 1024;

export class SplitRings {
  private readonly memory: GuestBytes;
  private readonly queue: QueueState;
  private readonly isLittleEndian: boolean;

  constructor(memory: GuestBytes, queue: QueueState, isLittleEndian: boolean) {
    this.memory = memory;
    this.queue = queue;
    this.isLittleEndian = isLittleEndian;
  }

  /** The used index. Undefined: the ring cannot be read. */
  usedIndex(): number | undefined {
    const { size, deviceArea } = this.queue;
    const bytes = this.area(deviceArea, RING_HEAD + size * VIRTQ_USED_ELEM_SIZE);
    if (bytes === undefined) return undefined;
    if (this.isLittleEndian) return decodeVirtqUsed(bytes, size, false).idx;
    return decodeVringUsed(withEvent(bytes), size, false).idx;
  }

  /**
   * The heads that the driver put into its ring, from one index up to another. Undefined: the ring cannot be read, or is
   * not of the moment when the device stood there.
   */
  heads(from: number, to: number): number[] | undefined {
    const { size, driverArea } = this.queue;
    const count = (to - from) & 0xffff;
    const bytes = this.area(driverArea, RING_HEAD + size * Uint16Array.BYTES_PER_ELEMENT);
    if (bytes === undefined || count > size) return undefined;
    const { idx, ring } = this.isLittleEndian
      ? decodeVirtqAvail(bytes, size, false)
      : decodeVringAvail(withEvent(bytes), size, false);
    // A device cannot have read further than the driver has written.
    if (((idx - to) & 0xffff) > size) return undefined;
    const heads = Array.from({ length: count }, (_, i) => ring[(from + i) % size] ?? 0);
    return new Set(heads).size === count ? heads : undefined;
  }

  /** What the descriptors of a buffer say. Undefined: they cannot be read, or make no buffer. */
  parts(head: number): BufferParts | undefined {
    const { size, descriptorArea } = this.queue;
    const table = this.area(descriptorArea, size * VIRTQ_DESC_SIZE);
    const readable: BufferPart[] = [];
    const writable: BufferPart[] = [];
    if (table === undefined || !this.follow(table, head, readable, writable, true)) return undefined;
    return { readable, writable };
  }

  private follow(
    table: Uint8Array,
    head: number,
    readable: BufferPart[],
    writable: BufferPart[],
    isOuter: boolean,
  ): boolean {
    const reader = new Reader(table);
    const size = table.length / VIRTQ_DESC_SIZE;
    let index = head;
    for (let count = 0; count < size && count < MAX_PARTS && index < size; count++) {
      const { addr, len, flags, next } = readVringDescAt(
        reader,
        index * VIRTQ_DESC_SIZE,
        this.isLittleEndian,
      );
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        const isTable =
          isOuter && len > 0 && len % VIRTQ_DESC_SIZE === 0 && len / VIRTQ_DESC_SIZE <= MAX_SIZE;
        const inner = isTable ? this.memory(addr, len) : undefined;
        return inner !== undefined && this.follow(inner, 0, readable, writable, false);
      }
      ((flags & VIRTQ_DESC_F_WRITE) !== 0 ? writable : readable).push({ address: addr, length: len });
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return true;
      index = next;
    }
    return false;
  }

  private area(address: bigint, length: number): Uint8Array | undefined {
    const { size } = this.queue;
    return address === 0n || size === 0 || size > MAX_SIZE ? undefined : this.memory(address, length);
  }
}

/** The legacy layout has a place for the event index, which is of no interest here and may not be in memory. */
function withEvent(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + Uint16Array.BYTES_PER_ELEMENT);
  all.set(bytes);
  return all;
}
