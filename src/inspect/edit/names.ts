/** Names in the place of numbers: members of the enum that a field has, and features of the device that it belongs to. */

import * as ids from "../../../generated/virtio/ids.js";
import * as pci from "../../../generated/virtio/pci.js";
import * as pciConfig from "../../../generated/virtio/pci-config.js";
import { deviceNamed } from "../explain/devices.js";
import { featureNames } from "../features.js";
import type { Node } from "../node.js";

/** What generated modules export under the name of an enum or a flag set. */
const MODULES: readonly Readonly<Record<string, unknown>>[] = [ids, pci, pciConfig];

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
  const exported = type.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  for (const module of MODULES) {
    const members = Object.hasOwn(module, exported) ? module[exported] : undefined;
    if (typeof members !== "object" || members === null || !Object.hasOwn(members, name)) continue;
    const value: unknown = Object.entries(members).find(([member]) => member === name)?.[1];
    if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
  }
  return undefined;
}

function featureNamed(name: string, section: string): bigint | undefined {
  const device = deviceNamed(section);
  if (device === undefined) return undefined;
  for (let bit = 0n; bit < 128n; bit++) {
    if (featureNames(device, 1n << bit).includes(name)) return 1n << bit;
  }
  return undefined;
}
