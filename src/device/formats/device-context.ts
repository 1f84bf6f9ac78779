/**
 * The draft's device context, made from a device's state and read into one.
 *
 * The format has no field for the driver's features: the common configuration shows 32 of them, those that the driver
 * has selected. So that the other half is not lost, a common configuration with the other selector stands before the
 * one that counts. Packed virtqueues, and where the device stands in a used ring, have no field at all; for a split
 * virtqueue the latter is in guest memory.
 * @source virtio-comment v2 3/8, device-context.tex
 */
import {
  decodeVirtioDeviceConfig,
  encodeVirtioDeviceConfig,
} from "../../../generated/virtio/device-config.js";
import {
  encodeVirtioDevCtx,
  type VirtioDevCtxFieldTlv,
  VirtioDevCtxType,
} from "../../../generated/virtio/device-context.js";
import { VirtioFeature } from "../../../generated/virtio/features.js";
import type { VirtioPciCommonCfg } from "../../../generated/virtio/pci.js";
import { featureWindow } from "../member/common-config.js";
import type { DeviceState, QueueState } from "../member/device-state.js";
import { featureWords, joinedFeatures } from "./feature-words.js";
import { QueueList } from "./queue-list.js";
import { INTERRUPT_STATUS, type LossReasons } from "./state-losses.js";

/** Of features 0 to 127: as many as any format here holds. */
const WINDOWS = [0, 1, 2, 3];
const WINDOW_BITS = 32;
const WINDOW_MASK = 0xffff_ffffn;
/** With VIRTIO_F_VERSION_1, which the draft presumes, device configurations are little-endian. */
const LITTLE = true;

/** What there is no field for. */
export const DEVICE_CONTEXT_REASONS: LossReasons = [
  {
    path: /^net\./,
    reason:
      "there is no field for what the driver has set through the control virtqueue: it would have to set it again",
  },
  { path: /^internal$/, reason: "it has no place for the internal state of a device type" },
  ...INTERRUPT_STATUS,
  {
    path: /^config_order$/,
    reason: "the context is for drivers of virtio 1.0 and later, whose configuration is little-endian",
  },
  {
    path: /\.max_size$/,
    reason: "the context has the size in use only: the destination offers its own",
    kind: "elsewhere",
  },
  {
    path: /\.(notify_off|notif_config_data)$/,
    reason: "the context has it for the selected virtqueue only",
    kind: "elsewhere",
  },
  {
    path: /\.(last_avail_idx|used_idx)$/,
    reason: "packed virtqueues have no field: the destination would start at 0",
  },
  {
    path: /\.owned/,
    reason: "packed virtqueues have no field: these buffers would never come back to the guest",
  },
];

