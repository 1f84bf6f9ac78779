/** The registers of one virtqueue, and the ring behind them once the driver has enabled it. */
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { GuestMemory } from "../memory/guest-memory.js";
import { areaAddress } from "../rings/chain.js";
import { RingFault } from "../rings/fault.js";
import { PackedDeviceQueue } from "../rings/packed-device.js";
import {
  type DeviceQueue,
  type QueueFeatures,
  type QueuePlace,
  type QueuePosition,
  START,
} from "../rings/queue.js";
import { SplitDeviceQueue } from "../rings/split-device.js";
import { NO_VECTOR, type QueueStanding, type QueueState } from "./device-state.js";

/** How the rings are used: what is negotiated for all virtqueues of a device. */
export interface RingOptions extends QueueFeatures {
  readonly packed: boolean;
}

const { VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER } = VirtioFeature;

/** What the rings here can do, whatever the device type; packed ones on request. */
export const RING_FEATURES: bigint = VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_IN_ORDER;

/** What the negotiated features make of the rings. */
export function ringOptionsOf(features: bigint): RingOptions {
  const has = (feature: bigint): boolean => (features & feature) !== 0n;
  return {
    packed: has(VIRTIO_F_RING_PACKED),
    eventIdx: has(VIRTIO_F_EVENT_IDX),
    indirect: has(VIRTIO_F_INDIRECT_DESC),
    inOrder: has(VIRTIO_F_IN_ORDER),
  };
}

export class QueueRegisters {
  readonly maxSize: number;
  size: number;
  msixVector = NO_VECTOR;
  enabled = false;
  descriptorArea = 0n;
  driverArea = 0n;
  deviceArea = 0n;
  /** There once the device is live. */
  ring: DeviceQueue | undefined;

  constructor(maxSize: number) {
    this.maxSize = maxSize;
    this.size = maxSize;
  }

  reset(): void {
    this.size = this.maxSize;
    this.msixVector = NO_VECTOR;
    this.enabled = false;
    this.descriptorArea = 0n;
    this.driverArea = 0n;
    this.deviceArea = 0n;
    this.ring = undefined;
  }

  /**
   * `from`: where the queue stands, when it comes from elsewhere.
   * @throws RingFault when the ring cannot lie where the registers say.
   */
  open(memory: GuestMemory, options: RingOptions, from?: QueueStanding): DeviceQueue {
    const place: QueuePlace = {
      size: this.size,
      descriptorArea: areaAddress(this.descriptorArea),
      driverArea: areaAddress(this.driverArea),
      deviceArea: areaAddress(this.deviceArea),
    };
    if (options.packed) {
      this.ring = new PackedDeviceQueue(memory, place, options, packedPosition(from));
    } else {
      const position =
        from === undefined ? START : SplitDeviceQueue.positionIn(memory, place, from.available);
      this.ring = new SplitDeviceQueue(memory, place, options, position);
    }
    return this.ring;
  }

  save(): QueueState {
    return {
      size: this.size,
      maxSize: this.maxSize,
      msixVector: this.msixVector,
      enabled: this.enabled,
      descriptorArea: this.descriptorArea,
      driverArea: this.driverArea,
      deviceArea: this.deviceArea,
      standing: this.ring?.position,
      owned: (this.ring?.owned ?? []).map((id) => ({ id })),
    };
  }

  restore(state: QueueState): void {
    this.size = state.size;
    this.msixVector = state.msixVector;
    this.enabled = state.enabled;
    this.descriptorArea = state.descriptorArea;
    this.driverArea = state.driverArea;
    this.deviceArea = state.deviceArea;
    this.ring = undefined;
  }
}

/** Only what was carried over says where a packed ring stands: guest memory does not hold its wrap counters. */
function packedPosition(from: QueueStanding | undefined): QueuePosition {
  if (from === undefined) return START;
  const { available, used, availableWrap, usedWrap } = from;
  if (available === undefined || used === undefined) {
    throw new RingFault("index", "where a packed virtqueue stands has not come with it");
  }
  return { available, used, availableWrap, usedWrap };
}
