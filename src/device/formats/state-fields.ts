/** A device's state as named values: what two states are compared by, and what a report calls them. */
import {
  decodeVirtioDeviceConfig,
  encodeVirtioDeviceConfig,
} from "../../../generated/virtio/device-config.js";
import { VirtioFeature, VirtioNetFeature } from "../../../generated/virtio/features.js";
import type { BufferParts, DeviceState, QueueState } from "../member/device-state.js";
import { hasNetControls } from "./net-parts.js";

/** Path to value, for people; in the order in which one reads them. What a state does not say is not there. */
export type StateFields = ReadonlyMap<string, string>;

export function isPacked({ driverFeatures }: DeviceState): boolean {
  return (driverFeatures & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
}

/** What is not of one virtqueue. */
export function deviceFields(state: DeviceState): StateFields {
  const fields = new Map<string, string>([
    ["device_features", hex(state.deviceFeatures)],
    ["driver_features", hex(state.driverFeatures)],
    ["device_status", hex(state.status)],
    ["device_feature_select", String(state.deviceFeatureSelect)],
    ["driver_feature_select", String(state.driverFeatureSelect)],
    ["queue_select", String(state.queueSelect)],
    ["config_msix_vector", vector(state.configMsixVector)],
    ["config_generation", String(state.configGeneration)],
    ...said("isr", state.isr, hex),
    ["num_queues", String(state.queues.length)],
    ...(state.config.length === 0 ? [] : [["config", bytes(littleEndianConfig(state))] as const]),
    ...said("internal", state.internal, bytes),
    ...said("config_order", state.isBigEndian, (isBig) => (isBig ? "big-endian" : "little-endian")),
  ]);
  for (const [name, value] of netFields(state)) fields.set(`net.${name}`, value);
  return fields;
}

function netFields(state: DeviceState): [string, string][] {
  const { net, driverFeatures } = state;
  if (net === undefined || !hasNetControls(state)) return [];
  const has = (feature: bigint) => (driverFeatures & feature) !== 0n;
  const flag = (name: string, value: boolean): [string, string] => [name, value ? "on" : "off"];
  const table = (macs: readonly Uint8Array[]) => macs.map(macText).join(", ") || "none";
  const rx: [string, string][] = [
    flag("promisc", net.promiscuous),
    flag("allmulti", net.allMulticast),
    ["unicast", table(net.unicast)],
    ["multicast", table(net.multicast)],
    flag("unicast_overflow", net.unicastOverflow),
    flag("multicast_overflow", net.multicastOverflow),
  ];
  const extra = [
    flag("alluni", net.allUnicast),
    flag("nomulti", net.noMulticast),
    flag("nouni", net.noUnicast),
    flag("nobcast", net.noBroadcast),
  ];
  return [
    ...(has(VirtioNetFeature.VIRTIO_NET_F_CTRL_RX) ? rx : []),
    ...(has(VirtioNetFeature.VIRTIO_NET_F_CTRL_RX_EXTRA) ? extra : []),
    ...(has(VirtioNetFeature.VIRTIO_NET_F_CTRL_VLAN)
      ? [["vlans", ranges(net.vlans)] as [string, string]]
      : []),
    ...(has(VirtioNetFeature.VIRTIO_NET_F_MQ) ? [["pairs", String(net.pairs)] as [string, string]] : []),
  ];
}

/** `1, 5-7`; ascending. */
function ranges(numbers: readonly number[]): string {
  const found: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const latest = found.at(-1);
    if (latest !== undefined && latest.last + 1 === number) latest.last = number;
    else found.push({ first: number, last: number });
  }
  return (
    found.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(", ") || "none"
  );
}

function macText(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Of one virtqueue: a state may have tens of thousands, so there is no one list of all. */
export function queueFields(queue: QueueState, packed: boolean): [string, string][] {
  const { size, maxSize, standing, owned } = queue;
  const fields: [string, string][] = [
    ["size", String(size)],
    ...said("max_size", maxSize, String),
    ["msix_vector", vector(queue.msixVector)],
    ["enabled", queue.enabled ? "yes" : "no"],
    ["desc", hex(queue.descriptorArea)],
    ["driver", hex(queue.driverArea)],
    ["device", hex(queue.deviceArea)],
    ...said("notify_off", queue.notifyOffset, String),
    ...said("notif_config_data", queue.notifyData, String),
  ];
  // Where a device stands in a virtqueue that nobody uses means nothing.
  if (!queue.enabled) return fields;
  fields.push(["last_avail_idx", position(standing?.available, packed && standing?.availableWrap)]);
  // Of a split virtqueue, the used index is in guest memory, and nowhere else.
  if (packed) fields.push(["used_idx", position(standing?.used, standing?.usedWrap)]);
  fields.push(["owned", owned.length === 0 ? "none" : owned.map(({ id }) => id).join(", ")]);
  owned.forEach(({ parts }, place) => {
    if (parts !== undefined) fields.push([`owned[${place}]`, partsText(parts, packed)]);
  });
  return fields;
}

function said<T>(path: string, value: T | undefined, text: (value: T) => string): [string, string][] {
  return value === undefined ? [] : [[path, text(value)]];
}

function position(index: number | undefined, wrap: boolean | undefined): string {
  if (index === undefined) return "unknown";
  return wrap === undefined || wrap === false ? String(index) : `${index}, wrap counter 1`;
}

function partsText({ readable, writable, descriptors }: BufferParts, packed: boolean): string {
  const list = (verb: string, parts: BufferParts["readable"]) =>
    parts.map(({ address, length }) => `${verb} ${hex(address)}+${length}`);
  const count = descriptors === undefined || !packed ? [] : [`${descriptors} descriptors`];
  return [...list("reads", readable), ...list("writes", writable), ...count].join(", ");
}

/** The configuration in the order of virtio 1.0 and later, whatever order the guest reads it in. */
function littleEndianConfig({ config, deviceType, isBigEndian }: DeviceState): Uint8Array {
  if (isBigEndian !== true) return config;
  return encodeVirtioDeviceConfig(decodeVirtioDeviceConfig(config, deviceType, false), deviceType, true);
}

function vector(number: number): string {
  return number === 0xffff ? "none" : String(number);
}

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

function bytes(value: Uint8Array): string {
  return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
