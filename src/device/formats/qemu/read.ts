/**
 * A device's state out of what QEMU saves of it. QEMU keeps several things twice, as registers of the transport and as
 * what it works with, and some not at all: what the device offers, and where a split virtqueue stands in its used ring,
 * which guest memory says.
 * @source QEMU 10.0.2, hw/virtio/virtio.c (virtio_save, virtio_load), hw/virtio/virtio-pci.c
 */

import type { QemuVirtioQueue } from "../../../../generated/qemu/virtio/body.js";
import type { QemuVirtioPciQueue } from "../../../../generated/qemu/virtio/transports.js";
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import { Reader } from "../../../runtime/index.js";
import { savedAreas } from "../../../streams/qemu/virtio/areas.js";
import { locateVirtio, type VirtioSection } from "../../../streams/qemu/virtio/locate.js";
import { savedValue } from "../../../streams/qemu/virtio/saved.js";
import { decodeVirtioState, type VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { GuestBytes } from "../../../streams/virtqueues/memory.js";
import {
  type DeviceState,
  NO_VECTOR,
  type OwnedBuffer,
  type QueueStanding,
  type QueueState,
} from "../../member/device-state.js";
import type { Assumption } from "../loss.js";
import { SplitRings } from "../split-rings.js";
import { type Reading, withAssumedFeatures } from "../state-reader.js";
import { readConfig } from "./config.js";
import { readInFlight } from "./in-flight.js";
import { readNet } from "./net.js";

export interface QemuReadOptions {
  /** The guest's memory, as far as it is known. */
  readonly memory?: GuestBytes | undefined;
  /** What the device offers, which QEMU does not save. */
  readonly deviceFeatures?: bigint | undefined;
}

export interface QemuReading extends Reading {
  /** What was read, with all that is QEMU's own. */
  readonly saved: VirtioState;
  /** The host that saved it was big-endian: what QEMU writes as it lies in its memory is. */
  readonly isBigHost: boolean;
}

/**
 * Reads the field `virtio` of a device's section.
 * @throws WireError when it is damaged; RangeError when it is no virtio device that is known.
 */
export function readQemuState(
  bytes: Uint8Array,
  section: VirtioSection,
  options: QemuReadOptions = {},
): QemuReading {
  const { device, saved: traits } = locateVirtio(new Reader(bytes), section);
  if (device === undefined) throw new RangeError(`${section.name} is no virtio device that is known`);
  const saved = decodeVirtioState(bytes, section);
  const common = saved.common.value;
  const modern = savedValue(saved, "qemu_virtio_pci_modern_state");
  const isModern = (traits.features & VirtioFeature.VIRTIO_F_VERSION_1) !== 0n;
  const assumed: Assumption[] = [];
  const state: DeviceState = {
    deviceType: device.id,
    deviceFeatures: 0n,
    driverFeatures: traits.features,
    status: common.status,
    isr: common.isr,
    deviceFeatureSelect: modern?.dfselect ?? mmioSelects(saved).host,
    driverFeatureSelect: modern?.gfselect ?? mmioSelects(saved).guest,
    queueSelect: common.queueSel,
    configMsixVector: configVector(saved),
    // QEMU starts to count anew wherever a device comes to.
    configGeneration: 0,
    config: readConfig(saved, device.id, traits.guestLittleEndian),
    isBigEndian: !traits.guestLittleEndian,
    queues: common.queues.map((queue, index) => registersOf(saved, queue, index, isModern)),
  };
  const queues = standingQueues(saved, state, options.memory, assumed);
  const isBigHost = !traits.hostLittleEndian;
  const net = readNet(saved, state, isBigHost);
  const whole = { ...state, queues, ...(net === undefined ? {} : { net }) };
  const read = withAssumedFeatures(whole, options.deviceFeatures);
  return { saved, isBigHost, state: read.state, assumed: [...read.assumed, ...assumed] };
}

function mmioSelects({ transport }: VirtioState): { readonly host: number; readonly guest: number } {
  if (transport.kind !== "mmio") return { host: 0, guest: 0 };
  return { host: transport.value.hostFeaturesSel, guest: transport.value.guestFeaturesSel };
}

function configVector({ transport }: VirtioState): number {
  return transport.kind === "mmio" ? NO_VECTOR : (transport.value.configVector ?? NO_VECTOR);
}

/** The registers of the transport's queue: those of PCI and MMIO devices that are not used by a legacy driver. */
export function registerQueues(
  saved: VirtioState,
): readonly Omit<QemuVirtioPciQueue, "reserved">[] | undefined {
  const modern = savedValue(saved, "qemu_virtio_pci_modern_state");
  return (modern ?? savedValue(saved, "qemu_virtio_mmio_state"))?.vqs;
}

function registersOf(
  saved: VirtioState,
  queue: QemuVirtioQueue,
  index: number,
  isModern: boolean,
): QueueState {
  const registers = registerQueues(saved)?.[index];
  const common = {
    size: queue.num,
    maxSize: savedValue(saved, "qemu_virtio_ringsize")?.numDefault[index] ?? queue.num,
    msixVector: queue.vector ?? NO_VECTOR,
    standing: undefined,
    owned: [],
  };
  if (isModern && registers !== undefined) {
    return {
      ...common,
      enabled: registers.enabled === 1,
      descriptorArea: joined(registers.desc),
      driverArea: joined(registers.avail),
      deviceArea: joined(registers.used),
    };
  }
  return { ...common, enabled: queue.desc !== 0n, ...savedAreas(saved, queue, index, isModern) };
}

function standingQueues(
  saved: VirtioState,
  state: DeviceState,
  memory: GuestBytes | undefined,
  assumed: Assumption[],
): QueueState[] {
  const inFlight = readInFlight(saved);
  const isPacked = (state.driverFeatures & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  // What the guest calls an address, an IOMMU makes another one of.
  const isMapped = (state.driverFeatures & VirtioFeature.VIRTIO_F_ACCESS_PLATFORM) !== 0n;
  const packed = savedValue(saved, "qemu_virtio_packed_virtqueues");
  return state.queues.map((queue, index) => {
    if (!queue.enabled) return queue;
    const owned = inFlight.get(index) ?? [];
    const available = saved.common.value.queues[index]?.lastAvailIdx ?? 0;
    const ring = packed?.vq[index];
    if (isPacked) {
      const standing = {
        available: ring?.lastAvailIdx ?? available,
        availableWrap: (ring?.lastAvailWrapCounter ?? 1) === 1,
        used: ring?.usedIdx ?? 0,
        usedWrap: (ring?.usedWrapCounter ?? 1) === 1,
      };
      return { ...queue, standing, owned };
    }
    const rings =
      memory === undefined || isMapped ? undefined : new SplitRings(memory, queue, !state.isBigEndian);
    return { ...queue, ...splitStanding(rings, index, available, owned, assumed) };
  });
}

/** What the device has taken and not given back is what lies between the used index and where it goes on. */
function splitStanding(
  rings: SplitRings | undefined,
  index: number,
  available: number,
  owned: readonly OwnedBuffer[],
  assumed: Assumption[],
): { readonly standing: QueueStanding; readonly owned: readonly OwnedBuffer[] } {
  const split = { available, availableWrap: true, usedWrap: true };
  const used = rings?.usedIndex();
  const heads = used === undefined ? undefined : rings?.heads(used, available);
  if (rings === undefined || used === undefined || heads === undefined) {
    return { standing: { ...split, used: undefined }, owned };
  }
  if (owned.length === heads.length) {
    const ids = owned.map(({ id }) => id);
    const isRetakable = heads.every((head) => ids.includes(head));
    return { standing: { ...split, used, isRetakable }, owned };
  }
  // QEMU saves how far a device has read, and of most devices not which buffers they keep.
  const path = `queues[${index}].owned`;
  const reason =
    "QEMU does not save which buffers this device keeps: taken to be what stands in the driver's ring behind the used index";
  assumed.push({ path, value: heads.join(", "), reason });
  const kept = heads.map((id) => owned.find((one) => one.id === id) ?? { id, parts: rings.parts(id) });
  return { standing: { ...split, used, isRetakable: true }, owned: kept };
}

function joined([low = 0, high = 0]: readonly number[]): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}
