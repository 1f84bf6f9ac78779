/**
 * The device parts of virtio 1.4, made from a device's state and read into one. There is no part for where a device
 * stands in its virtqueues: a device that is stopped has given all its buffers back, and of a split virtqueue guest
 * memory says the rest. Nor is there one for the device-specific configuration.
 * @source virtio 1.4, Device parts (device-parts.tex)
 */
import {
  encodeVirtioDevPart,
  type VirtioDevPart,
  VirtioDevPartFlags,
  type VirtioDevPartPart,
  type VirtioDevPartPciCommonCfgPartValue,
  VirtioDevPartType,
  VirtioPciCommonCfgOffset,
} from "../../../generated/virtio/device-parts.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { DeviceState, QueueState } from "../member/device-state.js";
import { joinedFeatures } from "./feature-words.js";
import { internalLosses, type Loss } from "./loss.js";

/** One part, and its bytes: parts stand back to back. */
export interface EncodedPart {
  readonly part: VirtioDevPart;
  readonly bytes: Uint8Array;
}

/** In the order that the specification asks for. */
export function deviceParts(state: DeviceState): EncodedPart[] {
  const { deviceType } = state;
  return [
    features(VirtioDevPartType.VIRTIO_DEV_PART_DEV_FEATURES, "devFeatures", state.deviceFeatures),
    features(VirtioDevPartType.VIRTIO_DEV_PART_DRV_FEATURES, "drvFeatures", state.driverFeatures),
    ...commonParts(state),
    made(VirtioDevPartType.VIRTIO_DEV_PART_DEVICE_STATUS, {
      case: "deviceStatus",
      value: { deviceStatus: state.status },
    }),
    ...state.queues.map(queuePart),
    ...state.queues.map((_, index) => notifyPart(index)),
  ].map((part) => ({ part, bytes: encodeVirtioDevPart(part, deviceType) }));
}

