/** SCSI requests in flight: a field of every device on a SCSI bus, which the description shows as bytes. */
import {
  readQemuScsiRequests,
  readQemuScsiRequestsUnknown,
  scanQemuScsiRequests,
  scanQemuScsiRequestsUnknown,
  sizeofQemuScsiRequests,
  sizeofQemuScsiRequestsUnknown,
  walkQemuScsiRequests,
  walkQemuScsiRequestsUnknown,
  writeQemuScsiRequests,
  writeQemuScsiRequestsUnknown,
} from "../../../generated/qemu/scsi.js";
import { HOST_ABIS } from "./virtio/devices/in-flight.js";
import { layout } from "./virtio/layout.js";
import type { Vmstate } from "./virtio/vmstate.js";

const REQUESTS = {
  scan: scanQemuScsiRequests,
  read: readQemuScsiRequests,
  walk: walkQemuScsiRequests,
  sizeof: sizeofQemuScsiRequests,
  write: writeQemuScsiRequests,
};

const UNKNOWN = {
  scan: scanQemuScsiRequestsUnknown,
  read: readQemuScsiRequestsUnknown,
  walk: walkQemuScsiRequestsUnknown,
  sizeof: sizeofQemuScsiRequestsUnknown,
  write: writeQemuScsiRequestsUnknown,
};

const BOTH = [true, false];

/**
 * Neither the section nor its description says which controller the device is on, and each saves its own part with a
 * request. What fits none is bytes: it may be of a controller that is not known. Whether the controller offers packed rings
 * is not said either: with the number of descriptors in front, an element of x86 is as long as one of ARM without, which
 * comes first and has zeroes where the other has the number of buffers for the answer.
 */
export const SCSI_REQUESTS: Vmstate = {
  name: "scsi-requests",
  layouts: [
    ...[false, true].flatMap((packed) =>
      HOST_ABIS.flatMap((abi) =>
        BOTH.flatMap((virtio) =>
          BOTH.flatMap((emulated) =>
            BOTH.map((littleEndian) =>
              layout("qemu_scsi_requests", REQUESTS, virtio, emulated, littleEndian, abi, packed),
            ),
          ),
        ),
      ),
    ),
    layout("qemu_scsi_requests_unknown", UNKNOWN),
  ],
  subsections: [],
};
