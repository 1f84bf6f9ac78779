/**
 * The PCI common configuration: registers through which a driver sets a device up. Accesses are by offset and length,
 * as they come from a bus; where each field lies, the schema knows.
 */
import {
  decodeVirtioPciCommonCfg,
  encodeVirtioPciCommonCfg,
  type VirtioPciCommonCfg,
  walkVirtioPciCommonCfg,
} from "../../../generated/virtio/pci.js";
import { Reader } from "../../runtime/index.js";
import { type Register, registersOf } from "./registers.js";
import type { VirtioDevice } from "./virtio-device.js";

/** What the registers show now. */
export function commonConfigOf(device: VirtioDevice): VirtioPciCommonCfg {
  const queue = device.queues[device.queueSelect];
  const { adminQueues = 0 } = device.type;
  return {
    deviceFeatureSelect: device.deviceFeatureSelect,
    deviceFeature: featureWindow(device.features, device.deviceFeatureSelect),
    driverFeatureSelect: device.driverFeatureSelect,
    driverFeature: featureWindow(device.driverFeatures, device.driverFeatureSelect),
    configMsixVector: device.configMsixVector,
    numQueues: device.queues.length - adminQueues,
    deviceStatus: device.status,
    configGeneration: device.configGeneration,
    queueSelect: device.queueSelect,
    queueSize: queue?.size ?? 0,
    queueMsixVector: queue?.msixVector ?? 0,
    queueEnable: queue?.enabled ? 1 : 0,
    queueNotifyOff: device.queueSelect,
    queueDesc: queue?.descriptorArea ?? 0n,
    queueDriver: queue?.driverArea ?? 0n,
    queueDevice: queue?.deviceArea ?? 0n,
    // The tail is there for the devices that have a use for it.
    ...(adminQueues === 0 ? {} : adminTail(device.queues.length - adminQueues, adminQueues)),
  };
}

function adminTail(adminQueueIndex: number, adminQueueNum: number): Partial<VirtioPciCommonCfg> {
  return { queueNotifConfigData: 0, queueReset: 0, adminQueueIndex, adminQueueNum };
}

/** The 32 feature bits that a selector chooses. */
export function featureWindow(features: bigint, select: number): number {
  return select > 3 ? 0 : Number((features >> (BigInt(select) * 32n)) & 0xffff_ffffn);
}

export class CommonConfig {
  private readonly device: VirtioDevice;
  private readonly registers: readonly Register[];
  /** In bytes. */
  readonly length: number;

  constructor(device: VirtioDevice) {
    this.device = device;
    const bytes = encodeVirtioPciCommonCfg(commonConfigOf(device));
    this.length = bytes.length;
    this.registers = registersOf((visitor) => walkVirtioPciCommonCfg(new Reader(bytes), visitor));
  }

  /** Where a register lies, by its name in the schema. Throws RangeError when there is no such register. */
  place(name: string): Register {
    const register = this.registers.find((one) => one.name === name);
    if (register === undefined) throw new RangeError(`no register is called ${name}`);
    return register;
  }

  /** As many bytes as there are of those asked for; what lies behind the registers reads as nothing. */
  read(offset: number, length: number): Uint8Array {
    return encodeVirtioPciCommonCfg(commonConfigOf(this.device)).slice(offset, offset + length);
  }

  /**
   * Every field that the bytes touch is written, in order: a 64-bit address may be written in halves. Ignored in Freeze
   * mode, and outside of the registers.
   */
  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (this.device.mode === "freeze" || offset < 0 || end > this.length) return;
    const touched = this.registers.filter(({ at, size }) => at < end && at + size > offset);
    for (const { name } of touched) {
      // Registers are made anew for each field: what one selects, the next one shows.
      const image = encodeVirtioPciCommonCfg(commonConfigOf(this.device));
      image.set(bytes, offset);
      apply(this.device, name, decodeVirtioPciCommonCfg(image));
    }
  }
}

/** One register that the driver has written. Those that are not here are read-only. */
function apply(device: VirtioDevice, name: string, to: VirtioPciCommonCfg): void {
  const queue = device.queues[device.queueSelect];
  switch (name) {
    case "device_feature_select":
      device.deviceFeatureSelect = to.deviceFeatureSelect;
      break;
    case "driver_feature_select":
      device.driverFeatureSelect = to.driverFeatureSelect;
      break;
    case "driver_feature":
      device.writeDriverFeatures(to.driverFeature);
      return;
    case "config_msix_vector":
      device.configMsixVector = to.configMsixVector;
      break;
    case "device_status":
      device.writeStatus(to.deviceStatus);
      return;
    case "queue_select":
      device.queueSelect = to.queueSelect;
      break;
    case "queue_msix_vector":
      if (queue !== undefined) queue.msixVector = to.queueMsixVector;
      break;
    case "queue_size":
      // Not larger than the device has said, and not once the queue is in use.
      if (queue !== undefined && !queue.enabled && to.queueSize > 0 && to.queueSize <= queue.maxSize) {
        queue.size = to.queueSize;
      }
      break;
    case "queue_desc":
      if (queue !== undefined && !queue.enabled) queue.descriptorArea = to.queueDesc;
      break;
    case "queue_driver":
      if (queue !== undefined && !queue.enabled) queue.driverArea = to.queueDriver;
      break;
    case "queue_device":
      if (queue !== undefined && !queue.enabled) queue.deviceArea = to.queueDevice;
      break;
    case "queue_enable":
      // A driver can only enable; disabling is for a reset.
      if (queue !== undefined && to.queueEnable === 1) queue.enabled = true;
      break;
    default:
      return;
  }
  device.revision++;
}
