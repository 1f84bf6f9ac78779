/** `virtwire convert`: a device's state from one format of migration into another. */
import { writeFileSync } from "node:fs";
import type { ArgsDef } from "citty";
import {
  type Assumption,
  type DeviceState,
  type Loss,
  type StateFormat,
  writeQemuState,
  writeState,
} from "../../device/index.js";
import { EditError, type Patch, replaceDevice } from "../../inspect/edit/index.js";
import { CAPTURE_TITLES, deviceTitle, statusText } from "../../inspect/index.js";
import { WireError } from "../../runtime/index.js";
import { captureArgs } from "../capture.js";
import { EXIT, type Io, UsageError } from "../io.js";
import { refuseToOverwrite, rewrite } from "../output.js";
import { asUsage } from "../refusal.js";
import { defineVerb, type Verb } from "../verb.js";
import { type ConversionReport, lostOf, reportJson, reportText } from "./report.js";
import { readSource, type SourceState } from "./source.js";
import { withStreamDevice } from "./stream-device.js";

const args = {
  file: {
    type: "positional",
    description:
      "What holds the device: a QEMU stream (with the files of its other channels), a device context, device parts or a vfio-virtio stream.",
    required: true,
  },
  device: {
    type: "string",
    valueHint: "ID",
    description:
      "Which device: in a QEMU stream its section (0000:00:02.0/virtio-net), else its type (net, blk, 1, …).",
    required: true,
  },
  to: {
    type: "enum",
    options: ["qemu", "device-context", "device-parts", "vfio-virtio"],
    description: "The format to write.",
    required: true,
  },
  out: { type: "string", alias: "o", valueHint: "FILE", description: "Where to write.", required: true },
  into: {
    type: "string",
    valueHint: "STREAM",
    description:
      "For --to qemu: the stream whose device takes the state over. The result is this stream with that device changed.",
  },
  "into-device": {
    type: "string",
    valueHint: "SECTION",
    description: "Which device of --into, where it is not called as --device says.",
  },
  "device-features": {
    type: "string",
    valueHint: "MASK",
    description:
      "What the device offers, which a QEMU stream does not say: 0x… (else what its driver accepted).",
  },
  strict: { type: "boolean", description: "Write nothing, and exit with 1, where something would be lost." },
  format: {
    type: "enum",
    options: ["text", "json"],
    default: "text",
    description: "How to print the report.",
  },
  as: captureArgs.as,
  snapshot: captureArgs.snapshot,
} as const satisfies ArgsDef;

const examples = [
  "virtwire convert vm.mig --device 0000:00:02.0/virtio-net --to device-context -o net.ctx",
  "virtwire convert vm.mig --device virtio-blk --to vfio-virtio --strict -o blk.vfio",
  "virtwire convert net.ctx --device 0000:00:02.0/virtio-net --to qemu --into vm.mig -o back.mig",
  "virtwire convert blk.parts --device blk --to device-context -o blk.ctx",
];

/** What the formats, or the stream, cannot take is for the user to put right. */
const REFUSALS = [EditError, RangeError, WireError];

interface Given {
  readonly files: readonly string[];
  readonly device: string;
  readonly out: string;
  readonly into: string | undefined;
  readonly intoDevice: string | undefined;
  readonly isStrict: boolean;
  readonly format: string;
  readonly snapshot: string | undefined;
}

export function convertVerb(io: Io): Verb {
  return defineVerb({
    name: "convert",
    args,
    examples,
    exits: {
      ok: "written",
      differs: "--strict, and something would be lost",
      malformed: "the input is damaged",
    },
    repeats: true,
    run: async ({ device, to, out, into, strict, format, as, snapshot, _: files, ...others }) => {
      const given: Given = {
        ...{ files, device, out, into, format, snapshot },
        intoDevice: others["into-device"],
        isStrict: strict === true,
      };
      if ((to === "qemu") !== (into !== undefined))
        throw new UsageError("--to qemu and --into STREAM belong together: a stream is more than one device");
      refuseToOverwrite(into === undefined ? files : [...files, into], out);
      const deviceFeatures = maskOf(others["device-features"]);
      const source = await readSource({ files, snapshot, as, device, deviceFeatures }, io);
      if (typeof source === "number") return source;
      if (to === "qemu") return await intoStream(source, given, io);
      return intoFile(source, to, given, io);
    },
  });
}

const TITLES: Readonly<Record<StateFormat, string>> = {
  "device-context": CAPTURE_TITLES["device-context"],
  "device-parts": CAPTURE_TITLES["device-parts"],
  "vfio-virtio": CAPTURE_TITLES["vfio-stream"],
};

function intoFile(source: SourceState, to: StateFormat, given: Given, io: Io): number {
  const { bytes, losses } = asUsage(REFUSALS, () => writeState(source.state, to));
  const report = reportOf(source, `${given.out}: ${TITLES[to]}, ${bytes.length} bytes`, {
    losses: [...losses, ...source.own],
    assumed: [],
  });
  if (!isAllowed(report, given, io)) return EXIT.differs;
  writeFileSync(given.out, bytes);
  return source.faults === 0 ? EXIT.ok : EXIT.malformed;
}

function intoStream(source: SourceState, given: Given, io: Io): Promise<number> {
  const { into = "", intoDevice = given.device, out, snapshot } = given;
  return withStreamDevice({ files: [into], snapshot }, intoDevice, io, async (found) => {
    const { device, finder, memory, input } = found;
    const written = asUsage(REFUSALS, () =>
      writeQemuState(device.bytes, device.section, source.state, memory),
    );
    const patches = asUsage(REFUSALS, (): readonly Patch[] => replaceDevice(device, written.bytes, finder));
    const title = `${out}: ${into} with another state of ${device.section.name} (${written.bytes.length} bytes)`;
    const report = reportOf(source, title, written);
    if (!isAllowed(report, given, io)) return EXIT.differs;
    await rewrite(input, out, patches);
    return source.faults + found.faults === 0 ? EXIT.ok : EXIT.malformed;
  });
}

/** Says what is lost. False when that is not to be. */
function isAllowed(report: ConversionReport, { isStrict, format, out }: Given, io: Io): boolean {
  const isRefused = isStrict && lostOf(report).length > 0;
  io.out(format === "json" ? reportJson(report) : reportText(report));
  if (isRefused) io.err(`${out} was not written: with --strict nothing may be lost\n`);
  return !isRefused;
}

function reportOf(
  source: SourceState,
  to: string,
  written: { readonly losses: readonly Loss[]; readonly assumed: readonly Assumption[] },
): ConversionReport {
  const { state, title, assumed } = source;
  return {
    from: title,
    to,
    device: deviceText(state),
    losses: written.losses,
    assumed: [...assumed, ...written.assumed],
    notes: [],
  };
}

/** `block, 0xf DRIVER_OK, 3 features accepted, 1 of 1 virtqueues enabled` */
function deviceText({ deviceType, status, driverFeatures, queues }: DeviceState): string {
  const accepted = driverFeatures.toString(2).replaceAll("0", "").length;
  const enabled = queues.filter((queue) => queue.enabled).length;
  return `${deviceTitle(deviceType)}, ${statusText(status)}, ${accepted} features accepted, ${enabled} of ${queues.length} virtqueues enabled`;
}

function maskOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) throw new UsageError(`--device-features: ${text} is no mask`);
  return BigInt(text);
}
