/**
 * The device-specific configuration in what QEMU saves: as its driver has read it last, which for some fields is long ago.
 * Where the device's own part has the value of now, that counts.
 * @source QEMU 10.0.2, hw/virtio/virtio.c (virtio_config_readb), hw/net/virtio-net.c, hw/virtio/virtio-balloon.c (get_config)
 */
import {
  decodeVirtioDeviceConfig,
  encodeVirtioDeviceConfig,
  type VirtioDeviceConfig,
} from "../../../../generated/virtio/device-config.js";
import { savedValue } from "../../../streams/qemu/virtio/saved.js";
import type { VirtioState } from "../../../streams/qemu/virtio/state.js";
import type { DeviceState } from "../../member/device-state.js";

/** In the order that the guest reads it in. */
export function readConfig(saved: VirtioState, deviceType: number, isLittleEndian: boolean): Uint8Array {
  const config = withOwn(saved, saved.common.value.config);
  return encodeVirtioDeviceConfig(config, deviceType, isLittleEndian);
}

function withOwn(saved: VirtioState, { config }: VirtioDeviceConfig): VirtioDeviceConfig {
  const net = savedValue(saved, "qemu_virtio_net");
  if (config.case === "net" && net !== undefined) {
    const status = config.value.status === undefined ? {} : { status: net.status };
    return { config: { case: "net", value: { ...config.value, mac: net.mac, ...status } } };
  }
  const balloon = savedValue(saved, "qemu_virtio_balloon");
  if (config.case === "balloon" && balloon !== undefined) {
    const { numPages, actual } = balloon;
    return { config: { case: "balloon", value: { ...config.value, numPages, actual } } };
  }
  return { config };
}

/** In the order that the guest of the section reads it in; and where QEMU looks for it. */
export function writeConfig(saved: VirtioState, before: DeviceState, state: DeviceState): void {
  const { deviceType } = state;
  const given = decodeVirtioDeviceConfig(state.config, deviceType, state.isBigEndian !== true);
  const bytes = encodeVirtioDeviceConfig(given, deviceType, before.isBigEndian !== true);
  const isSame = bytes.length === before.config.length && bytes.every((byte, i) => byte === before.config[i]);
  if (isSame) return;
  saved.common.value.config = given;
  const { config } = given;
  const net = savedValue(saved, "qemu_virtio_net");
  if (config.case === "net" && net !== undefined) {
    net.mac = config.value.mac;
    net.status = config.value.status ?? net.status;
  }
  const balloon = savedValue(saved, "qemu_virtio_balloon");
  if (config.case === "balloon" && balloon !== undefined) {
    balloon.numPages = config.value.numPages;
    balloon.actual = config.value.actual;
  }
}
