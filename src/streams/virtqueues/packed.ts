/** A packed virtqueue of a device that stands still: its one ring, and when either side wants to be notified. */
import {
  decodePvirtqEventSuppress,
  PVIRTQ_DESC_SIZE,
  PVIRTQ_EVENT_SUPPRESS_SIZE,
  type PvirtqEventSuppress,
} from "../../../generated/virtio/ring.js";
import { type Chain, PackedTable } from "./chain.js";
import { MAX_QUEUE_SIZE, type RingMemory, type VirtqueuePlace } from "./memory.js";
import { advance, isAvailable, type RingPosition } from "./packed-position.js";

/** Where a device stands, and how many descriptors it has taken and not given back. */
export interface PackedStanding {
  readonly available: RingPosition;
  readonly used: RingPosition;
  readonly inUse: number;
}

export interface PackedContent {
  /** Buffers that stand between the used position and the device's, the oldest first. */
  readonly inFlight: readonly Chain[];
  /** They are not whole, or more or fewer descriptors than are in use: some were given back out of order, over others. */
  readonly isOverwritten: boolean;
  /** Descriptors from the device's position on that the driver has made available. */
  readonly waiting: number;
  /** What the driver and the device want to be told. Undefined: it cannot be read. */
  readonly driverEvent: PvirtqEventSuppress | undefined;
  readonly deviceEvent: PvirtqEventSuppress | undefined;
}

export class PackedVirtqueue {
  private readonly memory: RingMemory;
  private readonly place: VirtqueuePlace;

  constructor(memory: RingMemory, place: VirtqueuePlace) {
    this.memory = memory;
    this.place = place;
  }

  /** Undefined: the ring cannot be read, or the device cannot stand there. */
  content({ available, used, inUse }: PackedStanding): PackedContent | undefined {
    const { size, descriptorArea, driverArea, deviceArea } = this.place;
    if (size === 0 || size > MAX_QUEUE_SIZE || available.slot >= size || used.slot >= size) return undefined;
    const bytes = this.memory.read(descriptorArea, size * PVIRTQ_DESC_SIZE);
    if (bytes === undefined) return undefined;
    const table = new PackedTable(bytes, this.memory);
    const inFlight: Chain[] = [];
    let taken = 0;
    let isWhole = inUse <= size;
    let position = used;
    while (isWhole && taken < inUse) {
      const { flags } = table.at(position.slot);
      const { entries, fault } = table.follow(position.slot);
      isWhole = isAvailable(flags, position.wrap) && entries.length > 0 && taken + entries.length <= inUse;
      if (!isWhole) break;
      inFlight.push({ head: entries.at(-1)?.id ?? 0, descriptors: entries, fault });
      taken += entries.length;
      position = advance(position, entries.length, size);
    }
    return {
      inFlight,
      isOverwritten: taken !== inUse,
      waiting: waitingFrom(table, available),
      driverEvent: this.event(driverArea),
      deviceEvent: this.event(deviceArea),
    };
  }

  private event(address: bigint): PvirtqEventSuppress | undefined {
    const bytes = this.memory.read(address, PVIRTQ_EVENT_SUPPRESS_SIZE);
    return bytes && decodePvirtqEventSuppress(bytes);
  }
}

function waitingFrom(table: PackedTable, from: RingPosition): number {
  let position = from;
  for (let count = 0; count < table.size; count++) {
    if (!isAvailable(table.at(position.slot).flags, position.wrap)) return count;
    position = advance(position, 1, table.size);
  }
  return table.size;
}
