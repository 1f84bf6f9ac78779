/** virtio-iommu */
import {
  readQemuVirtioIommu,
  scanQemuVirtioIommu,
  sizeofQemuVirtioIommu,
  walkQemuVirtioIommu,
  writeQemuVirtioIommu,
} from "../../../../../generated/qemu/virtio/iommu.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import { vmstate } from "../vmstate.js";

const DOMAINS = {
  scan: scanQemuVirtioIommu,
  read: readQemuVirtioIommu,
  walk: walkQemuVirtioIommu,
  sizeof: sizeofQemuVirtioIommu,
  write: writeQemuVirtioIommu,
};

export const IOMMU: VirtioDevice = {
  sections: ["virtio-iommu"],
  id: VirtioDeviceId.VIRTIO_ID_IOMMU,
  own: ({ versionId }) => vmstate("virtio-iommu-device", layout("qemu_virtio_iommu", DOMAINS, versionId)),
};
