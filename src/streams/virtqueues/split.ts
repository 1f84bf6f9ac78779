/**
 * A split virtqueue of a device that stands still: what its driver has made available, what the device has given back, and
 * what the descriptors say.
 */
import {
  decodeVirtqAvail,
  decodeVirtqUsed,
  decodeVringAvail,
  decodeVringUsed,
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_ELEM_SIZE,
} from "../../../generated/virtio/ring.js";
import { type Chain, SplitTable } from "./chain.js";
import { MAX_QUEUE_SIZE, type RingMemory, type VirtqueuePlace } from "./memory.js";

export interface SplitTraits {
  /** Of the rings: a legacy driver's are in its own order. */
  readonly isLittleEndian: boolean;
  /** VIRTIO_F_EVENT_IDX */
  readonly eventIdx: boolean;
}

export interface AvailableRing {
  readonly flags: number;
  /** Where the driver puts the next head: counts freely, and wraps at 65536. */
  readonly index: number;
  readonly heads: readonly number[];
  /** With VIRTIO_F_EVENT_IDX: up to where the driver has no need to hear of used buffers. */
  readonly usedEvent: number | undefined;
}

export interface UsedRing {
  readonly flags: number;
  /** Where the device puts the next buffer that it gives back. */
  readonly index: number;
  readonly heads: readonly number[];
  /** With VIRTIO_F_EVENT_IDX: up to where the device has no need to hear of available buffers. */
  readonly availableEvent: number | undefined;
}

const WORD = Uint16Array.BYTES_PER_ELEMENT;
/** Flags and index, in front of the elements of either ring. */
const RING_HEAD = 2 * WORD;

export class SplitVirtqueue {
  private readonly memory: RingMemory;
  private readonly place: VirtqueuePlace;
  private readonly traits: SplitTraits;
  private table: SplitTable | undefined;

  constructor(memory: RingMemory, place: VirtqueuePlace, traits: SplitTraits) {
    this.memory = memory;
    this.place = place;
    this.traits = traits;
  }

  /** Undefined: it cannot be read. */
  available(): AvailableRing | undefined {
    const { size, driverArea } = this.place;
    const { isLittleEndian, eventIdx } = this.traits;
    const bytes = this.area(driverArea, RING_HEAD + size * WORD, eventIdx);
    if (bytes === undefined) return undefined;
    const { flags, idx, ring, usedEvent } = isLittleEndian
      ? decodeVirtqAvail(bytes, size, eventIdx)
      : decodeVringAvail(withEvent(bytes, eventIdx), size, false);
    return { flags, index: idx, heads: ring, usedEvent: eventIdx ? usedEvent : undefined };
  }

  /** Undefined: it cannot be read. */
  used(): UsedRing | undefined {
    const { size, deviceArea } = this.place;
    const { isLittleEndian, eventIdx } = this.traits;
    const bytes = this.area(deviceArea, RING_HEAD + size * VIRTQ_USED_ELEM_SIZE, eventIdx);
    if (bytes === undefined) return undefined;
    const { flags, idx, ring, availEvent } = isLittleEndian
      ? decodeVirtqUsed(bytes, size, eventIdx)
      : decodeVringUsed(withEvent(bytes, eventIdx), size, false);
    const heads = ring.map(({ id }) => id);
    return { flags, index: idx, heads, availableEvent: eventIdx ? availEvent : undefined };
  }

  /** What the descriptors of a buffer say. */
  chain(head: number): Chain {
    this.table ??= this.descriptors();
    if (this.table === undefined) {
      return { head, descriptors: [], fault: { code: "unreadable", detail: "the table is not known" } };
    }
    const { entries, fault } = this.table.follow(head);
    return { head, descriptors: entries, fault };
  }

  private descriptors(): SplitTable | undefined {
    const { size, descriptorArea } = this.place;
    const bytes = this.area(descriptorArea, size * VIRTQ_DESC_SIZE, false);
    return bytes && new SplitTable(bytes, this.memory, this.traits.isLittleEndian);
  }

  private area(address: bigint, length: number, eventIdx: boolean): Uint8Array | undefined {
    const { size } = this.place;
    if (address === 0n || size === 0 || size > MAX_QUEUE_SIZE) return undefined;
    return this.memory.read(address, length + (eventIdx ? WORD : 0));
  }
}

/** The legacy layout has a place for the event index even where it is not used, and there it may not be in memory. */
function withEvent(bytes: Uint8Array, hasEvent: boolean): Uint8Array {
  if (hasEvent) return bytes;
  const all = new Uint8Array(bytes.length + WORD);
  all.set(bytes);
  return all;
}
