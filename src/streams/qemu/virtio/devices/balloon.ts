/** virtio-balloon */
import {
  readQemuVirtioBalloon,
  readQemuVirtioBalloonFreePageReport,
  readQemuVirtioBalloonPagePoison,
  scanQemuVirtioBalloon,
  scanQemuVirtioBalloonFreePageReport,
  scanQemuVirtioBalloonPagePoison,
  sizeofQemuVirtioBalloon,
  sizeofQemuVirtioBalloonFreePageReport,
  sizeofQemuVirtioBalloonPagePoison,
  walkQemuVirtioBalloon,
  walkQemuVirtioBalloonFreePageReport,
  walkQemuVirtioBalloonPagePoison,
  writeQemuVirtioBalloon,
  writeQemuVirtioBalloonFreePageReport,
  writeQemuVirtioBalloonPagePoison,
} from "../../../../../generated/qemu/virtio/balloon.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import { vmstate } from "../vmstate.js";

const STATE = vmstate(
  "virtio-balloon-device",
  layout("qemu_virtio_balloon", {
    scan: scanQemuVirtioBalloon,
    read: readQemuVirtioBalloon,
    walk: walkQemuVirtioBalloon,
    sizeof: sizeofQemuVirtioBalloon,
    write: writeQemuVirtioBalloon,
  }),
  vmstate(
    "virtio-balloon-device/free-page-report",
    layout("qemu_virtio_balloon_free_page_report", {
      scan: scanQemuVirtioBalloonFreePageReport,
      read: readQemuVirtioBalloonFreePageReport,
      walk: walkQemuVirtioBalloonFreePageReport,
      sizeof: sizeofQemuVirtioBalloonFreePageReport,
      write: writeQemuVirtioBalloonFreePageReport,
    }),
  ),
  vmstate(
    "virtio-balloon-device/page-poison",
    layout("qemu_virtio_balloon_page_poison", {
      scan: scanQemuVirtioBalloonPagePoison,
      read: readQemuVirtioBalloonPagePoison,
      walk: walkQemuVirtioBalloonPagePoison,
      sizeof: sizeofQemuVirtioBalloonPagePoison,
      write: writeQemuVirtioBalloonPagePoison,
    }),
  ),
);

export const BALLOON: VirtioDevice = {
  sections: ["virtio-balloon"],
  id: VirtioDeviceId.VIRTIO_ID_BALLOON,
  own: () => STATE,
};
