/**
 * Puts a device's state into what QEMU has saved of a device: all that QEMU keeps of it besides stays as it is there, and so
 * does every byte that says the same already.
 * @source QEMU 10.0.2, hw/virtio/virtio.c (virtio_save, virtio_load), hw/virtio/virtio-pci.c
 */

import { VIRTIO_QUEUE_MAX } from "../../../../generated/qemu/virtio/transports.js";
import { VirtioFeature } from "../../../../generated/virtio/features.js";
import type { VirtioSection } from "../../../streams/qemu/virtio/locate.js";
import { putCoreSubsection, removeSubsection, savedValue } from "../../../streams/qemu/virtio/saved.js";
import { encodeVirtioState, type VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { GuestBytes } from "../../../streams/virtqueues/memory.js";
import type { DeviceState, QueueState } from "../../member/device-state.js";
import type { Assumption, Written } from "../loss.js";
import { isPacked } from "../state-fields.js";
import { type LossReasons, stateLosses } from "../state-losses.js";
import { writeConfig } from "./config.js";
import { readInFlight, writeInFlight } from "./in-flight.js";
import { writeNet } from "./net.js";
import { readQemuState, registerQueues } from "./read.js";
import { settleQueues } from "./settle.js";

const WORD = 32n;
const WORD_MASK = 0xffff_ffffn;

export interface QemuWritten extends Written {
  readonly assumed: readonly Assumption[];
}

/** What QEMU's state has no place for. */
const QEMU_REASONS: LossReasons = [
  {
    path: /^internal$/,
    reason: "the internal state is in a format of its own, which QEMU's device does not take",
  },
  {
    path: /^device_features$/,
    reason:
      "QEMU does not save what a device offers: the destination's command line decides, and must offer all of driver_features",
    kind: "elsewhere",
  },
  {
    path: /^config_generation$/,
    reason: "QEMU starts to count anew wherever a device comes to",
    kind: "elsewhere",
  },
  {
    path: /\.(notify_off|notif_config_data)$/,
    reason:
      "QEMU's devices are notified by the index of the virtqueue: a driver that has learnt another place would notify in vain",
  },
  { path: /feature_select$/, reason: "the transport of this device has no such register" },
  {
    path: /\.(driver|device)$/,
    reason: "a legacy driver's rings follow their descriptors: they cannot lie elsewhere",
  },
  { path: /msix_vector$/, reason: "the transport of this device has no such vector" },
  {
    path: /\.last_avail_idx$/,
    reason: "it was moved back, so that QEMU takes again what the device had taken",
  },
  {
    path: /\.owned/,
    reason: "what their descriptors say is not known: these buffers would never come back to the guest",
  },
];

/**
 * Into the field `virtio` of a section. `memory`: the guest's, as far as it is known.
 * @throws RangeError when the device in the section cannot be what the state says; WireError when the section is damaged,
 * or a value does not fit it.
 */
export function writeQemuState(
  bytes: Uint8Array,
  section: VirtioSection,
  state: DeviceState,
  memory?: GuestBytes,
): QemuWritten {
  const { saved, state: before, isBigHost } = readQemuState(bytes, section, { memory });
  verify(saved, before, state);
  const { queues, assumed } = settleQueues(saved, before, state, memory);
  const isSilent = state.config.length === 0;
  const settled: DeviceState = {
    ...state,
    queues,
    config: isSilent ? before.config : state.config,
    isBigEndian: isSilent ? before.isBigEndian : state.isBigEndian,
  };
  if (isSilent && before.config.length > 0) {
    const value = `${before.config.length} bytes`;
    assumed.push({ path: "config", value, reason: "the format has none: kept from the section" });
  }
  writeRegisters(saved, before, settled);
  writeConfig(saved, before, settled);
  writeNet(saved, before, settled, isBigHost);
  queues.forEach((queue, index) => {
    const old = before.queues[index];
    if (old !== undefined) writeQueue(saved, settled, index, old, queue);
  });
  writeSizes(saved, before, queues);
  const inFlight = readInFlight(saved);
  if (queues.some(({ owned }, index) => !isSameOwned(owned, inFlight.get(index) ?? []))) {
    writeInFlight(saved, new Map(queues.map(({ owned }, index) => [index, owned])));
  }
  const written = encodeVirtioState(saved);
  // Without guest memory: what only the ring says has not been written.
  const back = readQemuState(written, section);
  return { bytes: written, losses: stateLosses(settled, back.state, QEMU_REASONS), assumed };
}

/** @throws RangeError */
function verify(
  saved: VirtioState,
  before: DeviceState,
  { deviceType, driverFeatures, queues }: DeviceState,
): void {
  if (deviceType !== before.deviceType) {
    throw new RangeError(
      `a device of type ${deviceType}, in the section is one of type ${before.deviceType}`,
    );
  }
  if (queues.length !== before.queues.length) {
    throw new RangeError(
      `${queues.length} virtqueues, the device in the section has ${before.queues.length}`,
    );
  }
  const offers = (type: Parameters<typeof savedValue>[1]) => savedValue(saved, type) !== undefined;
  const lacking = [
    [VirtioFeature.VIRTIO_F_RING_PACKED, offers("qemu_virtio_packed_virtqueues"), "packed virtqueues"],
    [VirtioFeature.VIRTIO_F_VERSION_1, offers("qemu_virtio_virtqueues"), "VIRTIO_F_VERSION_1"],
    [~WORD_MASK, offers("qemu_virtio_64bit_features"), "features above 31"],
    [~((1n << 64n) - 1n), offers("qemu_virtio_128bit_features"), "features above 63"],
  ] as const;
  for (const [mask, isOffered, what] of lacking) {
    if ((driverFeatures & mask) !== 0n && !isOffered) {
      throw new RangeError(`the driver uses ${what}, which the device in the section does not offer`);
    }
  }
}

function writeRegisters(saved: VirtioState, before: DeviceState, state: DeviceState): void {
  const { transport } = saved;
  const common = saved.common.value;
  common.status = state.status;
  common.isr = state.isr ?? common.isr;
  common.queueSel = state.queueSelect;
  common.guestFeaturesLo = Number(state.driverFeatures & WORD_MASK);
  // The registers hold what the driver has written, which may be more than what was accepted.
  if (state.driverFeatures !== before.driverFeatures) writeFeatures(saved, state.driverFeatures);
  const modern = savedValue(saved, "qemu_virtio_pci_modern_state");
  if (modern !== undefined) {
    modern.dfselect = state.deviceFeatureSelect;
    modern.gfselect = state.driverFeatureSelect;
  }
  if (transport.kind === "mmio") {
    transport.value.hostFeaturesSel = state.deviceFeatureSelect;
    transport.value.guestFeaturesSel = state.driverFeatureSelect;
  } else if (transport.value.configVector !== undefined) {
    transport.value.configVector = state.configMsixVector;
  }
}

/** In up to four more places: what the device works with, and what the driver wrote. */
function writeFeatures(saved: VirtioState, features: bigint): void {
  const word = (index: bigint) => Number((features >> (index * WORD)) & WORD_MASK);
  const low = savedValue(saved, "qemu_virtio_64bit_features");
  if (low !== undefined) low.guestFeatures = BigInt.asUintN(64, features);
  const high = savedValue(saved, "qemu_virtio_128bit_features");
  if (high !== undefined) high.guestFeaturesHi = features >> 64n;
  const registers =
    savedValue(saved, "qemu_virtio_pci_modern_state") ?? savedValue(saved, "qemu_virtio_mmio_state");
  if (registers !== undefined) registers.guestFeatures = [word(0n), word(1n)];
  const upper = savedValue(saved, "qemu_virtio_pci_modern_state_features128");
  if (upper !== undefined) upper.guestFeaturesHi = [word(2n), word(3n)];
}

function writeQueue(
  saved: VirtioState,
  state: DeviceState,
  index: number,
  before: QueueState,
  queue: QueueState,
): void {
  const common = saved.common.value.queues[index];
  if (common === undefined) return;
  if (common.vector !== undefined) common.vector = queue.msixVector;
  writePlace(saved, state, index, before, queue);
  const { standing } = queue;
  common.lastAvailIdx = queue.enabled ? (standing?.available ?? 0) : 0;
  const packed = savedValue(saved, "qemu_virtio_packed_virtqueues")?.vq[index];
  if (packed === undefined || !isPacked(state)) return;
  packed.lastAvailIdx = standing?.available ?? 0;
  packed.lastAvailWrapCounter = standing?.availableWrap === false ? 0 : 1;
  packed.usedIdx = standing?.used ?? 0;
  packed.usedWrapCounter = standing?.usedWrap === false ? 0 : 1;
  if (!isSameOwned(queue.owned, before.owned)) {
    packed.inuse = queue.owned.reduce((sum, { parts }) => sum + (parts?.descriptors ?? 1), 0);
  }
}

/** Where a virtqueue lies, and how large it is: what the device works with, and the registers of the transport. */
function writePlace(
  saved: VirtioState,
  state: DeviceState,
  index: number,
  before: QueueState,
  queue: QueueState,
): void {
  const { size, enabled, descriptorArea, driverArea, deviceArea } = queue;
  const isSame =
    size === before.size &&
    enabled === before.enabled &&
    descriptorArea === before.descriptorArea &&
    driverArea === before.driverArea &&
    deviceArea === before.deviceArea;
  const common = saved.common.value.queues[index];
  if (isSame || common === undefined) return;
  common.num = size;
  common.desc = enabled ? descriptorArea : 0n;
  const areas = savedValue(saved, "qemu_virtio_virtqueues")?.vq[index];
  if (areas !== undefined) {
    areas.avail = enabled ? driverArea : 0n;
    areas.used = enabled ? deviceArea : 0n;
  }
  const registers = registerQueues(saved)?.[index];
  if (registers === undefined || (state.driverFeatures & VirtioFeature.VIRTIO_F_VERSION_1) === 0n) return;
  // A driver that is content with the size leaves 0 there.
  if (size !== before.size) registers.num = size;
  registers.enabled = enabled ? 1 : 0;
  registers.desc = halves(descriptorArea);
  registers.avail = halves(driverArea);
  registers.used = halves(deviceArea);
}

/** The sizes that the device starts with are saved where the driver has chosen others. */
function writeSizes(saved: VirtioState, before: DeviceState, queues: readonly QueueState[]): void {
  const sizes = queues.map(({ maxSize }, index) => maxSize ?? before.queues[index]?.maxSize ?? 0);
  const old = savedValue(saved, "qemu_virtio_ringsize");
  if (sizes.every((size, index) => size === queues[index]?.size)) {
    removeSubsection(saved, "virtio/ringsize");
    return;
  }
  const numDefault = old?.numDefault.slice() ?? new Array<number>(VIRTIO_QUEUE_MAX).fill(0);
  sizes.forEach((size, index) => {
    numDefault[index] = size;
  });
  putCoreSubsection(saved, "qemu_virtio_ringsize", { numDefault });
}

function isSameOwned(a: QueueState["owned"], b: QueueState["owned"]): boolean {
  return a.length === b.length && a.every(({ id }, index) => id === b[index]?.id);
}

function halves(address: bigint): number[] {
  return [Number(address & WORD_MASK), Number(address >> WORD)];
}
