/** `virtwire diff`: compares two captures by what they mean; the memories of two guests are memory.ts. */
import type { ArgsDef } from "citty";
import {
  compareTrees,
  type Difference,
  differenceJson,
  differenceText,
  ValueTree,
} from "../../inspect/diff/index.js";
import { PathError, type Pattern, parsePattern } from "../../inspect/pattern.js";
import type { Summary } from "../../inspect/report.js";
import { optionValues } from "../arguments.js";
import { blame, type CaptureArguments, captureArgs, deviceId, readCapture } from "../capture.js";
import { openInput, refuseToReadTwice } from "../input.js";
import { Batch, EXIT, type Io, UsageError } from "../io.js";
import { asUsage } from "../refusal.js";
import { borrowDescription, schemaFromArgs } from "../schema-from.js";
import { defineVerb, type Verb } from "../verb.js";

const args = {
  first: { type: "positional", description: "A capture, or - for standard input.", required: true },
  second: { type: "positional", description: "Another of the same kind.", required: true },
  ignore: {
    type: "string",
    valueHint: "PATH",
    description: "Leave out what this path or pattern names, and all below it. May be given several times.",
  },
  memory: {
    type: "boolean",
    description: "Compare what the pages of the guests' memories hold, and nothing else.",
  },
  verbose: {
    type: "boolean",
    alias: "v",
    description: "With --memory: show all ranges, and of each page the first bytes that differ.",
  },
  "first-channel": {
    type: "string",
    valueHint: "FILE",
    description: "With --memory: another channel of the first migration. May be given several times.",
  },
  "second-channel": {
    type: "string",
    valueHint: "FILE",
    description: "With --memory: another channel of the second. May be given several times.",
  },
  schema: {
    type: "boolean",
    description: "Compare which fields there are, their types and versions, not what they hold.",
  },
  format: {
    type: "enum",
    options: ["text", "jsonl"],
    default: "text",
    description: "How to print the differences.",
  },
  ...captureArgs,
  ...schemaFromArgs,
} as const satisfies ArgsDef;

const examples = [
  "virtwire diff good.mig bad.mig --ignore 'sections[timer]' --ignore '**.timer*'",
  "virtwire diff --schema qemu-9.mig qemu-10.mig",
  "virtwire diff --memory before.mig after.mig --ignore 'sections[ram].blocks[vga.vram]'",
  "virtwire diff --memory -v precopy.mig main.bin --second-channel ch0.bin --second-channel ch1.bin",
  "virtwire diff a.mig b.mig --format jsonl | jq -r 'select(.gone) | .path, .gone[]'",
];

export function diffVerb(io: Io): Verb {
  return defineVerb({
    name: "diff",
    args,
    examples,
    exits: {
      ok: "no difference",
      differs: "differences",
      malformed: "one of them is damaged; what can be read is compared",
    },
    run: async (
      { first, second, memory, verbose, schema, format, as, device, snapshot, "schema-from": schemaFrom },
      rawArgs,
    ) => {
      const ignored = optionValues(rawArgs, "ignore").map((text) =>
        asUsage([PathError], () => parsePattern(text), "--ignore "),
      );
      const channels = [optionValues(rawArgs, "first-channel"), optionValues(rawArgs, "second-channel")];
      const [ofFirst = [], ofSecond = []] = channels;
      refuseToReadTwice([first, second, schemaFrom, ...ofFirst, ...ofSecond]);
      if (memory === true) {
        if (schema === true || as !== undefined || device !== undefined || schemaFrom !== undefined)
          throw new UsageError(
            "--memory compares pages: --schema, --as, --device and --schema-from do not go with it",
          );
        const sides = { first: [first, ...ofFirst], second: [second, ...ofSecond], snapshot };
        // Only who asks for it waits for what reads memory.
        const { diffMemory } = await import("./memory.js");
        return diffMemory(sides, ignored, { detailed: verbose === true, format }, io);
      }
      if (verbose === true || ofFirst.length + ofSecond.length > 0)
        throw new UsageError("--verbose, --first-channel and --second-channel go with --memory");
      const borrowed = await borrowDescription(schemaFrom, [first, second], io, snapshot);
      const given = { as, device: device === undefined ? undefined : deviceId(device), snapshot, borrowed };
      return diff([first, second], ignored, { schema: schema === true, format }, given, io);
    },
  });
}

interface DiffOptions {
  readonly schema: boolean;
  readonly format: string;
}

interface Side {
  readonly name: string;
  readonly tree: ValueTree;
  readonly summary: Summary;
}

async function diff(
  files: readonly [string, string],
  ignored: readonly Pattern[],
  { schema, format }: DiffOptions,
  given: CaptureArguments,
  io: Io,
): Promise<number> {
  const first = await read(files[0], ignored, given, io);
  const second = await read(files[1], ignored, given, io);
  if (first === undefined || second === undefined) return EXIT.malformed;
  const [kind, other] = [first.summary.kind, second.summary.kind];
  if (kind !== other)
    throw new UsageError(`${first.summary.title} and ${second.summary.title}: nothing to compare`);
  const batch = new Batch(io.out);
  const counts = { changed: 0, "only-first": 0, "only-second": 0 };
  if (format === "text") batch.write(`- ${first.name}\n+ ${second.name}\n`);
  compareTrees(first.tree, second.tree, { schema }, (difference: Difference) => {
    counts[difference.kind]++;
    batch.write(`${(format === "text" ? differenceText : differenceJson)(difference)}\n`);
  });
  const all = counts.changed + counts["only-first"] + counts["only-second"];
  if (format === "text") {
    batch.write(`${verdict(all, counts)}\n`);
    if (kind === "qemu-stream" && !schema)
      batch.write(
        "note: of memory, sizes and numbers of pages are compared; --memory compares what the pages hold\n",
      );
  } else {
    const { changed } = counts;
    batch.write(
      `${JSON.stringify({ change: "summary", changed, only_first: counts["only-first"], only_second: counts["only-second"] })}\n`,
    );
  }
  batch.flush();
  const damaged = [first, second].some(({ summary }) => summary.faultCount > 0);
  return damaged ? EXIT.malformed : all > 0 ? EXIT.differs : EXIT.ok;
}

async function read(
  file: string,
  ignored: readonly Pattern[],
  { snapshot, ...given }: CaptureArguments,
  io: Io,
): Promise<Side | undefined> {
  const input = openInput(file, io, { snapshot });
  try {
    const tree = new ValueTree(ignored);
    const summary = await readCapture(
      input,
      { ...given, withFields: true, lendsFields: true },
      () => tree,
      io,
    );
    if (summary === undefined) return undefined;
    tree.finish(summary);
    if (tree.overflow)
      throw new UsageError(`${input.name} has more values than can be compared: use --ignore`);
    blame(input, summary, io);
    return { name: input.name, tree, summary };
  } finally {
    input.close();
  }
}

function verdict(all: number, counts: Readonly<Record<Difference["kind"], number>>): string {
  if (all === 0) return "no differences";
  const parts = [
    `${counts.changed} changed`,
    `${counts["only-first"]} only in the first`,
    `${counts["only-second"]} only in the second`,
  ];
  return `${all} ${all === 1 ? "difference" : "differences"}: ${parts.join(", ")}`;
}
