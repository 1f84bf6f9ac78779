/** The parts of one member on their way: what is got, and what has been set and waits for the device to be resumed. */
import { readVirtioAdminCmdDevPartsSetData } from "../../../generated/virtio/admin-commands.js";
import { readVirtioDevPartHdr, type VirtioDevPartHdr } from "../../../generated/virtio/device-parts.js";
import { Reader } from "../../runtime/index.js";
import { DevicePartsReader, deviceParts, type EncodedPart } from "../formats/device-parts.js";
import type { DeviceState } from "../member/device-state.js";
import type { VirtioDevice } from "../member/virtio-device.js";

export class DevicePartsTransfer {
  private readonly device: VirtioDevice;
  private pending: { readonly state: DeviceState; readonly resets: number } | undefined;

  constructor(device: VirtioDevice) {
    this.device = device;
  }

  /** All parts, in order. */
  all(): readonly EncodedPart[] {
    return deviceParts(this.pendingState ?? this.device.save());
  }

  headers(): VirtioDevPartHdr[] {
    return this.all().map(({ bytes }) => readVirtioDevPartHdr(new Reader(bytes)));
  }

  /** Those that the headers choose; what there is not is left out. */
  selected(wanted: readonly VirtioDevPartHdr[]): readonly EncodedPart[] {
    const keys = new Set(wanted.map(keyOf));
    const headers = this.headers();
    return this.all().filter((_, index) => keys.has(keyOf(headers[index] as VirtioDevPartHdr)));
  }

  /**
   * Parts of one command, on top of those of earlier ones. They take effect when the device is resumed, and are forgotten
   * when it is reset before.
   * @throws WireError, RangeError when they cannot be this device's; then none of them is taken.
   */
  set(data: Uint8Array): void {
    const { type } = this.device;
    const reader = new DevicePartsReader(this.pendingState ?? this.device.save());
    for (const part of readVirtioAdminCmdDevPartsSetData(new Reader(data), type.id).parts) reader.take(part);
    this.device.verify(reader.result);
    this.pending = { state: reader.result, resets: this.device.resets };
  }

  /** What is to take effect now. */
  takePending(): DeviceState | undefined {
    const state = this.pendingState;
    this.pending = undefined;
    return state;
  }

  private get pendingState(): DeviceState | undefined {
    return this.pending?.resets === this.device.resets ? this.pending.state : undefined;
  }
}

/** A part's place: its type, and which one of that type. */
function keyOf({ partType, selector }: VirtioDevPartHdr): string {
  switch (selector.case) {
    case "pciCommonCfg":
      return `${partType}/${selector.value.offset}`;
    case "vqIndex":
      return `${partType}/${selector.value.index}`;
    case "deviceTypeRaw":
      return `${partType}/${selector.value.join(",")}`;
    case "none":
      return String(partType);
  }
}