/** All that there is a field for; `stateLosses` says what is left out. */
export function writeDeviceContext(state: DeviceState): Uint8Array {
  const { deviceType } = state;
  const isPacked = (state.driverFeatures & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  // Not pushed with one call: a device may have more virtqueues than a call takes arguments.
  const fields = [
    ...commonFields(state),
    featuresField(state.deviceFeatures),
    ...state.queues.map(queueField),
    ...(isPacked ? [] : state.queues.flatMap(splitFields)),
  ];
  // None where the device type has none, or where the format that the state comes from had no place for it.
  if (state.config.length > 0) {
    const config = decodeVirtioDeviceConfig(state.config, deviceType, !state.isBigEndian);
    fields.push({
      type: VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_CFG,
      value: { case: "devCfg", value: config },
    });
  }
  return encodeVirtioDevCtx({ fields }, deviceType);
}

/**
 * Takes the fields of a context in, one by one: what none of them says stays as it is in `base`. Fields of types that are
 * not known here change nothing.
 */
export class DeviceContextReader {
  private state: DeviceState;
  private readonly queues: QueueList;

  /** `learns`: the device is what the context says, and `base` says nothing of its virtqueues. */
  constructor(base: DeviceState, learns = false) {
    this.state = base;
    this.queues = new QueueList(base.queues, learns);
  }

  get result(): DeviceState {
    return { ...this.state, queues: this.queues.all };
  }

  /** @throws RangeError when the field cannot be this device's. */
  take({ value }: VirtioDevCtxFieldTlv): void {
    switch (value.case) {
      case "pciCommonCfg":
        this.common(value.value);
        break;
      case "devFeatures":
        this.state = { ...this.state, deviceFeatures: joinedFeatures(value.value.featureBits) };
        break;
      case "pciVqCfg": {
        const { vqIndex, queueSize, queueMsixVector, queueDesc, queueDriver, queueDevice } = value.value;
        this.queues.change(vqIndex, {
          size: queueSize,
          msixVector: queueMsixVector,
          descriptorArea: queueDesc,
          driverArea: queueDriver,
          deviceArea: queueDevice,
        });
        break;
      }
      case "vqSplitRuntimeCfg": {
        const { vqIndex, devAvailIdx, enabled } = value.value;
        this.queues.change(vqIndex, {
          enabled: enabled === 1,
          standing: { available: devAvailIdx, used: undefined, availableWrap: true, usedWrap: true },
        });
        break;
      }
      case "vqSplitDevOwnDesc":
        this.queues.change(value.value.vqIndex, { owned: value.value.descIdx.map((id) => ({ id })) });
        break;
      case "devCfg":
        this.state = {
          ...this.state,
          config: encodeVirtioDeviceConfig(value.value, this.state.deviceType, LITTLE),
        };
        break;
      case "raw":
        break;
    }
  }

  private common(from: VirtioPciCommonCfg): void {
    const { state } = this;
    this.queues.count(from.numQueues);
    this.state = {
      ...state,
      driverFeatures: withWindow(state.driverFeatures, from.driverFeatureSelect, from.driverFeature),
      status: from.deviceStatus,
      deviceFeatureSelect: from.deviceFeatureSelect,
      driverFeatureSelect: from.driverFeatureSelect,
      queueSelect: from.queueSelect,
      configMsixVector: from.configMsixVector,
      configGeneration: from.configGeneration,
    };
  }
}

function commonFields(state: DeviceState): VirtioDevCtxFieldTlv[] {
  const others = WINDOWS.filter(
    (window) => window !== state.driverFeatureSelect && featureWindow(state.driverFeatures, window) !== 0,
  );
  return [...others, state.driverFeatureSelect].map((driverFeatureSelect) => ({
    type: VirtioDevCtxType.VIRTIO_DEV_CTX_PCI_COMMON_CFG,
    value: { case: "pciCommonCfg", value: commonConfig(state, driverFeatureSelect) },
  }));
}

function commonConfig(state: DeviceState, driverFeatureSelect: number): VirtioPciCommonCfg {
  const queue = state.queues[state.queueSelect];
  return {
    deviceFeatureSelect: state.deviceFeatureSelect,
    deviceFeature: featureWindow(state.deviceFeatures, state.deviceFeatureSelect),
    driverFeatureSelect,
    driverFeature: featureWindow(state.driverFeatures, driverFeatureSelect),
    configMsixVector: state.configMsixVector,
    numQueues: state.queues.length,
    deviceStatus: state.status,
    configGeneration: state.configGeneration,
    queueSelect: state.queueSelect,
    queueSize: queue?.size ?? 0,
    queueMsixVector: queue?.msixVector ?? 0,
    queueEnable: queue?.enabled ? 1 : 0,
    queueNotifyOff: queue?.notifyOffset ?? state.queueSelect,
    queueDesc: queue?.descriptorArea ?? 0n,
    queueDriver: queue?.driverArea ?? 0n,
    queueDevice: queue?.deviceArea ?? 0n,
  };
}

function featuresField(features: bigint): VirtioDevCtxFieldTlv {
  return {
    type: VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_FEATURES,
    value: { case: "devFeatures", value: { featureBits: featureWords(features) } },
  };
}

function queueField(queue: QueueState, vqIndex: number): VirtioDevCtxFieldTlv {
  return {
    type: VirtioDevCtxType.VIRTIO_DEV_CTX_PCI_VQ_CFG,
    value: {
      case: "pciVqCfg",
      value: {
        vqIndex,
        queueSize: queue.size,
        queueMsixVector: queue.msixVector,
        queueDesc: queue.descriptorArea,
        queueDriver: queue.driverArea,
        queueDevice: queue.deviceArea,
      },
    },
  };
}

function splitFields(queue: QueueState, vqIndex: number): VirtioDevCtxFieldTlv[] {
  return [
    {
      type: VirtioDevCtxType.VIRTIO_DEV_CTX_VQ_SPLIT_RUNTIME_CFG,
      value: {
        case: "vqSplitRuntimeCfg",
        value: { vqIndex, devAvailIdx: queue.standing?.available ?? 0, enabled: queue.enabled ? 1 : 0 },
      },
    },
    {
      type: VirtioDevCtxType.VIRTIO_DEV_CTX_VQ_SPLIT_DEV_OWN_DESC,
      value: { case: "vqSplitDevOwnDesc", value: { vqIndex, descIdx: queue.owned.map(({ id }) => id) } },
    },
  ];
}

function withWindow(features: bigint, select: number, bits: number): bigint {
  if (select >= WINDOWS.length) return features;
  const shift = BigInt(select * WINDOW_BITS);
  return (features & ~(WINDOW_MASK << shift)) | (BigInt(bits) << shift);
}
