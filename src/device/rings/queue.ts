/** What both kinds of virtqueue have in common, seen from the device and from the driver. */
import type { GuestMemory } from "../memory/guest-memory.js";
import type { DescriptorChain } from "./chain.js";

/** Where the driver has put a virtqueue, and how large it is. Addresses are guest-physical. */
export interface QueuePlace {
  /** In descriptors. */
  readonly size: number;
  readonly descriptorArea: number;
  readonly driverArea: number;
  readonly deviceArea: number;
}

/** The features that decide how a virtqueue is used. All off when not given. */
export interface QueueFeatures {
  /** VIRTIO_F_EVENT_IDX */
  readonly eventIdx?: boolean;
  /** VIRTIO_F_INDIRECT_DESC */
  readonly indirect?: boolean;
  /** VIRTIO_F_IN_ORDER */
  readonly inOrder?: boolean;
}

/** A descriptor as the driver has put it into a ring. */
export interface RingDescriptor {
  /** Guest-physical. From 2^53 on it is not exact, and in no memory. */
  readonly address: number;
  /** In bytes. */
  readonly length: number;
  /** `PvirtqDescFlags` or `VirtqDescFlags`. */
  readonly flags: number;
  /** Of a packed ring: the id of the buffer. */
  readonly id: number;
}

/** Where a device stands in a queue: what has to move with it. */
export interface QueuePosition {
  /** The next available entry: a free-running index (split), or an offset in the ring (packed). */
  readonly available: number;
  /** The next used entry, likewise. */
  readonly used: number;
  /** Packed rings: the wrap counters that go with the two. True for split rings. */
  readonly availableWrap: boolean;
  readonly usedWrap: boolean;
}

export const START: QueuePosition = { available: 0, used: 0, availableWrap: true, usedWrap: true };

/** The device's side. Methods throw RingFault when the driver has broken the ring. */
export interface DeviceQueue {
  readonly place: QueuePlace;
  readonly position: QueuePosition;
  /** Buffers that the device has taken and not given back, by id, in the order in which it has taken them. */
  readonly owned: readonly number[];
  /** The next available buffer, if there is one. */
  take(): DescriptorChain | undefined;
  /** The buffer of an id that the device had taken elsewhere, before the queue came here. */
  reopen(id: number): DescriptorChain;
  /**
   * Gives a buffer back; what the driver may read of it is what was written to the chain. With `more` the driver does not
   * see it before the next buffer that is given back without.
   */
  give(chain: DescriptorChain, more?: boolean): void;
  /** Whether the driver wants to be notified of what was given back since the last call. */
  needsNotification(): boolean;
  /**
   * Asks the driver for notifications of new buffers, or to leave them. Gives whether buffers are available already:
   * a driver that made one available in between has not notified.
   */
  wantNotifications(wanted: boolean): boolean;
}

/** A buffer that a driver makes available. */
export interface DriverBuffer {
  readonly readable: readonly { readonly address: number; readonly length: number }[];
  readonly writable: readonly { readonly address: number; readonly length: number }[];
}

/** Bytes of the parts of a buffer together. */
export function lengthOf(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** A buffer that came back. */
export interface UsedBuffer {
  /** What `add` gave. */
  readonly id: number;
  /** Bytes that the device has written. */
  readonly written: number;
}

/** The driver's side. */
export interface DriverQueue {
  readonly place: QueuePlace;
  /** Descriptors that are free. */
  readonly free: number;
  /** The guest has moved: its memory is elsewhere, with the same bytes at the same addresses. */
  attach(memory: GuestMemory): void;
  /** Makes a buffer available and gives its id; undefined when there is no room for it. */
  add(buffer: DriverBuffer): number | undefined;
  /** The next buffer that the device has given back. */
  poll(): UsedBuffer | undefined;
  /** Whether the device wants to be notified of what was added since the last call. */
  needsNotification(): boolean;
  /** Asks the device for notifications of used buffers, or to leave them; gives whether there are some already. */
  wantNotifications(wanted: boolean): boolean;
}

/**
 * Whether an index has moved past the one that the other side waits for. All three are 16-bit and wrap.
 * @source virtio 1.4, Used Buffer Notification Suppression; linux/virtio_ring.h, vring_need_event
 */
export function passedEvent(event: number, now: number, before: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
}
