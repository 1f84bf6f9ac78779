/** `virtwire features`: names the bits of a mask of features, or says what differs between two. */
import type { ArgsDef } from "citty";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { compareFeatures, featureJson, featureLines, parseMask } from "../inspect/index.js";
import { deviceId } from "./capture.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  first: {
    type: "positional",
    description:
      "A mask: hexadecimal, decimal, words with the highest first (0x1:0x30000000), or binary as in sysfs.",
    required: true,
  },
  second: { type: "positional", description: "Another, to compare it with.", required: false },
  device: {
    type: "string",
    valueHint: "TYPE",
    description: "Type of the virtio device, by name or number (net, blk, 1, …).",
  },
  protocol: { type: "boolean", description: "The masks are of vhost-user protocol features." },
  format: { type: "enum", options: ["text", "json"], default: "text", description: "How to print them." },
} as const satisfies ArgsDef;

const examples = [
  "virtwire features 0x179000000 --device vsock",
  "virtwire features 0x1c0010130afffaf 0x10179bfffef",
  "virtwire features $(cat /sys/bus/virtio/devices/virtio0/features) --device net",
  "virtwire features --protocol 0x8f2b",
];

export function featuresVerb(io: Io): Verb {
  return defineVerb({
    name: "features",
    about: "Name the bits of a mask of features, or what differs between two. Exit 1 when they differ.",
    args,
    examples,
    run: ({ first, second, device, protocol, format }) => {
      if (protocol && device !== undefined)
        throw new UsageError("--protocol and --device exclude each other");
      const space = protocol
        ? "vhost-user protocol"
        : { device: device === undefined ? VirtioDeviceId.VIRTIO_ID_INVALID : deviceId(device) };
      const comparison = compareFeatures(
        maskOf(first),
        second === undefined ? undefined : maskOf(second),
        space,
      );
      if (format === "json") io.out(featureJson(comparison));
      else io.out(`${featureLines(comparison).join("\n")}\n`);
      const differ = comparison.features.some(({ inFirst, inSecond }) => inFirst !== inSecond);
      return differ ? EXIT.differs : EXIT.ok;
    },
  });
}

function maskOf(text: string): bigint {
  const mask = parseMask(text);
  if (mask === undefined) throw new UsageError(`no mask of up to 128 bits: ${JSON.stringify(text)}`);
  return mask;
}
