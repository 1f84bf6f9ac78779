/** `virtwire edit`: writes a migration stream anew with other values, or without some of its sections. */
import type { ArgsDef } from "citty";
import {
  type Assignment,
  EditError,
  EditPlan,
  OverlapError,
  parseAssignment,
} from "../inspect/edit/index.js";
import { PathError } from "../inspect/pattern.js";
import { hex, printable, type Summary } from "../inspect/report.js";
import { optionValues } from "./arguments.js";
import { blame, captureArgs, readCapture } from "./capture.js";
import { type Input, openInput, openSeekable, type SeekableInput } from "./input.js";
import { Batch, EXIT, type Io, UsageError } from "./io.js";
import { refuseToOverwrite, rewrite } from "./output.js";
import { asUsage, asUsageLater } from "./refusal.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  file: {
    type: "positional",
    description: "The migration stream, or - for standard input.",
    required: true,
  },
  set: {
    type: "string",
    valueHint: "PATH=VALUE",
    description:
      "Give a field another value: a number, names of an enum or of features, bytes as hex, text. May be repeated.",
  },
  drop: {
    type: "string",
    valueHint: "SECTION",
    description:
      "Leave a section out, and its entry in the description: a name, name#instance or a path. May be repeated.",
  },
  out: { type: "string", alias: "o", valueHint: "FILE", description: "Where to write.", required: true },
  snapshot: captureArgs.snapshot,
} as const satisfies ArgsDef;

const examples = [
  "virtwire edit vm.mig --drop kvmclock -o tcg.mig",
  "virtwire edit vm.mig --set configuration.machine=pc-q35-9.2 -o older.mig",
  "virtwire edit vm.mig --set 'sections[timer].cpu_clock_offset=0' --drop 'serial#1' -o out.mig",
];

/** What cannot be done is for the user to put right. */
const REFUSALS = [EditError, PathError, OverlapError];

interface EditArguments {
  readonly file: string;
  readonly out: string;
  readonly sets: readonly string[];
  readonly drops: readonly string[];
  readonly snapshot: string | undefined;
}

export function editVerb(io: Io): Verb {
  return defineVerb({
    name: "edit",
    args,
    examples,
    exits: { ok: "the result is sound", malformed: "the result is damaged, or the stream was" },
    run: ({ file, out, snapshot }, rawArgs) =>
      edit(
        { file, out, snapshot, sets: optionValues(rawArgs, "set"), drops: optionValues(rawArgs, "drop") },
        io,
      ),
  });
}

async function edit(given: EditArguments, io: Io): Promise<number> {
  if (given.sets.length + given.drops.length === 0)
    throw new UsageError("nothing to do: --set or --drop is missing");
  refuseToOverwrite([given.file], given.out);
  const assignments = given.sets.map(assignmentOf);
  const plan = asUsage(REFUSALS, () => new EditPlan(assignments, given.drops));
  const input = await openSeekable(given.file, io, { snapshot: given.snapshot });
  try {
    return await editInput(input, plan, assignments, given, io);
  } finally {
    input.close();
  }
}

async function editInput(
  input: SeekableInput,
  plan: EditPlan,
  assignments: readonly Assignment[],
  given: EditArguments,
  io: Io,
): Promise<number> {
  const before = await asUsageLater(REFUSALS, inspectWith(input, plan, io));
  if (before === undefined) return EXIT.malformed;
  if (before.kind !== "qemu-stream") throw new UsageError(`${given.file} is no migration stream`);
  await rewrite(
    input,
    given.out,
    asUsage(REFUSALS, () => plan.patches()),
  );
  let check = new EditPlan(assignments, []);
  let after = await inspectResult(given.out, check, io);
  if (plan.guessed && !check.isDone) {
    await rewrite(
      input,
      given.out,
      asUsage(REFUSALS, () => plan.patches(true)),
    );
    check = new EditPlan(assignments, []);
    after = await inspectResult(given.out, check, io);
  }
  if (after === undefined) return EXIT.malformed;
  report(plan, after, given, io);
  if (!check.isDone) io.err(`${given.out}: with these values the fields around them are read otherwise\n`);
  // What came out of a damaged wrapper may look sound and not be what went in.
  const sound = after.faultCount === 0 && check.isDone && input.damage === undefined;
  return sound ? EXIT.ok : EXIT.malformed;
}

function assignmentOf(text: string): Assignment {
  const assignment = parseAssignment(text);
  if (assignment === undefined) throw new UsageError(`--set ${text}: it is written PATH=VALUE`);
  return assignment;
}

async function inspectResult(path: string, plan: EditPlan, io: Io): Promise<Summary | undefined> {
  const input = openInput(path, io);
  try {
    return await inspectWith(input, plan, io);
  } finally {
    input.close();
  }
}

async function inspectWith(input: Input, plan: EditPlan, io: Io): Promise<Summary | undefined> {
  const options = { as: undefined, device: undefined, withFields: true };
  const summary = await readCapture(input, options, () => plan, io);
  if (plan.isMapped && input.origin > 0)
    throw new UsageError(
      `${input.name}: outside its wrapper the pages of a mapped-ram stream would not be found`,
    );
  for (const { kind } of input.wrappers)
    plan.notes.push(`the stream was in a wrapper (${kind}), the result is in none`);
  if (summary !== undefined) blame(input, summary, io);
  return summary;
}

function report(plan: EditPlan, after: Summary, { file, out }: EditArguments, io: Io): void {
  const batch = new Batch(io.out);
  batch.write(`${file} → ${out}, ${after.size} bytes\n`);
  for (const { at, path, text } of plan.changes) batch.write(`${hex(at)}  ${path}: ${printable(text)}\n`);
  for (const note of plan.notes) batch.write(`note     ${note}\n`);
  batch.write(`verdict  ${after.verdict}\n`);
  batch.flush();
}
