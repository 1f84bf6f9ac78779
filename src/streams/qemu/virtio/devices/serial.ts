/** virtio-serial, whose sections are called virtio-console */
import {
  readQemuVirtioSerial,
  scanQemuVirtioSerial,
  sizeofQemuVirtioSerial,
  walkQemuVirtioSerial,
  writeQemuVirtioSerial,
} from "../../../../../generated/qemu/virtio/serial.js";
import { VirtioDeviceId } from "../../../../../generated/virtio/ids.js";
import type { SavedDevice, VirtioDevice } from "../device.js";
import { layout } from "../layout.js";
import type { Vmstate } from "../vmstate.js";
import { inFlight } from "./in-flight.js";

const PORTS = {
  scan: scanQemuVirtioSerial,
  read: readQemuVirtioSerial,
  walk: walkQemuVirtioSerial,
  sizeof: sizeofQemuVirtioSerial,
  write: writeQemuVirtioSerial,
};

/** The number of ports is swapped where the guest has another order than the host: of two orders, one fits. */
function stateOf(saved: SavedDevice): Vmstate {
  const layouts = inFlight(saved).flatMap(({ hostLittleEndian, abi, packed }) =>
    [false, true].map((config) => layout("qemu_virtio_serial", PORTS, config, hostLittleEndian, abi, packed)),
  );
  return { name: "virtio-serial-device", layouts, subsections: [] };
}

export const SERIAL: VirtioDevice = {
  sections: ["virtio-console"],
  id: VirtioDeviceId.VIRTIO_ID_CONSOLE,
  own: stateOf,
};