/** What the parts leave out of this state. */
export function devicePartsLosses(state: DeviceState): Loss[] {
  const packed = (state.driverFeatures & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  const losses: Loss[] = [
    { path: "config", reason: "there is no part for the configuration of the device type" },
    ...internalLosses(state),
  ];
  if (state.net !== undefined) {
    losses.push({ path: "net", reason: "what a driver has set with control commands has no part here" });
  }
  state.queues.forEach(({ enabled, owned }, index) => {
    if (enabled && packed) {
      losses.push({ path: `queues[${index}].standing`, reason: "packed virtqueues have no part" });
    }
    if (owned.length > 0) {
      losses.push({ path: `queues[${index}].owned`, reason: "buffers in flight have no part" });
    }
  });
  return losses;
}

/** Takes parts in, one by one: what none of them says stays as it is in `base`. */
export class DevicePartsReader {
  private state: DeviceState;

  constructor(base: DeviceState) {
    this.state = base;
  }

  get result(): DeviceState {
    return this.state;
  }

  /** @throws RangeError when the part cannot be this device's. */
  take({ part, flags }: VirtioDevPart): void {
    const { state } = this;
    switch (part.case) {
      case "devFeatures": {
        // Only compared: a device has the features that it has.
        const given = joinedFeatures(part.value.value.featureBits);
        if (given !== state.deviceFeatures) {
          throw new RangeError(
            `features 0x${given.toString(16)}, here are 0x${state.deviceFeatures.toString(16)}`,
          );
        }
        break;
      }
      case "drvFeatures":
        this.state = { ...state, driverFeatures: joinedFeatures(part.value.value.featureBits) };
        break;
      case "pciCommonCfg":
        this.common(part.value.value);
        break;
      case "deviceStatus":
        this.state = { ...state, status: part.value.deviceStatus };
        break;
      case "vqCfg": {
        const { queueSize, vector, enabled, queueDesc, queueDriver, queueDevice } = part.value.value;
        this.queue(part.value.selector.index, {
          size: queueSize,
          msixVector: vector,
          enabled: enabled === 1,
          descriptorArea: queueDesc,
          driverArea: queueDriver,
          deviceArea: queueDevice,
          standing: undefined,
          owned: [],
        });
        break;
      }
      case "vqNotifyCfg":
        // Where a queue is notified follows from its index here.
        if (part.value.selector.index >= state.queues.length) {
          throw new RangeError(`virtqueue ${part.value.selector.index}, here are ${state.queues.length}`);
        }
        break;
      default:
        if ((flags & VirtioDevPartFlags.VIRTIO_DEV_PART_F_OPTIONAL) === 0) {
          throw new RangeError("a part that this device has not");
        }
    }
  }

  private common(register: VirtioDevPartPciCommonCfgPartValue): void {
    const { state } = this;
    switch (register.case) {
      case "deviceFeatureSelect":
      case "driverFeatureSelect":
      case "queueSelect":
      case "configMsixVector":
      case "configGeneration":
        this.state = { ...state, [register.case]: register.value };
        break;
      case "numQueues":
        if (register.value !== state.queues.length) {
          throw new RangeError(`${register.value} virtqueues, here are ${state.queues.length}`);
        }
        break;
      default:
        // The other registers show what other parts say.
        break;
    }
  }

  private queue(index: number, queue: QueueState): void {
    if (this.state.queues[index] === undefined) {
      throw new RangeError(`virtqueue ${index}, here are ${this.state.queues.length}`);
    }
    const queues = [...this.state.queues];
    queues[index] = queue;
    this.state = { ...this.state, queues };
  }
}

function made(partType: number, part: VirtioDevPartPart, flags = 0): VirtioDevPart {
  return { partType, flags, part };
}

function features(partType: number, name: "devFeatures" | "drvFeatures", bits: bigint): VirtioDevPart {
  // The device only verifies its own: the other side may leave them out.
  const flags = name === "devFeatures" ? VirtioDevPartFlags.VIRTIO_DEV_PART_F_OPTIONAL : 0;
  return made(partType, { case: name, value: { value: { featureBits: [bits] } } }, flags);
}

function commonParts(state: DeviceState): VirtioDevPart[] {
  const offsets = VirtioPciCommonCfgOffset;
  const registers: readonly (readonly [offset: number, value: VirtioDevPartPciCommonCfgPartValue])[] = [
    [offsets.VIRTIO_PCI_COMMON_DFSELECT, { case: "deviceFeatureSelect", value: state.deviceFeatureSelect }],
    [offsets.VIRTIO_PCI_COMMON_GFSELECT, { case: "driverFeatureSelect", value: state.driverFeatureSelect }],
    [offsets.VIRTIO_PCI_COMMON_MSIX, { case: "configMsixVector", value: state.configMsixVector }],
    [offsets.VIRTIO_PCI_COMMON_NUMQ, { case: "numQueues", value: state.queues.length }],
    [offsets.VIRTIO_PCI_COMMON_CFGGENERATION, { case: "configGeneration", value: state.configGeneration }],
    [offsets.VIRTIO_PCI_COMMON_Q_SELECT, { case: "queueSelect", value: state.queueSelect }],
  ];
  return registers.map(([offset, value]) =>
    made(VirtioDevPartType.VIRTIO_DEV_PART_PCI_COMMON_CFG, {
      case: "pciCommonCfg",
      value: { selector: { offset }, value },
    }),
  );
}

function queuePart(queue: QueueState, index: number): VirtioDevPart {
  return made(VirtioDevPartType.VIRTIO_DEV_PART_VQ_CFG, {
    case: "vqCfg",
    value: {
      selector: { index },
      value: {
        queueSize: queue.size,
        vector: queue.msixVector,
        enabled: queue.enabled ? 1 : 0,
        queueDesc: queue.descriptorArea,
        queueDriver: queue.driverArea,
        queueDevice: queue.deviceArea,
      },
    },
  });
}

function notifyPart(index: number): VirtioDevPart {
  return made(VirtioDevPartType.VIRTIO_DEV_PART_VQ_NOTIFY_CFG, {
    case: "vqNotifyCfg",
    value: { selector: { index }, value: { queueNotifyOff: index, queueNotifConfigData: 0 } },
  });
}
