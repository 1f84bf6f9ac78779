/**
 * What is known of sections that are no virtio devices: fields that the description shows as bytes, since QEMU saves them
 * by functions of their own, and sections that can be read without a description, as after postcopy.
 */
import { VirtioDeviceId } from "../../../generated/virtio/ids.js";
import { SCSI_REQUESTS } from "./scsi-requests.js";
import { backendState } from "./virtio/devices/backend-state.js";
import { GPU_BLOBS, GPU_RESOURCES } from "./virtio/devices/gpu.js";
import { MEM_EARLY } from "./virtio/devices/mem.js";
import type { Vmstate } from "./virtio/vmstate.js";

/** By the name of their VMStateInfo. */
const OPAQUE: ReadonlyMap<string, Vmstate> = new Map([
  ["scsi-requests", SCSI_REQUESTS],
  ["virtio-fs back-end state", backendState("vhost-user-fs-backend", VirtioDeviceId.VIRTIO_ID_FS)],
  ["virtio-gpu", GPU_RESOURCES],
  ["blob", GPU_BLOBS],
]);

export function opaqueField(type: string): Vmstate | undefined {
  return OPAQUE.get(type);
}

/** `name`: of a section. Its whole body, where no description says what is in it. */
export function undescribedSection(name: string): Vmstate | undefined {
  return name.endsWith(`/${MEM_EARLY.name}`) ? MEM_EARLY : undefined;
}
