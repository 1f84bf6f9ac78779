/** What people call the types of virtio devices: the spec's names, QEMU's and the kernel's short ones, and numbers. */
import { VirtioDeviceId } from "../../generated/virtio/ids.js";

/** Where QEMU or the kernel shortens, or names otherwise. */
const OTHER_NAMES: ReadonlyMap<string, VirtioDeviceId> = new Map([
  ["blk", VirtioDeviceId.VIRTIO_ID_BLOCK],
  ["serial", VirtioDeviceId.VIRTIO_ID_CONSOLE],
  ["entropy", VirtioDeviceId.VIRTIO_ID_RNG],
  ["snd", VirtioDeviceId.VIRTIO_ID_SOUND],
  ["rtc", VirtioDeviceId.VIRTIO_ID_CLOCK],
  ["i2c", VirtioDeviceId.VIRTIO_ID_I2C_ADAPTER],
]);

/** `net`, `blk`, `virtio-net-pci`, `VIRTIO_ID_NET`, `1`. */
export function deviceByName(text: string): VirtioDeviceId | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const short = text
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/^(?:virtio|vhost|vhost-user)-(?:id-)?/, "")
    .replace(/-(?:pci|ccw|device)$/, "");
  return OTHER_NAMES.get(short) ?? DEVICES.get(short);
}

/** `net`, `block`: what `deviceByName` takes. */
export const DEVICES: ReadonlyMap<string, VirtioDeviceId> = new Map(
  Object.entries(VirtioDeviceId).map(([name, id]) => [
    name.replace("VIRTIO_ID_", "").toLowerCase().replaceAll("_", "-"),
    id,
  ]),
);

/** What `deviceByName` takes; the number of a type that is not known. */
export function deviceTitle(device: VirtioDeviceId): string {
  return [...DEVICES].find(([, id]) => id === device)?.[0] ?? `device type ${device}`;
}
