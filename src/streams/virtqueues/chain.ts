/** Chains of descriptors, as a driver left them in memory: followed as far as they make sense, and no further. */
import {
  PVIRTQ_DESC_SIZE,
  readPvirtqDescAt,
  readVringDescAt,
  VIRTQ_DESC_SIZE,
  VirtqDescFlags,
} from "../../../generated/virtio/ring.js";
import { Reader } from "../../runtime/index.js";
import { MAX_QUEUE_SIZE, type RingMemory } from "./memory.js";

export interface Descriptor {
  /** In its table. */
  readonly index: number;
  /** Guest-physical. */
  readonly address: bigint;
  /** In bytes. */
  readonly length: number;
  /** `VirtqDescFlags`; in a packed ring `PvirtqDescFlags`. */
  readonly flags: number;
  /** The table that it points to. */
  readonly indirect?: readonly Descriptor[] | undefined;
}

export type ChainFaultCode =
  /** Memory that is not known, or that the stream does not hold. */
  | "unreadable"
  /** A descriptor outside of its table. */
  | "descriptor"
  /** More descriptors than there are: it goes in circles. */
  | "loop"
  /** A table of an odd size, or inside another one. */
  | "indirect"
  /** More parts than anybody takes, or too much has been read already. */
  | "limit";

export interface ChainFault {
  readonly code: ChainFaultCode;
  readonly detail: string;
}

/** A buffer: what its descriptors say. */
export interface Chain {
  /** The index of its first descriptor (split), or its buffer id (packed). */
  readonly head: number;
  readonly descriptors: readonly Descriptor[];
  /** Why it ends before its end. */
  readonly fault: ChainFault | undefined;
}

const { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_INDIRECT } = VirtqDescFlags;
/** More parts than any device takes of a buffer. @source QEMU 10.0.2, include/hw/virtio/virtio.h, VIRTQUEUE_MAX_SIZE */
const MAX_PARTS = 1024;

/** What a descriptor of either kind of ring says of what comes next. */
interface Entry extends Descriptor {
  /** The next one of a split ring, in its table. */
  readonly next: number;
  /** The buffer's id, in a packed ring. */
  readonly id: number;
}

/** A table of descriptors in memory: the ring's, or an indirect one. */
abstract class DescriptorTable {
  readonly size: number;
  protected readonly reader: Reader;
  private readonly memory: RingMemory;

  constructor(bytes: Uint8Array, entry: number, memory: RingMemory) {
    this.reader = new Reader(bytes);
    this.size = bytes.length / entry;
    this.memory = memory;
  }

  abstract at(index: number): Entry;

  /** The descriptors that follow one another from `index` on, which is that of a head. */
  follow(index: number): { readonly entries: readonly Entry[]; readonly fault: ChainFault | undefined } {
    const entries: Entry[] = [];
    let next: number | undefined = index;
    while (next !== undefined) {
      if (next >= this.size) return broken(entries, "descriptor", `descriptor ${next} of ${this.size}`);
      if (entries.length >= this.size) return broken(entries, "loop", `more than ${this.size} descriptors`);
      if (entries.length >= MAX_PARTS || !this.memory.takeDescriptor()) {
        return broken(entries, "limit", `it goes on behind ${entries.length} descriptors`);
      }
      const entry = this.at(next);
      if ((entry.flags & VIRTQ_DESC_F_INDIRECT) === 0) {
        entries.push(entry);
        next = this.behind(entry);
        continue;
      }
      const inner = this.indirect(entry);
      entries.push({ ...entry, indirect: inner.entries });
      return { entries, fault: inner.fault };
    }
    return { entries, fault: undefined };
  }

  /** The descriptor that goes on behind one. */
  protected abstract behind(entry: Entry): number | undefined;
  protected abstract inner(bytes: Uint8Array, memory: RingMemory): DescriptorTable;
  protected abstract readonly isInner: boolean;
  protected abstract readonly entrySize: number;

  private indirect({ address, length }: Entry): ReturnType<DescriptorTable["follow"]> {
    if (this.isInner) return broken([], "indirect", "an indirect table inside another one");
    if (length === 0 || length % this.entrySize !== 0 || length / this.entrySize > MAX_QUEUE_SIZE) {
      return broken([], "indirect", `an indirect table of ${length} bytes`);
    }
    const bytes = this.memory.read(address, length);
    const text = `the indirect table at 0x${address.toString(16)}, ${length} bytes, is not known`;
    return bytes === undefined ? broken([], "unreadable", text) : this.inner(bytes, this.memory).follow(0);
  }
}

function broken(
  entries: readonly Entry[],
  code: ChainFaultCode,
  detail: string,
): ReturnType<DescriptorTable["follow"]> {
  return { entries, fault: { code, detail } };
}

/** Of a split ring. */
export class SplitTable extends DescriptorTable {
  protected readonly entrySize: number = VIRTQ_DESC_SIZE;
  protected readonly isInner: boolean;
  private readonly isLittleEndian: boolean;

  constructor(bytes: Uint8Array, memory: RingMemory, isLittleEndian: boolean, isInner = false) {
    super(bytes, VIRTQ_DESC_SIZE, memory);
    this.isLittleEndian = isLittleEndian;
    this.isInner = isInner;
  }

  at(index: number): Entry {
    const { addr, len, flags, next } = readVringDescAt(
      this.reader,
      index * VIRTQ_DESC_SIZE,
      this.isLittleEndian,
    );
    return { index, address: addr, length: len, flags, next, id: index };
  }

  protected behind({ flags, next }: Entry): number | undefined {
    return (flags & VIRTQ_DESC_F_NEXT) === 0 ? undefined : next;
  }

  protected inner(bytes: Uint8Array, memory: RingMemory): SplitTable {
    return new SplitTable(bytes, memory, this.isLittleEndian, true);
  }
}

/** Of a packed ring: descriptors stand one behind another, also in an indirect table, where no flag says so. */
export class PackedTable extends DescriptorTable {
  protected readonly entrySize: number = PVIRTQ_DESC_SIZE;
  protected readonly isInner: boolean;

  constructor(bytes: Uint8Array, memory: RingMemory, isInner = false) {
    super(bytes, PVIRTQ_DESC_SIZE, memory);
    this.isInner = isInner;
  }

  at(index: number): Entry {
    const { addr, len, id, flags } = readPvirtqDescAt(this.reader, index * PVIRTQ_DESC_SIZE);
    return { index, address: addr, length: len, flags, next: (index + 1) % this.size, id };
  }

  protected behind({ index, flags, next }: Entry): number | undefined {
    if (this.isInner) return index + 1 < this.size ? index + 1 : undefined;
    return (flags & VIRTQ_DESC_F_NEXT) === 0 ? undefined : next;
  }

  protected inner(bytes: Uint8Array, memory: RingMemory): PackedTable {
    return new PackedTable(bytes, memory, true);
  }
}
