/** `virtwire inspect`: explains a captured stream. */
import type { ArgsDef } from "citty";
import { VirtioDeviceId } from "../../generated/virtio/ids.js";
import type { DumpPart } from "../inspect/analyze-migration/index.js";
import {
  CAPTURE_KINDS,
  type CaptureInspection,
  type CaptureKind,
  ChartRenderer,
  DETECTION_SIZE,
  describeFault,
  detectKind,
  hex,
  JsonLinesRenderer,
  JsonRenderer,
  openInspection,
  type Sink,
  type Summary,
  TextRenderer,
} from "../inspect/index.js";
import { type Description, findDescription } from "../streams/index.js";
import { analyzeMigration } from "./analyze-migration.js";
import { countFlag } from "./arguments.js";
import { type Input, openInput } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { Progress } from "./progress.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: { type: "positional", description: "The capture, or - for standard input.", required: true },
  format: {
    type: "enum",
    options: ["text", "json", "jsonl"],
    default: "text",
    description: "How to show it.",
  },
  as: {
    type: "enum",
    options: [...CAPTURE_KINDS],
    description: "What it is, where the bytes do not say it.",
  },
  device: {
    type: "string",
    valueHint: "TYPE",
    description:
      "Type of the virtio device, by name or number (net, blk, 1, …): for device contexts and parts.",
  },
  compat: {
    type: "enum",
    options: ["analyze-migration"],
    description: "Print what QEMU's own script prints for a migration stream, byte for byte.",
  },
  dump: {
    type: "enum",
    alias: "d",
    options: ["state", "desc"],
    default: "state",
    description: "With --compat: the state of the devices, or the description of it.",
  },
  verbose: {
    type: "boolean",
    alias: "v",
    description: "Show every field; twice: types, sizes and reserved fields too.",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire inspect failed-migration.bin",
  "virtwire inspect -v failed-migration.bin | less -R",
  "ssh host cat /var/tmp/vm.mig | virtwire inspect -",
  "virtwire inspect --format jsonl vm.mig | jq -r 'select(.record == \"section\") | .name'",
  "virtwire inspect --as device-parts --device net parts.bin",
  "virtwire inspect vhost-user.jsonl",
  "virtwire inspect --compat analyze-migration -d state vm.mig",
];

/** How far from the end a description is looked for, in steps: nearly all are found in the first. */
const TAILS = [1 << 17, 1 << 21, 1 << 24];

interface InspectArguments {
  readonly file: string;
  readonly format: string;
  readonly as: string | undefined;
  readonly device: string | undefined;
  readonly compat: string | undefined;
  readonly dump: DumpPart;
}

export function inspectVerb(io: Io): Verb {
  return defineVerb({
    name: "inspect",
    about: "Explain a captured stream: which byte, which field, which meaning.",
    args,
    examples,
    run: ({ file, format, as, device, compat, dump }, rawArgs) =>
      inspect({ file, format, as, device, compat, dump }, rawArgs, io),
  });
}

async function inspect(given: InspectArguments, rawArgs: readonly string[], io: Io): Promise<number> {
  const device = given.device === undefined ? undefined : deviceId(given.device);
  const verbosity = countFlag(rawArgs, "v", "verbose");
  const input = openInput(given.file, io);
  try {
    if (given.compat !== undefined) return await analyzeMigration(input, given.dump, describe(input), io);
    return await read(input, given, device, verbosity, io);
  } finally {
    input.close();
  }
}

async function read(
  input: Input,
  given: InspectArguments,
  device: number | undefined,
  verbosity: number,
  io: Io,
): Promise<number> {
  const batch = new Batch(io.out);
  const progress = new Progress(input.size, io);
  let output: Output | undefined;
  let prefix = new Uint8Array(0);
  let inspection: CaptureInspection | undefined;
  const start = (): string | undefined => {
    const kind = given.as === undefined ? detectKind(prefix) : { kind: given.as as CaptureKind };
    if (kind.kind === "unsupported") return `not supported: ${kind.what}`;
    if (kind.kind === "unknown")
      return prefix.length === 0 ? "empty" : "no kind of capture that is known (see --as)";
    output = outputFor(given.format, kind.kind, input.name, verbosity, io, batch);
    inspection = openInspection(kind.kind, output.sink, {
      withFields: given.format !== "text" || verbosity > 0,
      description: kind.kind === "qemu-stream" ? describe(input) : undefined,
      device,
    });
    inspection.push(prefix);
    return undefined;
  };
  let refusal: string | undefined;
  for await (const chunk of input.chunks()) {
    progress.advance(chunk.length);
    if (inspection !== undefined) {
      inspection.push(chunk);
      continue;
    }
    prefix = joined(prefix, chunk);
    if (prefix.length < DETECTION_SIZE) continue;
    refusal = start();
    if (refusal !== undefined) break;
  }
  if (inspection === undefined && refusal === undefined) refusal = start();
  progress.end();
  if (inspection === undefined || output === undefined) {
    io.err(`${input.name}:0x0: capture: ${refusal}\n`);
    return EXIT.malformed;
  }
  const summary = inspection.end();
  const [fault] = [...summary.faults].sort((a, b) => a.offset - b.offset);
  if (fault !== undefined) io.err(`${input.name}:${hex(fault.offset)}: ${describeFault(fault)}\n`);
  output.finish(summary);
  batch.flush();
  return summary.faultCount === 0 ? EXIT.ok : EXIT.malformed;
}

interface Output {
  readonly sink: Sink;
  readonly finish: (summary: Summary) => void;
}

function outputFor(
  format: string,
  kind: CaptureKind,
  name: string,
  verbosity: number,
  io: Io,
  batch: Batch,
): Output {
  if (format === "json") {
    const json = new JsonRenderer(batch.write);
    return { sink: json, finish: (summary) => json.finish(summary) };
  }
  if (format === "jsonl") {
    const lines = new JsonLinesRenderer(batch.write);
    return { sink: lines, finish: (summary) => lines.finish(summary) };
  }
  const colour = io.outIsTerminal && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
  const options = { colour, verbosity, name: name === "-" ? "standard input" : name };
  const text = kind === "vhost-user" ? new ChartRenderer(options, batch.write) : new TextRenderer(options);
  return { sink: text, finish: (summary) => text.finish(summary, batch.write) };
}

function describe(input: Input): Description | undefined {
  for (const size of TAILS) {
    const tail = input.tail(size);
    const found = tail && findDescription(tail);
    if (found !== undefined) return found;
    if (tail === undefined || tail.length < size) return undefined;
  }
  return undefined;
}

function deviceId(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const wanted = `VIRTIO_ID_${text.toUpperCase().replaceAll("-", "_")}`;
  const found = Object.entries(VirtioDeviceId).find(([name]) => name === wanted);
  if (found !== undefined) return Number(found[1]);
  throw new UsageError(`no virtio device is called ${JSON.stringify(text)}`);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
