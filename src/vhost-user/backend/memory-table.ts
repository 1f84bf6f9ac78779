/**
 * The guest memory that a front-end shares: regions that lie at guest-physical addresses for the driver, at user addresses
 * for the front-end, and somewhere in a mapping here.
 */
import type { VhostUserMemoryRegion } from "../../../generated/vhost-user/messages.js";
import { GuestMemory, type MemoryRegion } from "../../device/index.js";
import { type Descriptor, type Mapping, type System, SystemCallError } from "../system/index.js";
import { Refusal } from "./refusal.js";

/** Regions that a front-end may add one by one. Each is a mapping; QEMU has one for each block of RAM. */
export const MAX_MEMORY_SLOTS = 256;

/** Above it no number is exact; no guest's addresses come near. */
const MAX_ADDRESS = 2n ** 53n - 1n;

interface Region {
  readonly guestAddress: bigint;
  readonly userAddress: bigint;
  /** In bytes. */
  readonly size: bigint;
  readonly mapping: Mapping;
}

export class MemoryTable {
  private readonly system: System;
  private regions: Region[] = [];
  /** What no longer counts, but may still be in use: unmapped by `sweep`. */
  private retired: Mapping[] = [];

  constructor(system: System) {
    this.system = system;
  }

  /** The memory as it is now, in pieces that fit into ArrayBuffers. */
  guestMemory(): GuestMemory {
    const pieces: MemoryRegion[] = this.regions.flatMap(({ guestAddress, mapping }) =>
      mapping.windows.map(({ offset, bytes }) => ({ guestAddress: Number(guestAddress) + offset, bytes })),
    );
    return new GuestMemory(pieces);
  }

  /**
   * Another table in place of the one that there is.
   * @throws Refusal when it cannot be; then the old one stays.
   */
  replace(described: readonly VhostUserMemoryRegion[], descriptors: readonly Descriptor[]): void {
    const added: Region[] = [];
    try {
      described.forEach((region, index) => {
        added.push(this.mapped(region, descriptors[index], added));
      });
    } catch (error) {
      for (const { mapping } of added) mapping.close();
      throw error;
    }
    this.retired.push(...this.regions.map(({ mapping }) => mapping));
    this.regions = added;
  }

  /** @throws Refusal */
  add(described: VhostUserMemoryRegion, descriptor: Descriptor | undefined): void {
    if (this.regions.length >= MAX_MEMORY_SLOTS) {
      throw new Refusal(`more than ${MAX_MEMORY_SLOTS} memory regions`);
    }
    this.regions.push(this.mapped(described, descriptor, this.regions));
  }

  /** @throws Refusal when there is no such region. */
  remove({ guestPhysAddr, userspaceAddr, memorySize }: VhostUserMemoryRegion): void {
    const index = this.regions.findIndex(
      ({ guestAddress, userAddress, size }) =>
        guestAddress === guestPhysAddr && userAddress === userspaceAddr && size === memorySize,
    );
    const [region] = index < 0 ? [] : this.regions.splice(index, 1);
    if (region === undefined) throw new Refusal(`no memory region at 0x${guestPhysAddr.toString(16)}`);
    this.retired.push(region.mapping);
  }

  /** Unmaps what was replaced and removed. Nobody may use it any more. */
  sweep(): void {
    for (const mapping of this.retired.splice(0)) mapping.close();
  }

  /** The guest-physical address of a user address; undefined when it is in no region. */
  guestAddressOf(userAddress: bigint): bigint | undefined {
    const region = this.regions.find(
      (one) => userAddress >= one.userAddress && userAddress - one.userAddress < one.size,
    );
    return region && region.guestAddress + (userAddress - region.userAddress);
  }

  private mapped(
    { guestPhysAddr, userspaceAddr, memorySize, mmapOffset }: VhostUserMemoryRegion,
    descriptor: Descriptor | undefined,
    beside: readonly Region[],
  ): Region {
    if (
      memorySize === 0n ||
      guestPhysAddr + memorySize > MAX_ADDRESS ||
      mmapOffset + memorySize > MAX_ADDRESS
    ) {
      throw new Refusal(`no memory region of ${memorySize} bytes at 0x${guestPhysAddr.toString(16)}`);
    }
    const overlaps = (a: bigint, b: bigint, size: bigint): boolean => a < b + size && b < a + memorySize;
    const other = beside.find(
      ({ guestAddress, userAddress, size }) =>
        overlaps(guestPhysAddr, guestAddress, size) || overlaps(userspaceAddr, userAddress, size),
    );
    if (other !== undefined) {
      const at = `0x${guestPhysAddr.toString(16)}`;
      throw new Refusal(`the memory region at ${at} overlaps that at 0x${other.guestAddress.toString(16)}`);
    }
    if (descriptor === undefined) throw new Refusal("a memory region without a descriptor");
    return {
      guestAddress: guestPhysAddr,
      userAddress: userspaceAddr,
      size: memorySize,
      mapping: mapped(this.system, descriptor, mmapOffset, memorySize),
    };
  }
}

/** Maps what a peer describes, and refuses what cannot be mapped. @throws Refusal */
export function mapped(system: System, descriptor: Descriptor, offset: bigint, size: bigint): Mapping {
  try {
    return system.map(descriptor, Number(offset), Number(size));
  } catch (error) {
    if (error instanceof RangeError || error instanceof SystemCallError) {
      throw new Refusal(error.message, error);
    }
    throw error;
  }
}
