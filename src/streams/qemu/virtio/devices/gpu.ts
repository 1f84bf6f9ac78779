/** virtio-gpu: all that is its own stands behind the field `virtio` */
import {
  readQemuVirtioGpu,
  readQemuVirtioGpuBlobs,
  scanQemuVirtioGpu,
  scanQemuVirtioGpuBlobs,
  sizeofQemuVirtioGpu,
  sizeofQemuVirtioGpuBlobs,
  walkQemuVirtioGpu,
  walkQemuVirtioGpuBlobs,
  writeQemuVirtioGpu,
  writeQemuVirtioGpuBlobs,
} from "../../../../../generated/qemu/virtio/gpu.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import { type Vmstate, vmstate } from "../vmstate.js";

const RESOURCES = {
  scan: scanQemuVirtioGpu,
  read: readQemuVirtioGpu,
  walk: walkQemuVirtioGpu,
  sizeof: sizeofQemuVirtioGpu,
  write: writeQemuVirtioGpu,
};

/** Up to machine type 8.2, scanouts have no framebuffer. */
const STATE: Vmstate = {
  name: "virtio-gpu-scanouts",
  layouts: [true, false].map((hasFramebuffer) => layout("qemu_virtio_gpu", RESOURCES, hasFramebuffer)),
  subsections: [],
};

const BLOBS = vmstate(
  "virtio-gpu/blob",
  layout("qemu_virtio_gpu_blobs", {
    scan: scanQemuVirtioGpuBlobs,
    read: readQemuVirtioGpuBlobs,
    walk: walkQemuVirtioGpuBlobs,
    sizeof: sizeofQemuVirtioGpuBlobs,
    write: writeQemuVirtioGpuBlobs,
  }),
);

export const GPU: VirtioDevice = {
  sections: ["virtio-gpu"],
  id: VirtioDeviceId.VIRTIO_ID_GPU,
  own: undefined,
  behind: [{ field: "virtio-gpu", state: () => STATE }],
  subsections: [BLOBS],
};
