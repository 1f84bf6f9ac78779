/** virtio-nsm */
import {
  readQemuVirtioNsm,
  scanQemuVirtioNsm,
  sizeofQemuVirtioNsm,
  walkQemuVirtioNsm,
  writeQemuVirtioNsm,
} from "../../../../../generated/qemu/virtio/nsm.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import { vmstate } from "../vmstate.js";

const STATE = vmstate(
  "virtio-nsm-device",
  layout("qemu_virtio_nsm", {
    scan: scanQemuVirtioNsm,
    read: readQemuVirtioNsm,
    walk: walkQemuVirtioNsm,
    sizeof: sizeofQemuVirtioNsm,
    write: writeQemuVirtioNsm,
  }),
);

export const NSM: VirtioDevice = {
  sections: ["virtio-nsm"],
  id: VirtioDeviceId.VIRTIO_ID_NITRO_SEC_MOD,
  own: () => STATE,
};
