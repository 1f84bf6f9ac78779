/** `virtwire get`: prints the values of a capture that paths name. */
import type { ArgsDef } from "citty";
import { JsonLeaves } from "../inspect/json.js";
import type { Leaf } from "../inspect/leaves.js";
import { printPath } from "../inspect/path.js";
import { PathError } from "../inspect/pattern.js";
import { Query } from "../inspect/query.js";
import { valueText } from "../inspect/values.js";
import { blame, captureArgs, deviceId, readCapture } from "./capture.js";
import { openInput } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { asUsage } from "./refusal.js";
import { borrowDescription, schemaFromArgs } from "./schema-from.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: { type: "positional", description: "The capture, or - for standard input.", required: true },
  path: {
    type: "positional",
    description:
      "Which values: paths, with * and ** for what differs, or @OFFSET, @OFFSET+LENGTH, @FROM..TO.",
    required: true,
  },
  format: {
    type: "enum",
    options: ["text", "json", "jsonl"],
    default: "text",
    description: "How to print them: lines, one list, or an object a line.",
  },
  raw: { type: "boolean", description: "Print nothing but the value, of which there has to be one." },
  ...captureArgs,
  ...schemaFromArgs,
} as const satisfies ArgsDef;

const examples = [
  "virtwire get vm.mig configuration.machine",
  "virtwire get vm.mig 'sections[*virtio-net*].virtio.queues[*].last_avail_idx'",
  "virtwire get vm.mig '**.features' --format jsonl | jq -r .meaning",
  "virtwire get --raw vm.mig 'sections[globalstate].size'",
  "virtwire get vm.mig @0x81b78c8",
  "virtwire get vhost-user.jsonl 'messages[*].payload.**'",
];

export function getVerb(io: Io): Verb {
  return defineVerb({
    name: "get",
    args,
    examples,
    exits: {
      ok: "found",
      differs: "nothing matches",
      malformed: "the capture is damaged; what was found is printed",
    },
    repeats: true,
    run: ({ file, format, raw, as, device, snapshot, "schema-from": schemaFrom, _: [, ...paths] }) =>
      get({ file, paths, format: raw ? "raw" : format, as, device, snapshot, schemaFrom }, io),
  });
}

interface GetArguments {
  readonly file: string;
  readonly paths: readonly string[];
  readonly format: string;
  readonly as: string | undefined;
  readonly device: string | undefined;
  readonly snapshot: string | undefined;
  readonly schemaFrom: string | undefined;
}

async function get(given: GetArguments, io: Io): Promise<number> {
  const { file, paths, format, as, snapshot } = given;
  const batch = new Batch(io.out);
  const rawValues: string[] = [];
  const json = format === "json" || format === "jsonl" ? new JsonLeaves(io.out, format) : undefined;
  const visit = (leaf: Leaf): void => {
    if (json !== undefined) json.leaf(leaf);
    else if (format === "text") batch.write(`${lineOf(leaf)}\n`);
    else if (query.found === 1) rawValues.push(rawText(leaf));
  };
  const query = asUsage([PathError], () => new Query(paths, visit));
  const device = given.device === undefined ? undefined : deviceId(given.device);
  const borrowed = await borrowDescription(given.schemaFrom, [file], io, snapshot);
  const options = { as, device, withFields: true, lendsFields: true, borrowed };
  const input = openInput(file, io, { snapshot });
  try {
    const summary = await readCapture(input, options, () => query, io);
    if (summary === undefined) return EXIT.malformed;
    blame(input, summary, io);
    json?.finish();
    if (format === "raw" && query.found > 1)
      throw new UsageError(`--raw prints one value: ${query.found} match ${paths.join(", ")}`);
    for (const text of rawValues) batch.write(`${text}\n`);
    batch.flush();
    if (query.found === 0) io.err(`${input.name}: ${query.miss}\n`);
    return summary.faultCount > 0 ? EXIT.malformed : query.found > 0 ? EXIT.ok : EXIT.differs;
  } finally {
    input.close();
  }
}

function lineOf({ path, value, node, size }: Leaf): string {
  const text =
    value === undefined
      ? `${size ?? 0} ${size === 1 ? "byte" : "bytes"}`
      : valueText(value, node?.meaning, node?.unit);
  return `${printPath(path)} = ${text}`;
}

/** For programs: numbers in decimal, bytes as digits, text as it is. */
function rawText({ value, size }: Leaf): string {
  if (value instanceof Uint8Array)
    return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return String(value ?? size ?? "");
}
