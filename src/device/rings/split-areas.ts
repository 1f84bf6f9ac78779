/** The three areas of a split virtqueue, in place: descriptors, what the driver has made available, what is used. */
import {
  VIRTQ_DESC_SIZE,
  VIRTQ_USED_ELEM_SIZE,
  VirtqAvailView,
  VirtqUsedView,
  walkVirtqAvail,
  walkVirtqUsed,
} from "../../../generated/virtio/ring.js";
import { Reader, Writer } from "../../runtime/index.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { Cell } from "./cell.js";
import { areaOf } from "./chain.js";
import { RingFault } from "./fault.js";
import { fieldOffsets, offsetOf } from "./places.js";
import type { QueuePlace } from "./queue.js";

/** @source virtio 1.4, Split Virtqueues: Queue Size is a power of 2, at most 32768 */
const MAX_SIZE = 32768;
/** @source virtio 1.4, Split Virtqueues, table of alignments */
const ALIGNMENT = { descriptors: 16, available: 2, used: 4 } as const;
/** Of a ring index, an event index, a head in the available ring and each ring's flags. */
export const INDEX_BYTES: number = Uint16Array.BYTES_PER_ELEMENT;

export class SplitAreas {
  readonly descriptors: Reader;
  readonly descriptorWriter: Writer;
  readonly available: VirtqAvailView;
  readonly availableIndex: Cell;
  readonly availableFlags: Cell;
  /** Where the driver waits for the used index, with VIRTIO_F_EVENT_IDX. */
  readonly usedEvent: Cell | undefined;
  readonly used: Reader;
  readonly usedWriter: Writer;
  readonly usedIndex: Cell;
  readonly usedFlags: Cell;
  /** Where the device waits for the available index, with VIRTIO_F_EVENT_IDX. */
  readonly availableEvent: Cell | undefined;
  /** From the start of the available ring. */
  readonly availableIndexOffset: number;
  readonly usedEventOffset: number;
  /** From the start of the used ring. */
  readonly usedIndexOffset: number;
  readonly availableEventOffset: number;
  private readonly availableRingOffset: number;
  private readonly usedRingOffset: number;

  /** @throws RingFault when the queue cannot lie there. */
  constructor(memory: GuestMemory, place: QueuePlace, eventIdx: boolean) {
    const { size } = place;
    if (!(size > 0 && size <= MAX_SIZE && Number.isInteger(Math.log2(size)))) {
      throw new RingFault("size", `a split virtqueue cannot have ${size} descriptors`);
    }
    const table = areaOf(
      memory,
      place.descriptorArea,
      size * VIRTQ_DESC_SIZE,
      ALIGNMENT.descriptors,
      "descriptor table",
    );
    this.descriptors = new Reader(table);
    this.descriptorWriter = new Writer(table);
    const inAvailable = availableOffsets(size, eventIdx);
    const available = areaOf(
      memory,
      place.driverArea,
      inAvailable.end,
      ALIGNMENT.available,
      "available ring",
    );
    this.available = new VirtqAvailView(available, 0, size, eventIdx);
    this.availableIndex = new Cell(available, inAvailable.idx);
    this.availableFlags = new Cell(available, inAvailable.flags);
    this.usedEvent = eventIdx ? new Cell(available, inAvailable.event) : undefined;
    const inUsed = usedOffsets(size, eventIdx);
    const used = areaOf(memory, place.deviceArea, inUsed.end, ALIGNMENT.used, "used ring");
    this.used = new Reader(used);
    this.usedWriter = new Writer(used);
    this.usedIndex = new Cell(used, inUsed.idx);
    this.usedFlags = new Cell(used, inUsed.flags);
    this.availableEvent = eventIdx ? new Cell(used, inUsed.event) : undefined;
    this.availableIndexOffset = inAvailable.idx;
    this.usedEventOffset = inAvailable.event;
    this.availableRingOffset = inAvailable.ring;
    this.usedIndexOffset = inUsed.idx;
    this.availableEventOffset = inUsed.event;
    this.usedRingOffset = inUsed.ring;
  }

  /** Where the head of an available index lies, from the start of the available ring. */
  availableElementOffset(index: number, size: number): number {
    return this.availableRingOffset + (index % size) * INDEX_BYTES;
  }

  /** Where the element of a used index lies, from the start of the used ring. */
  usedElementOffset(index: number, size: number): number {
    return this.usedRingOffset + (index % size) * VIRTQ_USED_ELEM_SIZE;
  }
}

/** @source virtio 1.4, Legacy Interfaces: A Note on Virtqueue Layout; of PCI devices */
export const LEGACY_ALIGNMENT = 4096;

/** Where the areas of a virtqueue lie that a legacy driver has placed with one address, in bytes. */
export function legacyPlace(address: number, size: number): QueuePlace {
  const driverArea = address + size * VIRTQ_DESC_SIZE;
  const end = driverArea + availableOffsets(size, true).end;
  return {
    size,
    descriptorArea: address,
    driverArea,
    deviceArea: Math.ceil(end / LEGACY_ALIGNMENT) * LEGACY_ALIGNMENT,
  };
}

interface RingOffsets {
  readonly flags: number;
  readonly idx: number;
  readonly ring: number;
  /** Of the event index; behind the ring without VIRTIO_F_EVENT_IDX. */
  readonly event: number;
  readonly end: number;
}

/** The rings with one element: two more have the same offsets before the ring, and end so much later. */
const SAMPLE = 1;

function availableOffsets(size: number, eventIdx: boolean): RingOffsets {
  const sample = new Uint8Array(1 << 6);
  const view = new VirtqAvailView(sample, 0, SAMPLE, true);
  const offsets = fieldOffsets((visitor) => walkVirtqAvail(new Reader(sample), visitor, SAMPLE, true));
  return grown(offsets, "used_event", view.$end, size, eventIdx);
}

function usedOffsets(size: number, eventIdx: boolean): RingOffsets {
  const sample = new Uint8Array(1 << 6);
  const view = new VirtqUsedView(sample, 0, SAMPLE, true);
  const offsets = fieldOffsets((visitor) => walkVirtqUsed(new Reader(sample), visitor, SAMPLE, true));
  return grown(offsets, "avail_event", view.$end, size, eventIdx);
}

function grown(
  offsets: ReadonlyMap<string, number>,
  eventName: string,
  end: number,
  size: number,
  eventIdx: boolean,
): RingOffsets {
  const ring = offsetOf(offsets, "ring");
  const event = offsetOf(offsets, eventName);
  const growth = (size - SAMPLE) * (event - ring);
  return {
    flags: offsetOf(offsets, "flags"),
    idx: offsetOf(offsets, "idx"),
    ring,
    event: event + growth,
    end: (eventIdx ? end : event) + growth,
  };
}
