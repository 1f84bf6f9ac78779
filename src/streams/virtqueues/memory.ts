/**
 * Guest memory around a virtqueue of a device that stands still. The guest's driver wrote it, so nothing in it is believed:
 * what it may cost to read is fixed before.
 */

/** Bytes at a guest-physical address. Undefined where it is not known what stands there. */
export type GuestBytes = (address: bigint, length: number) => Uint8Array | undefined;

/** Where a virtqueue lies. Addresses are guest-physical. */
export interface VirtqueuePlace {
  /** In descriptors. */
  readonly size: number;
  readonly descriptorArea: bigint;
  readonly driverArea: bigint;
  readonly deviceArea: bigint;
}

/** @source virtio 1.4, Split Virtqueues; Packed Virtqueues */
export const MAX_QUEUE_SIZE = 32768;

/** Of rings and indirect tables; a queue of 1024 takes 26 KiB. */
const MAX_BYTES = 1 << 26;
/** That are kept. */
const MAX_DESCRIPTORS = 1 << 18;

/** What all virtqueues together may take from memory: a damaged file names any number of them, as large as they get. */
export class RingMemory {
  private readonly memory: GuestBytes;
  private left: number = MAX_BYTES;
  private descriptors: number = MAX_DESCRIPTORS;

  constructor(memory: GuestBytes) {
    this.memory = memory;
  }

  /** Nothing more is read. */
  get isSpent(): boolean {
    return this.left <= 0;
  }

  read(address: bigint, length: number): Uint8Array | undefined {
    if (this.isSpent) return undefined;
    this.left -= Math.max(length, 1);
    return this.memory(address, length);
  }

  /** False when no more may be kept. */
  takeDescriptor(): boolean {
    return this.descriptors-- > 0;
  }
}
