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
import { joinedFeatures } from "./feature-words.js";
import { internalLosses, type Loss, type Written } from "./loss.js";

const WINDOWS = [0, 1];
const WINDOW_BITS = 32;
const WINDOW_MASK = 0xffff_ffffn;
/** With VIRTIO_F_VERSION_1, which the draft presumes, device configurations are little-endian. */
const LITTLE = true;

/** Without losses only when the virtqueues are split ones, and the device type has no internal state. */
export function writeDeviceContext(state: DeviceState): Written {
  const packed = (state.driverFeatures & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  const losses: Loss[] = internalLosses(state);
  const fields = [...commonFields(state), featuresField(state.deviceFeatures)];
  fields.push(...state.queues.map(queueField));
  state.queues.forEach((queue, index) => {
    if (!packed) fields.push(...splitFields(queue, index));
    else if (queue.enabled) {
      losses.push({ path: `queues[${index}].standing`, reason: "packed virtqueues have no field" });
    }
  });
  if (state.net !== undefined) {
    losses.push({ path: "net", reason: "what a driver has set with control commands has no field" });
  }
  fields.push({
    type: VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_CFG,
    value: { case: "devCfg", value: decodeVirtioDeviceConfig(state.config, state.deviceType, LITTLE) },
  });
  return { bytes: encodeVirtioDevCtx({ fields }, state.deviceType), losses };
}

/**
 * Takes the fields of a context in, one by one: what none of them says stays as it is in `base`. Fields of types that are
 * not known here change nothing.
 */
export class DeviceContextReader {
  private state: DeviceState;

  constructor(base: DeviceState) {
    this.state = base;
  }

  get result(): DeviceState {
    return this.state;
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
        this.queue(vqIndex, {
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
        this.queue(vqIndex, {
          enabled: enabled === 1,
          standing: { available: devAvailIdx, used: undefined, availableWrap: true, usedWrap: true },
        });
        break;
      }
      case "vqSplitDevOwnDesc":
        this.queue(value.value.vqIndex, { owned: [...value.value.descIdx] });
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
    if (from.numQueues !== state.queues.length) {
      throw new RangeError(`${from.numQueues} virtqueues, here are ${state.queues.length}`);
    }
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

  private queue(index: number, change: Partial<QueueState>): void {
    const queue = this.state.queues[index];
    if (queue === undefined) {
      throw new RangeError(`virtqueue ${index}, here are ${this.state.queues.length}`);
    }
    const queues = [...this.state.queues];
    queues[index] = { ...queue, ...change };
    this.state = { ...this.state, queues };
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
    queueNotifyOff: state.queueSelect,
    queueDesc: queue?.descriptorArea ?? 0n,
    queueDriver: queue?.driverArea ?? 0n,
    queueDevice: queue?.deviceArea ?? 0n,
  };
}

function featuresField(features: bigint): VirtioDevCtxFieldTlv {
  return {
    type: VirtioDevCtxType.VIRTIO_DEV_CTX_DEV_FEATURES,
    value: { case: "devFeatures", value: { featureBits: [features] } },
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
      value: { case: "vqSplitDevOwnDesc", value: { vqIndex, descIdx: [...queue.owned] } },
    },
  ];
}

function withWindow(features: bigint, select: number, bits: number): bigint {
  if (select >= WINDOWS.length) return features;
  const shift = BigInt(select * WINDOW_BITS);
  return (features & ~(WINDOW_MASK << shift)) | (BigInt(bits) << shift);
}
