/** `virtwire features`: names the bits of a mask of features, or says what differs between two. */
import { existsSync } from "node:fs";
import type { ArgsDef } from "citty";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import { compareFeatures, parseMask } from "../inspect/feature-masks.js";
import { featureJson, featureLines } from "../inspect/feature-text.js";
import { acceptedFeatures } from "./accepted-features.js";
import { captureArgs, deviceId } from "./capture.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  first: {
    type: "positional",
    description:
      "A mask: hexadecimal, decimal, words with the highest first (0x1:0x30000000), or binary as in sysfs. Or a migration stream, and behind it the path of a virtio device in it.",
    required: true,
  },
  second: { type: "positional", description: "Another, to compare it with.", required: false },
  third: { type: "positional", description: "A mask to compare those of a stream with.", required: false },
  device: {
    type: "string",
    valueHint: "TYPE",
    description: "Type of the virtio device, by name or number (net, blk, 1, …).",
  },
  snapshot: captureArgs.snapshot,
  protocol: { type: "boolean", description: "The masks are of vhost-user protocol features." },
  format: { type: "enum", options: ["text", "json"], default: "text", description: "How to print them." },
} as const satisfies ArgsDef;

const examples = [
  "virtwire features 0x179000000 --device vsock",
  "virtwire features 0x1c0010130afffaf 0x10179bfffef",
  "virtwire features $(cat /sys/bus/virtio/devices/virtio0/features) --device net",
  "virtwire features --protocol 0x8f2b",
  "virtwire features vm.mig 'sections[*virtio-net]' 0x10179bfffef",
];

export function featuresVerb(io: Io): Verb {
  return defineVerb({
    name: "features",
    args,
    examples,
    exits: { ok: "one mask, or two equal ones", differs: "they differ", malformed: "the stream is damaged" },
    run: async ({ first, second, third, device, protocol, snapshot, format }) => {
      if (protocol && device !== undefined)
        throw new UsageError("--protocol and --device exclude each other");
      if (parseMask(first) === undefined && existsSync(first)) {
        if (second === undefined)
          throw new UsageError(`which device of ${first}? A path says it, e.g. 'sections[*virtio-net]'`);
        if (protocol || device !== undefined) throw new UsageError("a stream says itself what the device is");
        const accepted = await acceptedFeatures(first, second, snapshot, io);
        if (accepted === undefined) return EXIT.malformed;
        const result = show(accepted.mask, third, { device: accepted.device }, format, io);
        return accepted.damaged ? EXIT.malformed : result;
      }
      if (third !== undefined) throw new UsageError("three masks: two can be compared");
      const space = protocol
        ? "vhost-user protocol"
        : { device: device === undefined ? VirtioDeviceId.VIRTIO_ID_INVALID : deviceId(device) };
      return show(maskOf(first), second, space, format, io);
    },
  });
}

function show(
  first: bigint,
  second: string | undefined,
  space: Parameters<typeof compareFeatures>[2],
  format: string,
  io: Io,
): number {
  const comparison = compareFeatures(first, second === undefined ? undefined : maskOf(second), space);
  if (format === "json") io.out(featureJson(comparison));
  else io.out(`${featureLines(comparison).join("\n")}\n`);
  const differ = comparison.features.some(({ inFirst, inSecond }) => inFirst !== inSecond);
  return differ ? EXIT.differs : EXIT.ok;
}

function maskOf(text: string): bigint {
  const mask = parseMask(text);
  if (mask === undefined) throw new UsageError(`no mask of up to 128 bits: ${JSON.stringify(text)}`);
  return mask;
}
