/** virtio-mem */
import {
  readQemuVirtioMem,
  readQemuVirtioMemEarly,
  readQemuVirtioMemLate,
  scanQemuVirtioMem,
  scanQemuVirtioMemEarly,
  scanQemuVirtioMemLate,
  sizeofQemuVirtioMem,
  sizeofQemuVirtioMemEarly,
  sizeofQemuVirtioMemLate,
  walkQemuVirtioMem,
  walkQemuVirtioMemEarly,
  walkQemuVirtioMemLate,
  writeQemuVirtioMem,
  writeQemuVirtioMemEarly,
  writeQemuVirtioMemLate,
} from "../../../../../generated/qemu/virtio/mem.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import { type Vmstate, vmstate } from "../vmstate.js";

/** Up to machine type 7.2, size and bitmap do not have a section of their own. */
const STATE: Vmstate = {
  name: "virtio-mem-device",
  layouts: [
    layout("qemu_virtio_mem", {
      scan: scanQemuVirtioMem,
      read: readQemuVirtioMem,
      walk: walkQemuVirtioMem,
      sizeof: sizeofQemuVirtioMem,
      write: writeQemuVirtioMem,
    }),
    layout("qemu_virtio_mem_late", {
      scan: scanQemuVirtioMemLate,
      read: readQemuVirtioMemLate,
      walk: walkQemuVirtioMemLate,
      sizeof: sizeofQemuVirtioMemLate,
      write: writeQemuVirtioMemLate,
    }),
  ],
  subsections: [],
};

/** The section `virtio-mem-device-early`, which comes before the guest's memory. */
export const MEM_EARLY: Vmstate = vmstate(
  "virtio-mem-device-early",
  layout("qemu_virtio_mem_early", {
    scan: scanQemuVirtioMemEarly,
    read: readQemuVirtioMemEarly,
    walk: walkQemuVirtioMemEarly,
    sizeof: sizeofQemuVirtioMemEarly,
    write: writeQemuVirtioMemEarly,
  }),
);

export const MEM: VirtioDevice = {
  sections: ["virtio-mem"],
  id: VirtioDeviceId.VIRTIO_ID_MEM,
  own: () => STATE,
};
