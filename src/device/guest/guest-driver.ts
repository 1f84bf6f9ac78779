/**
 * The driver of one virtio device in a guest: it sets the device up through the common configuration in the order that
 * the specification gives, and has the driver's side of the virtqueues. For tests and demonstrations, and as a model
 * to hold a device against.
 */
import { VirtioFeature } from "../../../generated/virtio/features.js";
import { VirtioDeviceStatus } from "../../../generated/virtio/ids.js";
import type { CommonConfig } from "../member/common-config.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { PackedDriverQueue } from "../rings/packed-driver.js";
import type { QueueFeatures } from "../rings/queue.js";
import { SplitDriverQueue } from "../rings/split-driver.js";
import type { Allocator } from "./allocator.js";

const {
  VIRTIO_CONFIG_S_ACKNOWLEDGE,
  VIRTIO_CONFIG_S_DRIVER,
  VIRTIO_CONFIG_S_FEATURES_OK,
  VIRTIO_CONFIG_S_DRIVER_OK,
} = VirtioDeviceStatus;
const {
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_RING_PACKED,
} = VirtioFeature;

/** Far more than the areas of a queue need for each descriptor: 16 + 2 + 8 bytes and the indices. */
const AREA_BYTES_PER_DESCRIPTOR = 16;
const AREA_SLACK = 64;

/** What a driver reaches of its device. */
export interface DeviceBus {
  readonly common: CommonConfig;
  /** The driver's notification. */
  notify(queue: number): void;
}

export class GuestDriver {
  readonly queues: readonly (SplitDriverQueue | PackedDriverQueue)[];
  readonly features: bigint;
  private memory: GuestMemory;
  private bus: DeviceBus;

  /** Sets the device up. Throws when it does not take the features. */
  constructor(bus: DeviceBus, memory: GuestMemory, allocator: Allocator, wanted: bigint) {
    this.bus = bus;
    this.memory = memory;
    this.write("device_status", 0);
    this.write("device_status", VIRTIO_CONFIG_S_ACKNOWLEDGE);
    this.write("device_status", VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    this.features = this.offered() & wanted;
    for (const window of [0, 1]) {
      this.write("driver_feature_select", window);
      this.write("driver_feature", Number((this.features >> BigInt(window * 32)) & 0xffff_ffffn));
    }
    const ready = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
    this.write("device_status", ready);
    if ((this.read("device_status") & VIRTIO_CONFIG_S_FEATURES_OK) === 0) {
      throw new Error("the device does not take the features");
    }
    const adminQueues = (this.features & VIRTIO_F_ADMIN_VQ) === 0n ? 0 : this.read("admin_queue_num");
    const count = this.read("num_queues") + adminQueues;
    this.queues = Array.from({ length: count }, (_, index) => this.setUp(index, allocator));
    this.write("device_status", ready | VIRTIO_CONFIG_S_DRIVER_OK);
  }

  /** The guest has moved to another host: memory and device are others, what the driver knows of them stays. */
  attach(bus: DeviceBus, memory: GuestMemory): void {
    this.bus = bus;
    this.memory = memory;
    for (const queue of this.queues) queue.attach(memory);
  }

  get status(): number {
    return this.read("device_status");
  }

  /** Tells the device of what was added to a queue, if it wants to know. */
  kick(queue: number): void {
    if (this.queues[queue]?.needsNotification()) this.bus.notify(queue);
  }

  read(register: string): number {
    const { at, size } = this.bus.common.place(register);
    return this.bus.common.read(at, size).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  /** Little-endian, and 64-bit registers in two halves, as Linux writes them. */
  write(register: string, value: number): void {
    const { at, size } = this.bus.common.place(register);
    const bytes = new Uint8Array(size);
    for (let i = 0, left = value; i < size; i++, left = Math.floor(left / 256)) bytes[i] = left % 256;
    const half = Math.min(size, 4);
    for (let i = 0; i < size; i += half) this.bus.common.write(at + i, bytes.subarray(i, i + half));
  }

  private offered(): bigint {
    let offered = 0n;
    for (const window of [0, 1]) {
      this.write("device_feature_select", window);
      offered |= BigInt(this.read("device_feature")) << BigInt(window * 32);
    }
    return offered;
  }

  private setUp(index: number, allocator: Allocator): SplitDriverQueue | PackedDriverQueue {
    this.write("queue_select", index);
    const size = this.read("queue_size");
    const area = (): number => allocator.take(size * AREA_BYTES_PER_DESCRIPTOR + AREA_SLACK, 4096);
    const place = { size, descriptorArea: area(), driverArea: area(), deviceArea: area() };
    for (const at of [place.descriptorArea, place.driverArea, place.deviceArea]) {
      this.memory.write(at, new Uint8Array(size * AREA_BYTES_PER_DESCRIPTOR + AREA_SLACK));
    }
    const has = (feature: bigint): boolean => (this.features & feature) !== 0n;
    const features: QueueFeatures = {
      eventIdx: has(VIRTIO_F_EVENT_IDX),
      indirect: has(VIRTIO_F_INDIRECT_DESC),
      inOrder: has(VIRTIO_F_IN_ORDER),
    };
    const queue = has(VIRTIO_F_RING_PACKED)
      ? new PackedDriverQueue(this.memory, place, features)
      : new SplitDriverQueue(this.memory, place, features);
    this.write("queue_desc", place.descriptorArea);
    this.write("queue_driver", place.driverArea);
    this.write("queue_device", place.deviceArea);
    this.write("queue_msix_vector", index + 1);
    this.write("queue_enable", 1);
    return queue;
  }
}
