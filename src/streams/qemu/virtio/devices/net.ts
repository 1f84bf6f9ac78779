/** virtio-net */

import {
  type QemuVirtioNet,
  readQemuVirtioNet,
  readQemuVirtioNetRss,
  scanQemuVirtioNet,
  scanQemuVirtioNetRss,
  sizeofQemuVirtioNet,
  sizeofQemuVirtioNetRss,
  walkQemuVirtioNet,
  walkQemuVirtioNetRss,
  writeQemuVirtioNet,
  writeQemuVirtioNetRss,
} from "../../../../../generated/qemu/virtio/net.js";
import { VirtioNetFeature } from "../../../../../generated/virtio/features.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { SavedDevice, VirtioDevice } from "../device.js";
import { type Layout, layout } from "../layout.js";
import type { Vmstate } from "../vmstate.js";
import { backendState } from "./backend-state.js";

const FILTERS = {
  scan: scanQemuVirtioNet,
  read: readQemuVirtioNet,
  walk: walkQemuVirtioNet,
  sizeof: sizeofQemuVirtioNet,
  write: writeQemuVirtioNet,
};

const RSS = {
  scan: scanQemuVirtioNetRss,
  read: readQemuVirtioNetRss,
  walk: walkQemuVirtioNetRss,
  sizeof: sizeofQemuVirtioNetRss,
  write: writeQemuVirtioNetRss,
};

const SUBSECTIONS: readonly Vmstate[] = [
  ...[1, 2].map((version) => ({
    name: "virtio-net-device/rss",
    version,
    layouts: [layout("qemu_virtio_net_rss", RSS, version)],
    subsections: [],
  })),
  backendState("virtio-net-device/backend", VirtioDeviceId.VIRTIO_ID_NET),
];

/** `multiqueue`, `offloads`: see qemu_virtio_net. */
export function netLayout(multiqueue: boolean, offloads: boolean): Layout<QemuVirtioNet> {
  return layout("qemu_virtio_net", FILTERS, multiqueue, offloads);
}

/**
 * Whether it has more than one pair of queues can be told from the number of its queues only where the driver accepted
 * that there are: the fields that follow tell.
 */
function stateOf({ features, queues }: SavedDevice): Vmstate {
  const offloads = (features & VirtioNetFeature.VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) !== 0n;
  const isMultiqueue = queues > 3;
  const layouts = [isMultiqueue, !isMultiqueue].map((multiqueue) => netLayout(multiqueue, offloads));
  return { name: "virtio-net-device", layouts, subsections: SUBSECTIONS };
}

export const NET: VirtioDevice = {
  sections: ["virtio-net"],
  id: VirtioDeviceId.VIRTIO_ID_NET,
  own: stateOf,
};
