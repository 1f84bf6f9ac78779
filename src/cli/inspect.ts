/** `virtwire inspect`: explains a captured stream. */
import type { ArgsDef } from "citty";
import type { DumpPart } from "../inspect/analyze-migration/index.js";
import { ChartRenderer } from "../inspect/chart.js";
import { JsonLinesRenderer, JsonRenderer } from "../inspect/json.js";
import type { CaptureKind } from "../inspect/kinds.js";
import type { Sink, Summary } from "../inspect/report.js";
import { TextRenderer } from "../inspect/text.js";
import { countFlag } from "./arguments.js";
import { blame, type CaptureOptions, captureArgs, describe, deviceId, readCapture } from "./capture.js";
import { type Input, openInput, refuseToReadTwice } from "./input.js";
import { Batch, EXIT, type Io, UsageError, wantsColour } from "./io.js";
import { borrowDescription, schemaFromArgs } from "./schema-from.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: {
    type: "positional",
    description: "The capture, or - for standard input. Several files: the channels of one migration.",
    required: true,
  },
  format: {
    type: "enum",
    options: ["text", "json", "jsonl"],
    default: "text",
    description: "How to show it.",
  },
  ...captureArgs,
  ...schemaFromArgs,
  compat: {
    type: "enum",
    options: ["analyze-migration"],
    description: "Print what QEMU's own script prints for a migration stream, byte for byte.",
  },
  dump: {
    type: "enum",
    alias: "d",
    options: ["state", "desc"],
    description:
      "With --compat: the state of the devices (what is shown without -d), or the description of it.",
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
  "virtwire inspect main.bin channel0.bin channel1.bin return.bin",
  "virtwire inspect --schema-from precopy.bin postcopy.bin",
  "virtwire inspect --compat analyze-migration -d state vm.mig",
];

interface InspectArguments {
  readonly file: string;
  /** All of them, the first included. */
  readonly files: readonly string[];
  readonly format: string;
  readonly as: string | undefined;
  readonly device: string | undefined;
  readonly snapshot: string | undefined;
  readonly schemaFrom: string | undefined;
  readonly compat: string | undefined;
  readonly dump: DumpPart | undefined;
}

export function inspectVerb(io: Io): Verb {
  return defineVerb({
    name: "inspect",
    args,
    examples,
    exits: {
      ok: "the capture is sound",
      malformed: "it is damaged, cut short or of no known kind; what can be read is shown",
    },
    repeats: true,
    run: (
      { file, format, as, device, snapshot, "schema-from": schemaFrom, compat, dump, _: files },
      rawArgs,
    ) => inspect({ file, files, format, as, device, snapshot, schemaFrom, compat, dump }, rawArgs, io),
  });
}

async function inspect(given: InspectArguments, rawArgs: readonly string[], io: Io): Promise<number> {
  const device = given.device === undefined ? undefined : deviceId(given.device);
  const verbosity = countFlag(rawArgs, "v", "verbose");
  if (given.dump !== undefined && given.compat === undefined) throw new UsageError("-d goes with --compat");
  if (given.compat !== undefined && given.format !== "text") {
    throw new UsageError("--compat has the format of the script, and no other");
  }
  if (given.compat !== undefined && given.schemaFrom !== undefined) {
    throw new UsageError("--compat shows what a stream says of itself, without --schema-from");
  }
  refuseToReadTwice([...given.files, given.schemaFrom]);
  const borrowed = await borrowDescription(given.schemaFrom, given.files, io, given.snapshot);
  if (given.files.length > 1) {
    if (given.compat !== undefined || given.as !== undefined) {
      throw new UsageError("--compat and --as are for one file");
    }
    const withFields = given.format !== "text" || verbosity > 0;
    const lendsFields = given.format !== "text";
    const options = { as: undefined, device, withFields, lendsFields, borrowed };
    const { inspectMigration } = await import("./migration.js");
    return inspectMigration(given.files, options, given, verbosity, io);
  }
  const input = openInput(given.file, io, { snapshot: given.snapshot });
  try {
    if (given.compat !== undefined) {
      const { analyzeMigration } = await import("./analyze-migration.js");
      return await analyzeMigration(input, given.dump ?? "state", describe(input), io);
    }
    return await read(input, given, { device, borrowed }, verbosity, io);
  } finally {
    input.close();
  }
}

async function read(
  input: Input,
  given: InspectArguments,
  known: Pick<CaptureOptions, "device" | "borrowed">,
  verbosity: number,
  io: Io,
): Promise<number> {
  const batch = new Batch(io.out);
  let output: Output | undefined;
  const open = (kind: CaptureKind): Sink => {
    output = outputFor(given.format, kind, input.name, verbosity, io, batch);
    return output.sink;
  };
  const withFields = given.format !== "text" || verbosity > 0;
  const lendsFields = given.format !== "text";
  const summary = await readCapture(input, { ...known, as: given.as, withFields, lendsFields }, open, io);
  if (summary === undefined) return EXIT.malformed;
  blame(input, summary, io);
  output?.finish(summary);
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
    const json = new JsonRenderer(io.out);
    return { sink: json, finish: (summary) => json.finish(summary) };
  }
  if (format === "jsonl") {
    const lines = new JsonLinesRenderer(io.out);
    return { sink: lines, finish: (summary) => lines.finish(summary) };
  }
  const options = { colour: wantsColour(io), verbosity, name };
  const text = kind === "vhost-user" ? new ChartRenderer(options, batch.write) : new TextRenderer(options);
  return { sink: text, finish: (summary) => text.finish(summary, batch.write) };
}
