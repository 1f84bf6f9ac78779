/** The subsections that every virtio device can have, behind its own part. */
import {
  readQemuVirtio64bitFeatures,
  readQemuVirtio128bitFeatures,
  readQemuVirtioBroken,
  readQemuVirtioDeviceEndianState,
  readQemuVirtioDisabled,
  readQemuVirtioPackedVirtqueues,
  readQemuVirtioRingsize,
  readQemuVirtioStarted,
  readQemuVirtioVirtqueues,
  scanQemuVirtio64bitFeatures,
  scanQemuVirtio128bitFeatures,
  scanQemuVirtioBroken,
  scanQemuVirtioDeviceEndianState,
  scanQemuVirtioDisabled,
  scanQemuVirtioPackedVirtqueues,
  scanQemuVirtioRingsize,
  scanQemuVirtioStarted,
  scanQemuVirtioVirtqueues,
  sizeofQemuVirtio64bitFeatures,
  sizeofQemuVirtio128bitFeatures,
  sizeofQemuVirtioBroken,
  sizeofQemuVirtioDeviceEndianState,
  sizeofQemuVirtioDisabled,
  sizeofQemuVirtioPackedVirtqueues,
  sizeofQemuVirtioRingsize,
  sizeofQemuVirtioStarted,
  sizeofQemuVirtioVirtqueues,
  walkQemuVirtio64bitFeatures,
  walkQemuVirtio128bitFeatures,
  walkQemuVirtioBroken,
  walkQemuVirtioDeviceEndianState,
  walkQemuVirtioDisabled,
  walkQemuVirtioPackedVirtqueues,
  walkQemuVirtioRingsize,
  walkQemuVirtioStarted,
  walkQemuVirtioVirtqueues,
  writeQemuVirtio64bitFeatures,
  writeQemuVirtio128bitFeatures,
  writeQemuVirtioBroken,
  writeQemuVirtioDeviceEndianState,
  writeQemuVirtioDisabled,
  writeQemuVirtioPackedVirtqueues,
  writeQemuVirtioRingsize,
  writeQemuVirtioStarted,
  writeQemuVirtioVirtqueues,
} from "../../../../generated/qemu/virtio/body.js";
import { layout } from "./layout.js";
import { EXTRA_STATES } from "./transports.js";
import { vmstate } from "./vmstate.js";

export const DEVICE_ENDIAN = layout("qemu_virtio_device_endian_state", {
  scan: scanQemuVirtioDeviceEndianState,
  read: readQemuVirtioDeviceEndianState,
  walk: walkQemuVirtioDeviceEndianState,
  sizeof: sizeofQemuVirtioDeviceEndianState,
  write: writeQemuVirtioDeviceEndianState,
});

export const FEATURES_128 = layout("qemu_virtio_128bit_features", {
  scan: scanQemuVirtio128bitFeatures,
  read: readQemuVirtio128bitFeatures,
  walk: walkQemuVirtio128bitFeatures,
  sizeof: sizeofQemuVirtio128bitFeatures,
  write: writeQemuVirtio128bitFeatures,
});

export const FEATURES_64 = layout("qemu_virtio_64bit_features", {
  scan: scanQemuVirtio64bitFeatures,
  read: readQemuVirtio64bitFeatures,
  walk: walkQemuVirtio64bitFeatures,
  sizeof: sizeofQemuVirtio64bitFeatures,
  write: writeQemuVirtio64bitFeatures,
});

/** The state that follows a device's own part: it has no fields. */
export const CORE = vmstate(
  "virtio",
  undefined,
  vmstate("virtio/device_endian", DEVICE_ENDIAN),
  vmstate("virtio/128bit_features", FEATURES_128),
  vmstate("virtio/64bit_features", FEATURES_64),
  vmstate(
    "virtio/virtqueues",
    layout("qemu_virtio_virtqueues", {
      scan: scanQemuVirtioVirtqueues,
      read: readQemuVirtioVirtqueues,
      walk: walkQemuVirtioVirtqueues,
      sizeof: sizeofQemuVirtioVirtqueues,
      write: writeQemuVirtioVirtqueues,
    }),
  ),
  vmstate(
    "virtio/ringsize",
    layout("qemu_virtio_ringsize", {
      scan: scanQemuVirtioRingsize,
      read: readQemuVirtioRingsize,
      walk: walkQemuVirtioRingsize,
      sizeof: sizeofQemuVirtioRingsize,
      write: writeQemuVirtioRingsize,
    }),
  ),
  vmstate(
    "virtio/broken",
    layout("qemu_virtio_broken", {
      scan: scanQemuVirtioBroken,
      read: readQemuVirtioBroken,
      walk: walkQemuVirtioBroken,
      sizeof: sizeofQemuVirtioBroken,
      write: writeQemuVirtioBroken,
    }),
  ),
  vmstate("virtio/extra_state", undefined, ...EXTRA_STATES),
  vmstate(
    "virtio/started",
    layout("qemu_virtio_started", {
      scan: scanQemuVirtioStarted,
      read: readQemuVirtioStarted,
      walk: walkQemuVirtioStarted,
      sizeof: sizeofQemuVirtioStarted,
      write: writeQemuVirtioStarted,
    }),
  ),
  vmstate(
    "virtio/packed_virtqueues",
    layout("qemu_virtio_packed_virtqueues", {
      scan: scanQemuVirtioPackedVirtqueues,
      read: readQemuVirtioPackedVirtqueues,
      walk: walkQemuVirtioPackedVirtqueues,
      sizeof: sizeofQemuVirtioPackedVirtqueues,
      write: writeQemuVirtioPackedVirtqueues,
    }),
  ),
  vmstate(
    "virtio/disabled",
    layout("qemu_virtio_disabled", {
      scan: scanQemuVirtioDisabled,
      read: readQemuVirtioDisabled,
      walk: walkQemuVirtioDisabled,
      sizeof: sizeofQemuVirtioDisabled,
      write: writeQemuVirtioDisabled,
    }),
  ),
);
