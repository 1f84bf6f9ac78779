/** `virtwire hex`: shows the bytes of a capture beside the fields that they belong to. */
import type { ArgsDef } from "citty";
import { DumpPlan, dumpLines, rangeTitle } from "../inspect/hexdump.js";
import { PathError } from "../inspect/pattern.js";
import { blame, type CaptureArguments, captureArgs, deviceId, readCapture } from "./capture.js";
import { openSeekable, type SeekableInput } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { asUsage } from "./refusal.js";
import { borrowDescription, schemaFromArgs } from "./schema-from.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: { type: "positional", description: "The capture, or - for standard input.", required: true },
  path: {
    type: "positional",
    description: "Which bytes: @OFFSET, @OFFSET+LENGTH, @FROM..TO, or paths, with * and ** for what differs.",
    required: true,
  },
  width: { type: "string", valueHint: "BYTES", description: "Bytes in a line.", default: "8" },
  ...captureArgs,
  ...schemaFromArgs,
} as const satisfies ArgsDef;

const examples = [
  "virtwire hex vm.mig @0x81b78c8+64",
  "virtwire hex vm.mig 'sections[*virtio-net*].virtio.queues'",
  "virtwire hex --width 16 vm.mig 'sections[timer]'",
];

/** Of what is larger, this much is shown. */
const MAX_BYTES = 1 << 20;

export function hexVerb(io: Io): Verb {
  return defineVerb({
    name: "hex",
    args,
    examples,
    exits: {
      ok: "shown",
      differs: "there are no such bytes",
      malformed: "the capture is damaged; what is there is shown",
    },
    repeats: true,
    run: async ({ file, width, as, device, snapshot, "schema-from": schemaFrom, _: [, ...paths] }) => {
      const borrowed = await borrowDescription(schemaFrom, [file], io, snapshot);
      const given = { as, device: device === undefined ? undefined : deviceId(device), snapshot, borrowed };
      return hex(file, paths, widthOf(width), given, io);
    },
  });
}

async function hex(
  file: string,
  paths: readonly string[],
  width: number,
  { snapshot, ...given }: CaptureArguments,
  io: Io,
): Promise<number> {
  const plan = asUsage([PathError], () => new DumpPlan(paths));
  const input = await openSeekable(file, io, { snapshot });
  try {
    const summary = await readCapture(
      input,
      { ...given, withFields: true, lendsFields: true },
      () => plan,
      io,
    );
    if (summary === undefined) return EXIT.malformed;
    blame(input, summary, io);
    const shown = dump(input, plan, width, io);
    if (shown === 0) io.err(`${file}: no bytes are at ${paths.join(", ")}\n`);
    return summary.faultCount > 0 ? EXIT.malformed : shown > 0 ? EXIT.ok : EXIT.differs;
  } finally {
    input.close();
  }
}

/** Gives the number of bytes shown. */
function dump(input: SeekableInput, plan: DumpPlan, width: number, io: Io): number {
  const batch = new Batch(io.out);
  let shown = 0;
  for (const range of plan.ranges) {
    const room = MAX_BYTES - shown;
    if (room === 0) break;
    const size = Math.min(range.to - range.from, room);
    const bytes = input.read(range.from, size);
    if (bytes.length === 0) continue;
    if (plan.ranges.length > 1) batch.write(`${shown > 0 ? "\n" : ""}${rangeTitle(range)}\n`);
    for (const line of dumpLines(range, bytes, plan.fieldsOf(range), width)) batch.write(`${line}\n`);
    shown += bytes.length;
  }
  batch.flush();
  if (shown === MAX_BYTES) io.err(`${input.name}: the first ${MAX_BYTES} bytes are shown\n`);
  return shown;
}

function widthOf(text: string): number {
  const width = Number(text);
  if (!/^\d+$/.test(text) || width < 1 || width > 64)
    throw new UsageError("--width is a number from 1 to 64");
  return width;
}
