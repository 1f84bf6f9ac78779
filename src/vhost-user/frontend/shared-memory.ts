/** The guest's memory as a front-end owns it: in a memfd, which a back-end maps too. */
import type { VhostUserMemoryRegion } from "../../../generated/vhost-user/messages.js";
import { GuestMemory } from "../../device/index.js";
import type { Descriptor, Mapping, System } from "../system/index.js";

/** Guest-physical, in bytes, whole pages. */
export interface MemoryRange {
  readonly guestAddress: number;
  readonly length: number;
}

/**
 * Rings are named by addresses of the front-end's process. Nobody but the two sides ever reads them, so any will do that
 * differ from the guest-physical ones: a back-end that confuses the two finds nothing there.
 */
const USER_BASE = 0x7f00_0000_0000n;

/** Bounds of a mapping have to lie on these. @unit bytes */
const PAGE = 4096;

export class SharedMemory {
  /** For drivers: the same bytes that the back-end sees. */
  readonly guest: GuestMemory;
  /** As they are told to a back-end. */
  readonly regions: readonly VhostUserMemoryRegion[];
  /** Holds all regions. */
  readonly descriptor: Descriptor;
  private readonly mappings: readonly Mapping[];

  /**
   * All of it is zero, and takes no memory before it is written.
   * @throws RangeError when ranges overlap or are not whole pages; SystemCallError
   */
  constructor(system: System, ranges: readonly MemoryRange[]) {
    for (const { guestAddress, length } of ranges) {
      if (guestAddress % PAGE !== 0 || length % PAGE !== 0 || length <= 0) {
        throw new RangeError(`${length} bytes at 0x${guestAddress.toString(16)} are not whole pages`);
      }
    }
    const total = ranges.reduce((sum, { length }) => sum + length, 0);
    this.descriptor = system.memfd("guest-memory", total);
    const regions: VhostUserMemoryRegion[] = [];
    const mappings: Mapping[] = [];
    let offset = 0;
    for (const { guestAddress, length } of ranges) {
      mappings.push(system.map(this.descriptor, offset, length));
      regions.push({
        guestPhysAddr: BigInt(guestAddress),
        memorySize: BigInt(length),
        userspaceAddr: userAddress(guestAddress),
        mmapOffset: BigInt(offset),
      });
      offset += length;
    }
    this.regions = regions;
    this.mappings = mappings;
    this.guest = new GuestMemory(
      mappings.flatMap(({ windows }, i) =>
        windows.map(({ offset: from, bytes }) => ({
          guestAddress: (ranges[i] as MemoryRange).guestAddress + from,
          bytes,
        })),
      ),
    );
  }

  /** Whoever goes on touching the memory ends the process: drivers have to be gone. */
  close(): void {
    for (const mapping of this.mappings) mapping.close();
    this.descriptor.close();
  }
}

/** How a place in guest memory is named to a back-end. */
export function userAddress(guestAddress: number): bigint {
  return USER_BASE + BigInt(guestAddress);
}
