/** Which type of virtio device a name in a log means, and what its feature bits are called. */
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { deviceByName } from "../device-names.js";
import { featureNames, typesWithFeatures } from "../features.js";

/** The type that a section, a state or a device model is of: `0000:00:02.0/virtio-net`, `vhost-user-blk-pci`. */
export function deviceNamed(name: string | undefined): VirtioDeviceId | undefined {
  const [, word] = /(?:^|\/)(?:virtio|vhost-user|vhost)-(\w+)/.exec(name ?? "") ?? [];
  return word === undefined ? undefined : deviceByName(word === "vga" ? "gpu" : word);
}

/** "3, 40" as people read them: number, name, and for bits of unknown device types what they may be. */
export function bitTexts(mask: bigint, device: VirtioDeviceId | undefined): string[] {
  const texts: string[] = [];
  for (let bit = 0; bit < 128; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 1n) texts.push(`bit ${bit}: ${nameOf(bit, device)}`);
  }
  return texts;
}

function nameOf(bit: number, device: VirtioDeviceId | undefined): string {
  if (device !== undefined)
    return featureNames(device, 1n << BigInt(bit)).join(" | ") || "a bit without a name";
  const names = new Set(typesWithFeatures().flatMap((type) => featureNames(type, 1n << BigInt(bit))));
  return [...names].join(" or ") || "a bit without a name";
}

/** Bits that each type gives its own meaning. */
const OWN = ((1n << 24n) - 1n) | (0xffff_ffff_ffff_ffffn << 50n);

/** The only type that names all of the mask's own bits, if there is one. */
export function deviceOfMask(mask: bigint): VirtioDeviceId | undefined {
  const own = mask & OWN;
  const fitting = typesWithFeatures().filter((type) => (own & ~namedBits(type)) === 0n);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function namedBits(device: VirtioDeviceId): bigint {
  let bits = 0n;
  for (let bit = 0n; bit < 128n; bit++) {
    if (featureNames(device, 1n << bit).length > 0) bits |= 1n << bit;
  }
  return bits;
}
