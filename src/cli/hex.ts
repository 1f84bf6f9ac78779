/** `virtwire hex`: shows the bytes of a capture beside the fields that they belong to. */
import type { ArgsDef } from "citty";
import {
  type BorrowedDescription,
  DumpPlan,
  type DumpRange,
  dumpLines,
  PathError,
  rangeTitle,
} from "../inspect/index.js";
import { blame, captureArgs, deviceId, readCapture } from "./capture.js";
import { openInput } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { borrowDescription, schemaFromArgs } from "./schema-from.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: { type: "positional", description: "The capture: a file, because it is read twice.", required: true },
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
    about: "Show bytes beside the fields that they belong to. Exit 1 when there are none.",
    args,
    examples,
    repeats: true,
    run: async ({ file, width, as, device, snapshot, "schema-from": schemaFrom, _: [, ...paths] }) => {
      const borrowed = await borrowDescription(schemaFrom, [file], io);
      const given = { as, device: device === undefined ? undefined : deviceId(device), snapshot, borrowed };
      return hex(file, paths, widthOf(width), given, io);
    },
  });
}

interface CaptureArguments {
  readonly as: string | undefined;
  readonly device: number | undefined;
  readonly snapshot: string | undefined;
  readonly borrowed: BorrowedDescription | undefined;
}

async function hex(
  file: string,
  paths: readonly string[],
  width: number,
  { snapshot, ...given }: CaptureArguments,
  io: Io,
): Promise<number> {
  if (file === "-") throw new UsageError("standard input cannot be read twice: hex takes a file");
  const plan = planOf(paths);
  const input = openInput(file, io, { snapshot });
  const batch = new Batch(io.out);
  let damaged: boolean;
  try {
    const summary = await readCapture(input, { ...given, withFields: true }, () => plan, io);
    if (summary === undefined) return EXIT.malformed;
    blame(input, summary, io);
    damaged = summary.faultCount > 0;
  } finally {
    input.close();
  }
  let shown = 0;
  let room = MAX_BYTES;
  for (const range of plan.ranges) {
    const bytes = await bytesOf(file, range, room, snapshot, io);
    if (bytes.length === 0) continue;
    room -= bytes.length;
    if (plan.ranges.length > 1) batch.write(`${shown > 0 ? "\n" : ""}${rangeTitle(range)}\n`);
    for (const line of dumpLines(range, bytes, plan.fieldsOf(range), width)) batch.write(`${line}\n`);
    shown += bytes.length;
    if (room === 0) break;
  }
  batch.flush();
  if (room === 0) io.err(`${file}: the first ${MAX_BYTES} bytes are shown\n`);
  if (shown === 0) io.err(`${file}: no bytes are at ${paths.join(", ")}\n`);
  return damaged ? EXIT.malformed : shown > 0 ? EXIT.ok : EXIT.differs;
}

/** The bytes of a range, as many of them as there are and as there is room for. */
async function bytesOf(
  file: string,
  { from, to }: DumpRange,
  room: number,
  snapshot: string | undefined,
  io: Io,
): Promise<Uint8Array> {
  const end = Math.min(to, from + room);
  const parts: Uint8Array[] = [];
  const input = openInput(file, io, { snapshot });
  try {
    if (input.read !== undefined) return input.read(from, Math.max(0, end - from));
    let at = 0;
    for await (const chunk of input.chunks()) {
      if (at >= end) break;
      const part = chunk.slice(Math.max(0, from - at), Math.max(0, end - at));
      if (part.length > 0) parts.push(part);
      at += chunk.length;
    }
  } finally {
    input.close();
  }
  return Buffer.concat(parts);
}

function widthOf(text: string): number {
  const width = Number(text);
  if (!/^\d+$/.test(text) || width < 1 || width > 64)
    throw new UsageError("--width is a number from 1 to 64");
  return width;
}

function planOf(paths: readonly string[]): DumpPlan {
  try {
    return new DumpPlan(paths);
  } catch (error) {
    throw error instanceof PathError ? new UsageError(error.message) : error;
  }
}
