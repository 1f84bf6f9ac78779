/** virtio-blk */
import {
  readQemuVirtioBlk,
  scanQemuVirtioBlk,
  sizeofQemuVirtioBlk,
  walkQemuVirtioBlk,
  writeQemuVirtioBlk,
} from "../../../../../generated/qemu/virtio/blk.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { SavedDevice, VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import type { Vmstate } from "../vmstate.js";
import { inFlight } from "./in-flight.js";

const REQUESTS = {
  scan: scanQemuVirtioBlk,
  read: readQemuVirtioBlk,
  walk: walkQemuVirtioBlk,
  sizeof: sizeofQemuVirtioBlk,
  write: writeQemuVirtioBlk,
};

function stateOf(saved: SavedDevice): Vmstate {
  const layouts = inFlight(saved).map(({ hostLittleEndian, abi, packed }) =>
    layout("qemu_virtio_blk", REQUESTS, hostLittleEndian, abi, saved.queues > 1, packed),
  );
  return { name: "virtio-blk-device", layouts, subsections: [] };
}

export const BLK: VirtioDevice = {
  sections: ["virtio-blk"],
  id: VirtioDeviceId.VIRTIO_ID_BLOCK,
  own: stateOf,
};
