/**
 * Takes a sample of a device apart: the project's own codec, generated from schemas/sample.wire, around codecs that
 * virtwire ships. The same file runs on Node and in a browser.
 */

import { WireError } from "virtwire/runtime";
import { VIRTIO_DEV_PART_VQ_CFG_SIZE, virtioDevPartTypeName } from "virtwire/virtio/device-parts";
import { virtioDeviceIdName } from "virtwire/virtio/ids";
import { decodeMonitorSample, encodeMonitorSample, type MonitorSample } from "./generated/sample.js";

const sample: MonitorSample = {
  takenAt: 1_700_000_000_000_000n,
  device: 1,
  name: "net0",
  state: {
    parts: [
      {
        partType: 0x104,
        flags: 0,
        part: {
          case: "vqCfg",
          value: {
            selector: { index: 1 },
            value: {
              queueSize: 256,
              vector: 2,
              enabled: 1,
              queueDesc: 0x1000n,
              queueDriver: 0x2000n,
              queueDevice: 0x3000n,
            },
          },
        },
      },
    ],
  },
};

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const bytes = encodeMonitorSample(sample);
console.log(hex(bytes));

const { name, device, state } = decodeMonitorSample(bytes);
console.log(`${name}: ${virtioDeviceIdName(device)}`);
for (const { partType, part } of state.parts) {
  console.log(`${virtioDevPartTypeName(partType)}: ${part.case}, ${VIRTIO_DEV_PART_VQ_CFG_SIZE} bytes`);
}

try {
  decodeMonitorSample(bytes.subarray(0, bytes.length - 1));
} catch (error) {
  // The codecs of both packages throw the one class.
  if (!(error instanceof WireError)) throw error;
  console.log(`${error.code} at ${error.offset}: ${error.path}`);
}
