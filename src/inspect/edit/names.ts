/** Names in the place of numbers: members of the enum that a field has, and features of the device that it belongs to. */

import {
  VirtioDeviceId,
  VirtioDeviceStatus,
  VirtioPciCapType,
  VirtioPciTransitionalId,
} from "../../../generated/virtio/ids.js";
import { VirtioPciIsr } from "../../../generated/virtio/pci.js";
import { PciCapId, PciCommand, PciExpSltsta, PciStatus } from "../../../generated/virtio/pci-config.js";
import { deviceNamed } from "../explain/devices.js";
import { featureNames } from "../features.js";
import type { Node } from "../node.js";

type Members = Readonly<Record<string, number | bigint>>;

/**
 * By the schema's name of the enum or flag set. One by one: to import a whole module would keep all of it in the bundle of
 * every program that decodes with it.
 */
const MEMBERS: ReadonlyMap<string, Members> = new Map<string, Members>([
  ["virtio_device_id", VirtioDeviceId],
  ["virtio_pci_transitional_id", VirtioPciTransitionalId],
  ["virtio_device_status", VirtioDeviceStatus],
  ["virtio_pci_cap_type", VirtioPciCapType],
  ["virtio_pci_isr", VirtioPciIsr],
  ["pci_command", PciCommand],
  ["pci_status", PciStatus],
  ["pci_cap_id", PciCapId],
  ["pci_exp_sltsta", PciExpSltsta],
]);

/** The number that a name stands for in this field. `section`: the name of the section that the field lies in. */
export function numberNamed(name: string, node: Node, section: string): bigint | undefined {
  if (node.type === "bool" || node.type === "bool equal") return BOOLEANS.get(name);
  return memberOf(node.type, name) ?? (/features/.test(node.name) ? featureNamed(name, section) : undefined);
}

const BOOLEANS: ReadonlyMap<string, bigint> = new Map([
  ["false", 0n],
  ["true", 1n],
]);

function memberOf(type: string, name: string): bigint | undefined {
  const members = MEMBERS.get(type);
  const value = members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;
  return value === undefined ? undefined : BigInt(value);
}

function featureNamed(name: string, section: string): bigint | undefined {
  const device = deviceNamed(section);
  if (device === undefined) return undefined;
  for (let bit = 0n; bit < 128n; bit++) {
    if (featureNames(device, 1n << bit).includes(name)) return 1n << bit;
  }
  return undefined;
}
