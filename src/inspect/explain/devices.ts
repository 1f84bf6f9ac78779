/** Which type of virtio device a name in a log means, and what its feature bits are called. */
import type { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { deviceByName } from "../device-names.js";
import { COMMON_FEATURES, DEVICES_WITH_FEATURES, deviceFeatures } from "../features.js";
import { sectionOf } from "../flags.js";

/** The type that a section, a state or a device model is of: `0000:00:02.0/virtio-net`, `vhost-user-blk-pci`. */
export function deviceNamed(name: string | undefined): VirtioDeviceId | undefined {
  const [, word] = /(?:^|\/)(?:virtio|vhost-user|vhost)-(\w+)/.exec(name ?? "") ?? [];
  return word === undefined ? undefined : deviceByName(word === "vga" ? "gpu" : word);
}

/** "3, 40" as people read them: number, name and section, and for bits of unknown device types what they may be. */
export function bitTexts(mask: bigint, device: VirtioDeviceId | undefined): string[] {
  const texts: string[] = [];
  for (let bit = 0; bit < 128; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 1n) texts.push(`bit ${bit}: ${nameOf(bit, device)}`);
  }
  return texts;
}

function nameOf(bit: number, device: VirtioDeviceId | undefined): string {
  const devices = device === undefined ? DEVICES_WITH_FEATURES : [device];
  const mask = 1n << BigInt(bit);
  const flags = [...COMMON_FEATURES, ...devices.flatMap(deviceFeatures)];
  const names = flags
    .filter((flag) => BigInt(flag.mask) === mask)
    .map(({ name, source }) => (source === undefined ? name : `${name} (${sectionOf(source)})`));
  return names.join(" or ") || "a bit without a name";
}
