/**
 * What guest memory says of a split virtqueue that a device state takes over: the used index, what the driver made
 * available, and what descriptors say, as far as a device can go on with it.
 */
import { VirtqDescFlags } from "../../../generated/virtio/ring.js";
import { type GuestBytes, RingMemory } from "../../streams/virtqueues/memory.js";
import { SplitVirtqueue } from "../../streams/virtqueues/split.js";
import type { BufferPart, BufferParts, QueueState } from "../member/device-state.js";

const { VIRTQ_DESC_F_WRITE } = VirtqDescFlags;

export class SplitRings {
  private readonly size: number;
  private readonly rings: SplitVirtqueue;

  constructor(memory: GuestBytes, queue: QueueState, isLittleEndian: boolean) {
    this.size = queue.size;
    // The event indices are of no interest to a device that goes on elsewhere.
    this.rings = new SplitVirtqueue(new RingMemory(memory), queue, { isLittleEndian, eventIdx: false });
  }

  /** The used index. Undefined: the ring cannot be read. */
  usedIndex(): number | undefined {
    return this.rings.used()?.index;
  }

  /**
   * The heads that the driver put into its ring, from one index up to another. Undefined: the ring cannot be read, or is
   * not of the moment when the device stood there.
   */
  heads(from: number, to: number): number[] | undefined {
    const { size } = this;
    const count = (to - from) & 0xffff;
    const available = this.rings.available();
    if (available === undefined || count > size) return undefined;
    // A device cannot have read further than the driver has written.
    if (((available.index - to) & 0xffff) > size) return undefined;
    const heads = Array.from({ length: count }, (_, i) => available.heads[(from + i) % size] ?? 0);
    return new Set(heads).size === count ? heads : undefined;
  }

  /** What the descriptors of a buffer say. Undefined: they cannot be read, or make no buffer. */
  parts(head: number): BufferParts | undefined {
    const { descriptors, fault } = this.rings.chain(head);
    if (fault !== undefined) return undefined;
    const readable: BufferPart[] = [];
    const writable: BufferPart[] = [];
    for (const { address, length, flags } of descriptors.flatMap((one) => one.indirect ?? [one])) {
      ((flags & VIRTQ_DESC_F_WRITE) !== 0 ? writable : readable).push({ address, length });
    }
    return { readable, writable };
  }
}
