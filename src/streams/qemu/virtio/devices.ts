/** The virtio devices whose saved state is known. */
import { VirtioDeviceId } from "../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "./device.js";
import { BALLOON } from "./devices/balloon.js";
import { BLK } from "./devices/blk.js";
import { FS } from "./devices/fs.js";
import { GPU } from "./devices/gpu.js";
import { IOMMU } from "./devices/iommu.js";
import { MEM } from "./devices/mem.js";
import { NET } from "./devices/net.js";
import { NSM } from "./devices/nsm.js";
import { SERIAL } from "./devices/serial.js";
import { VHOST_USER_BLK } from "./devices/vhost-user-blk.js";

/** A device that saves nothing of its own. */
function plain(section: string, id: VirtioDeviceId): VirtioDevice {
  return { sections: [section], id, own: undefined };
}

/**
 * The others do not occur: QEMU refuses to migrate virtio-crypto, virtio-snd, vhost-vdpa-device, virtio-input-host and
 * vhost-user's vsock, i2c, scmi, gpio, input, rng, snd and generic devices, and saves nothing of virtio-pmem.
 */
const DEVICES: readonly VirtioDevice[] = [
  NET,
  BLK,
  SERIAL,
  BALLOON,
  GPU,
  MEM,
  IOMMU,
  FS,
  NSM,
  VHOST_USER_BLK,
  // vhost-user-scsi too. Requests in flight are saved with the disks.
  plain("virtio-scsi", VirtioDeviceId.VIRTIO_ID_SCSI),
  plain("virtio-vhost_scsi", VirtioDeviceId.VIRTIO_ID_SCSI),
  plain("virtio-rng", VirtioDeviceId.VIRTIO_ID_RNG),
  plain("virtio-9p", VirtioDeviceId.VIRTIO_ID_9P),
  plain("virtio-input", VirtioDeviceId.VIRTIO_ID_INPUT),
  plain("virtio-vhost_vsock", VirtioDeviceId.VIRTIO_ID_VSOCK),
  plain("virtio-rtc", VirtioDeviceId.VIRTIO_ID_CLOCK),
];

const BY_SECTION: ReadonlyMap<string, VirtioDevice> = new Map(
  DEVICES.flatMap((device) => device.sections.map((section) => [section, device] as const)),
);

/** `idstr`: the name of a section, e.g. `0000:00:02.0/virtio-net`. */
export function virtioDeviceOf(idstr: string): VirtioDevice | undefined {
  return BY_SECTION.get(idstr.slice(idstr.lastIndexOf("/") + 1));
}
