/** vhost-user-blk: what it has of its own is what its back-end had not completed */
import {
  readQemuVhostInflightBytes,
  readQemuVhostInflightPacked,
  readQemuVhostInflightSplit,
  scanQemuVhostInflightBytes,
  scanQemuVhostInflightPacked,
  scanQemuVhostInflightSplit,
  sizeofQemuVhostInflightBytes,
  sizeofQemuVhostInflightPacked,
  sizeofQemuVhostInflightSplit,
  walkQemuVhostInflightBytes,
  walkQemuVhostInflightPacked,
  walkQemuVhostInflightSplit,
  writeQemuVhostInflightBytes,
  writeQemuVhostInflightPacked,
  writeQemuVhostInflightSplit,
} from "../../../../../generated/qemu/virtio/inflight-region.js";
import { VirtioFeature } from "../../../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { SavedDevice, VirtioDevice } from "../device.js";
import { type Layout, layout } from "../layout.js";
import type { Vmstate } from "../vmstate.js";

const SPLIT = {
  scan: scanQemuVhostInflightSplit,
  read: readQemuVhostInflightSplit,
  walk: walkQemuVhostInflightSplit,
  sizeof: sizeofQemuVhostInflightSplit,
  write: writeQemuVhostInflightSplit,
};

const PACKED = {
  scan: scanQemuVhostInflightPacked,
  read: readQemuVhostInflightPacked,
  walk: walkQemuVhostInflightPacked,
  sizeof: sizeofQemuVhostInflightPacked,
  write: writeQemuVhostInflightPacked,
};

const BYTES = layout("qemu_vhost_inflight_bytes", {
  scan: scanQemuVhostInflightBytes,
  read: readQemuVhostInflightBytes,
  walk: walkQemuVhostInflightBytes,
  sizeof: sizeofQemuVhostInflightBytes,
  write: writeQemuVhostInflightBytes,
});

/** The region is for the kind of ring that the driver uses. */
function regionLayouts({ features, hostLittleEndian }: SavedDevice): Layout[] {
  const isPacked = (features & VirtioFeature.VIRTIO_F_RING_PACKED) !== 0n;
  const known = isPacked
    ? layout("qemu_vhost_inflight_packed", PACKED, hostLittleEndian)
    : layout("qemu_vhost_inflight_split", SPLIT, hostLittleEndian);
  return [known, BYTES];
}

/** A vmstate whose fields are the region, whatever its name. */
function region(name: string): (saved: SavedDevice) => Vmstate {
  return (saved) => ({ name, layouts: regionLayouts(saved), subsections: [] });
}

export const VHOST_USER_BLK: VirtioDevice = {
  sections: ["vhost-user-blk"],
  id: VirtioDeviceId.VIRTIO_ID_BLOCK,
  own: undefined,
  structs: new Map([["vhost-inflight-region", region("vhost-inflight-region")]]),
  subsections: [{ name: "vhost-user-blk/inflight", state: region("vhost-user-blk/inflight") }],
};
