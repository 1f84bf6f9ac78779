/** The three areas of a packed virtqueue, in place: the ring, and the two structures of event suppression. */
import {
  decodePvirtqEventSuppress,
  encodePvirtqEventSuppress,
  PVIRTQ_DESC_SIZE,
  PVIRTQ_EVENT_SUPPRESS_SIZE,
  PvirtqDescFlags,
  type PvirtqEventSuppress,
  RingEventFlags,
  walkPvirtqDesc,
} from "../../../generated/virtio/ring.js";
import { Reader, Writer } from "../../runtime/index.js";
import type { RingPosition } from "../../streams/virtqueues/packed-position.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { Cell, Words } from "./cell.js";
import { areaOf } from "./chain.js";
import { RingFault } from "./fault.js";
import { fieldOffsets, offsetOf } from "./places.js";
import { passedEvent, type QueuePlace } from "./queue.js";

/** @source virtio 1.4, Packed Virtqueues: Queue Size is at most 32768, and any number */
const MAX_SIZE = 32768;
/** @source virtio 1.4, Packed Virtqueues, table of alignments */
const ALIGNMENT = { ring: 16, events: 4 } as const;

const { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } = PvirtqDescFlags;

export class PackedAreas {
  readonly ring: Reader;
  readonly ringWriter: Writer;
  readonly flagsOffset: number;
  /** What the driver wants to be told. */
  readonly driverEvent: EventSuppression;
  /** What the device wants to be told. */
  readonly deviceEvent: EventSuppression;
  private readonly words: Words;

  /** @throws RingFault when the queue cannot lie there. */
  constructor(memory: GuestMemory, place: QueuePlace) {
    const { size } = place;
    if (!(Number.isInteger(size) && size > 0 && size <= MAX_SIZE)) {
      throw new RingFault("size", `a packed virtqueue cannot have ${size} descriptors`);
    }
    const ring = areaOf(
      memory,
      place.descriptorArea,
      size * PVIRTQ_DESC_SIZE,
      ALIGNMENT.ring,
      "descriptor ring",
    );
    this.ring = new Reader(ring);
    this.ringWriter = new Writer(ring);
    const offsets = fieldOffsets((visitor) =>
      walkPvirtqDesc(new Reader(new Uint8Array(PVIRTQ_DESC_SIZE)), visitor),
    );
    this.flagsOffset = offsetOf(offsets, "flags");
    this.words = new Words(ring);
    this.driverEvent = new EventSuppression(memory, place.driverArea, "driver event suppression");
    this.deviceEvent = new EventSuppression(memory, place.deviceArea, "device event suppression");
  }

  /** The flags of a descriptor, which say whose it is: to be read before the rest of it, and written after. */
  loadFlags(slot: number): number {
    return this.words.load(slot * PVIRTQ_DESC_SIZE + this.flagsOffset);
  }

  storeFlags(slot: number, flags: number): void {
    this.words.store(slot * PVIRTQ_DESC_SIZE + this.flagsOffset, flags);
  }
}

export function isUsed(flags: number, wrap: boolean): boolean {
  return ((flags & VIRTQ_DESC_F_AVAIL) !== 0) === wrap && ((flags & VIRTQ_DESC_F_USED) !== 0) === wrap;
}

export function availableFlags(wrap: boolean): number {
  return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

export function usedFlags(wrap: boolean): number {
  return wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
}

/** One side's structure: that side writes it, the other reads it. */
class EventSuppression {
  readonly address: number;
  private readonly bytes: Uint8Array;
  private readonly words: readonly [Cell, Cell];

  constructor(memory: GuestMemory, address: number, name: string) {
    this.address = address;
    this.bytes = areaOf(memory, address, PVIRTQ_EVENT_SUPPRESS_SIZE, ALIGNMENT.events, name);
    this.words = [new Cell(this.bytes, 0), new Cell(this.bytes, Uint16Array.BYTES_PER_ELEMENT)];
  }

  /** Whether the side that owns it wants to know that the other has moved from `before` to `now`. */
  wants(before: RingPosition, now: RingPosition, size: number): boolean {
    // The fence: what was written before must be visible to a side that changes its mind at this moment.
    this.words[1].load();
    const { descEventFlags, descEventOff, descEventWrap } = decodePvirtqEventSuppress(this.bytes.slice());
    if (descEventFlags === RingEventFlags.RING_EVENT_FLAGS_DISABLE) return false;
    if (descEventFlags !== RingEventFlags.RING_EVENT_FLAGS_DESC) return true;
    // Offsets on one line: those of the round before lie `size` lower.
    const event = (descEventWrap === 1) === now.wrap ? descEventOff : descEventOff - size;
    const from = before.wrap === now.wrap ? before.slot : before.slot - size;
    return passedEvent(event, now.slot, from);
  }

  set(value: PvirtqEventSuppress): void {
    const encoded = new DataView(encodePvirtqEventSuppress(value).buffer);
    // The place before the flags that make it count.
    this.words[0].store(encoded.getUint16(0, true));
    this.words[1].store(encoded.getUint16(Uint16Array.BYTES_PER_ELEMENT, true));
  }
}

export type { EventSuppression };
