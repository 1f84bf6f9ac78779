/** vhost-user-fs: what it has of its own is the back-end's */
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { VirtioDevice } from "../device.js";
import { backendState } from "./backend-state.js";

export const FS: VirtioDevice = {
  sections: ["vhost-user-fs"],
  id: VirtioDeviceId.VIRTIO_ID_FS,
  own: undefined,
  subsections: [
    {
      name: "vhost-user-fs-backend",
      state: () => backendState("vhost-user-fs-backend", VirtioDeviceId.VIRTIO_ID_FS),
    },
  ],
};
