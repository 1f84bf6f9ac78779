/**
 * The legacy interface of a device: the registers of virtio before 1.0, which offer feature bits 0 to 31 and one address
 * for a whole virtqueue. The device-specific configuration behind them is not part of this.
 * @source virtio 1.4, Legacy Interfaces: A Note on PCI Device Layout; A Note on Virtqueue Layout
 */
import {
  decodeVirtioPciLegacyCommonCfg,
  encodeVirtioPciLegacyCommonCfg,
  type VirtioPciLegacyCommonCfg,
  walkVirtioPciLegacyCommonCfg,
} from "../../../generated/virtio/pci.js";
import { Reader } from "../../runtime/index.js";
import { LEGACY_ALIGNMENT, legacyPlace } from "../rings/split-areas.js";
import { featureWindow } from "./common-config.js";
import { NO_VECTOR } from "./device-state.js";
import { type Register, registersOf } from "./registers.js";
import type { VirtioDevice } from "./virtio-device.js";

export class LegacyConfig {
  readonly registers: readonly Register[];
  private readonly device: VirtioDevice;
  private readonly msixEnabled: boolean;

  /** With MSI-X there are two registers more. */
  constructor(device: VirtioDevice, msixEnabled: boolean) {
    this.device = device;
    this.msixEnabled = msixEnabled;
    const bytes = encodeVirtioPciLegacyCommonCfg(this.shown(0), msixEnabled);
    this.registers = registersOf((visitor) =>
      walkVirtioPciLegacyCommonCfg(new Reader(bytes), visitor, msixEnabled),
    );
  }

  /** Bytes of one register, or of a part of it. Reading the ISR status clears it. */
  read(register: Register, offset: number, length: number): Uint8Array {
    const isr = register.name === "isr_status" ? this.device.takeIsr() : 0;
    return encodeVirtioPciLegacyCommonCfg(this.shown(isr), this.msixEnabled).slice(offset, offset + length);
  }

  /** Likewise. What is read-only stays as it is, and in Freeze mode everything. */
  write({ name }: Register, offset: number, bytes: Uint8Array): void {
    if (this.device.mode === "freeze") return;
    const image = encodeVirtioPciLegacyCommonCfg(this.shown(0), this.msixEnabled);
    image.set(bytes, offset);
    this.apply(name, decodeVirtioPciLegacyCommonCfg(image, this.msixEnabled));
  }

  private shown(isrStatus: number): VirtioPciLegacyCommonCfg {
    const { device } = this;
    const queue = device.queues[device.queueSelect];
    return {
      deviceFeatures: featureWindow(device.features, 0),
      driverFeatures: featureWindow(device.driverFeatures, 0),
      queueAddress: queue?.enabled ? Number(queue.descriptorArea / BigInt(LEGACY_ALIGNMENT)) : 0,
      queueSize: queue?.maxSize ?? 0,
      queueSelect: device.queueSelect,
      queueNotify: 0,
      deviceStatus: device.status,
      isrStatus,
      ...(this.msixEnabled
        ? { configMsixVector: device.configMsixVector, queueMsixVector: queue?.msixVector ?? NO_VECTOR }
        : {}),
    };
  }

  private apply(name: string, to: VirtioPciLegacyCommonCfg): void {
    const { device } = this;
    switch (name) {
      case "driver_features":
        device.writeLegacyFeatures(to.driverFeatures);
        return;
      case "device_status":
        device.writeLegacyStatus(to.deviceStatus);
        return;
      case "queue_notify":
        device.notify(to.queueNotify);
        return;
      case "queue_select":
        device.queueSelect = to.queueSelect;
        break;
      case "queue_address":
        this.placeQueue(to.queueAddress);
        break;
      case "config_msix_vector":
        device.configMsixVector = to.configMsixVector ?? NO_VECTOR;
        break;
      case "queue_msix_vector": {
        const queue = device.queues[device.queueSelect];
        if (queue !== undefined) queue.msixVector = to.queueMsixVector ?? NO_VECTOR;
        break;
      }
      default:
        return;
    }
    device.revision++;
  }

  /** In pages; none takes the queue out of use, as long as the device does not use it. */
  private placeQueue(page: number): void {
    const queue = this.device.queues[this.device.queueSelect];
    if (queue === undefined || queue.ring !== undefined) return;
    const place = legacyPlace(page * LEGACY_ALIGNMENT, queue.maxSize);
    queue.enabled = page !== 0;
    queue.size = queue.maxSize;
    queue.descriptorArea = BigInt(place.descriptorArea);
    queue.driverArea = BigInt(place.driverArea);
    queue.deviceArea = BigInt(place.deviceArea);
  }
}
