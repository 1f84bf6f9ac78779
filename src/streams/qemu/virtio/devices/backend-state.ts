/** The internal state of a vhost-user back-end, which stands in a subsection of its device. */
import {
  readQemuVhostBackendState,
  scanQemuVhostBackendState,
  sizeofQemuVhostBackendState,
  walkQemuVhostBackendState,
  writeQemuVhostBackendState,
} from "../../../../../generated/qemu/virtio/backend-state.js";
import { layout } from "../layout.js";
import { type Vmstate, vmstate } from "../vmstate.js";

const CHUNKS = layout("qemu_vhost_backend_state", {
  scan: scanQemuVhostBackendState,
  read: readQemuVhostBackendState,
  walk: walkQemuVhostBackendState,
  sizeof: sizeofQemuVhostBackendState,
  write: writeQemuVhostBackendState,
});

/** `name`: that of the subsection. */
export function backendState(name: string): Vmstate {
  return vmstate(name, CHUNKS);
}
