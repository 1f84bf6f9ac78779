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

const FUNCTIONS = {
  scan: scanQemuVirtioGpu,
  read: readQemuVirtioGpu,
  walk: walkQemuVirtioGpu,
  sizeof: sizeofQemuVirtioGpu,
  write: writeQemuVirtioGpu,
};

/** VIRTIO_GPU_MAX_SCANOUTS */
const MAX_OUTPUTS = 16;

/** With more outputs than this, not every mix of scanouts with and without a framebuffer is tried. */
const MAX_MIXED = 6;

/**
 * Which scanouts have a framebuffer, in the order in which that is likely: all of them, none, any mix of the first few,
 * and with more outputs the first ones or the others.
 */
function framebuffers(): number[] {
  const all = 2 ** MAX_OUTPUTS - 1;
  const mixes = Array.from({ length: 2 ** MAX_MIXED - 1 }, (_, i) => i + 1);
  const halves = Array.from({ length: MAX_OUTPUTS - MAX_MIXED - 1 }, (_, i) => 2 ** (MAX_MIXED + i + 1) - 1);
  return [all, 0, ...mixes, ...halves.flatMap((first) => [first, all - first])];
}

/** The field `virtio-gpu` */
export const GPU_RESOURCES: Vmstate = {
  name: "virtio-gpu-scanouts",
  layouts: framebuffers().map((mask) => layout("qemu_virtio_gpu", FUNCTIONS, mask)),
  subsections: [],
};

/** `virtio-gpu/blob` */
export const GPU_BLOBS: Vmstate = vmstate(
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
  behind: [{ field: "virtio-gpu", state: () => GPU_RESOURCES }],
  subsections: [{ name: GPU_BLOBS.name, state: () => GPU_BLOBS }],
};
