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
import { type DeviceState, type QueueState, RESET_NET } from "../member/device-state.js";
import { featureWords, joinedFeatures } from "./feature-words.js";
import { netParts, withNetPart } from "./net-parts.js";
import { QueueList } from "./queue-list.js";
import { isPacked } from "./state-fields.js";
import { INTERRUPT_STATUS, type LossReasons } from "./state-losses.js";

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
    ...state.queues.map(notifyPart),
    ...netParts(state),
  ].map((part) => ({ part, bytes: encodeVirtioDevPart(part, deviceType) }));
}

/** What there is no part for. */
export const DEVICE_PARTS_REASONS: LossReasons = [
  { path: /^internal$/, reason: "it has no place for the internal state of a device type" },
  {
    path: /^config(_order)?$/,
    reason: "there is no part for it: the destination has to be set up with the same configuration",
    kind: "elsewhere",
  },
  ...INTERRUPT_STATUS,
  {
    path: /\.max_size$/,
    reason: "the part of a virtqueue has the size in use only: the destination offers its own",
    kind: "elsewhere",
  },
  {
    path: /\.(last_avail_idx|used_idx)$/,
    reason: "there is no part for it, and of a packed virtqueue nothing else says it",
    when: isPacked,
  },
  {
    path: /\.last_avail_idx$/,
    reason: "there is no part for it: the destination goes on behind what the used ring holds",
  },
  {
    path: /^net\./,
    reason: "there is no part for it: the device keeps fewer addresses than the driver has set",
  },
  { path: /\.owned/, reason: "there is no part for buffers in flight: the destination takes them for used" },
];

/** Takes parts in, one by one: what none of them says stays as it is in `base`. */
export class DevicePartsReader {
  private state: DeviceState;
  private readonly queues: QueueList;
  private readonly learns: boolean;

  /** `learns`: the device is what the parts say, and `base` says nothing of its features and virtqueues. */
  constructor(base: DeviceState, learns = false) {
    this.state = base;
    this.queues = new QueueList(base.queues, learns);
    this.learns = learns;
  }

  get result(): DeviceState {
    return { ...this.state, queues: this.queues.all };
  }

  /** @throws RangeError when the part cannot be this device's. */
  take({ part, flags }: VirtioDevPart): void {
    const { state } = this;
    switch (part.case) {
      case "devFeatures": {
        const given = joinedFeatures(part.value.value.featureBits);
        if (this.learns) this.state = { ...state, deviceFeatures: given };
        // Only compared: a device has the features that it has.
        else if (given !== state.deviceFeatures) {
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
        this.queues.change(part.value.selector.index, {
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
      case "vqNotifyCfg": {
        const { queueNotifyOff, queueNotifConfigData } = part.value.value;
        this.queues.change(part.value.selector.index, {
          notifyOffset: queueNotifyOff,
          notifyData: queueNotifConfigData,
        });
        break;
      }
      case "netCvqCfg":
        this.state = { ...state, net: withNetPart(state.net ?? RESET_NET, part.value.value) };
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
        this.queues.count(register.value);
        break;
      default:
        // The other registers show what other parts say.
        break;
    }
  }
}

function made(partType: number, part: VirtioDevPartPart, flags = 0): VirtioDevPart {
  return { partType, flags, part };
}

function features(partType: number, name: "devFeatures" | "drvFeatures", bits: bigint): VirtioDevPart {
  // The device only verifies its own: the other side may leave them out.
  const flags = name === "devFeatures" ? VirtioDevPartFlags.VIRTIO_DEV_PART_F_OPTIONAL : 0;
  return made(partType, { case: name, value: { value: { featureBits: featureWords(bits) } } }, flags);
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

function notifyPart({ notifyOffset, notifyData }: QueueState, index: number): VirtioDevPart {
  return made(VirtioDevPartType.VIRTIO_DEV_PART_VQ_NOTIFY_CFG, {
    case: "vqNotifyCfg",
    value: {
      selector: { index },
      value: { queueNotifyOff: notifyOffset ?? index, queueNotifConfigData: notifyData ?? 0 },
    },
  });
}
