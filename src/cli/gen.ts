/**
 * `virtwire gen`: compiles schemas and writes what a target makes of them, once or whenever they change, or checks that
 * it has been written.
 */
import { join } from "node:path";
import type { ArgsDef } from "citty";
import { type OutputFile, type Target, targetByName, targets } from "../codegen/index.js";
import { readIfThere, staleFiles, writeFiles } from "../project/files.js";
import { ClashError, type Generated, Project } from "../project/project.js";
import { watchFolder } from "../project/watch.js";
import { formatDiagnostic, type SchemaFile } from "../schema/index.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { asUsage } from "./refusal.js";
import { unifiedDiff } from "./unified-diff.js";
import { defineVerb, type Verb } from "./verb.js";

const args = {
  dir: { type: "positional", description: "Folder of the schemas (*.wire).", default: "schemas" },
  out: { type: "string", valueHint: "DIR", description: "Folder to write to.", required: true },
  target: {
    type: "string",
    valueHint: targets.map(({ name }) => name).join("|"),
    description: "What to generate; several with commas between.",
    required: true,
  },
  runtime: {
    type: "string",
    valueHint: "MODULE",
    description:
      "Where generated code imports its runtime from: a package, or a path relative to DIR of --out.",
  },
  check: {
    type: "boolean",
    description: "Write nothing; exit 1 and print a diff when what is there is stale.",
  },
  watch: {
    type: "boolean",
    description: "Go on, and generate again whenever a schema changes, until interrupted (Ctrl-C).",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire gen schemas --out generated --target ts",
  "virtwire gen schemas --out generated --target ts --check",
  "virtwire gen schemas --out generated --target ts --watch",
  "virtwire gen schemas --out include --target c",
];

type Files = ReadonlyMap<string, OutputFile>;

interface GenArguments {
  readonly dir: string;
  readonly out: string;
  readonly target: string;
  readonly runtime: string | undefined;
  readonly check: boolean | undefined;
  readonly watch: boolean | undefined;
}

export function genVerb(io: Io): Verb {
  return defineVerb({
    name: "gen",
    args,
    examples,
    exits: {
      ok: "written, or up to date",
      differs: "--check: what is there is stale",
      malformed: "there are mistakes in the schemas",
    },
    run: ({ dir, out, target, runtime, check, watch }) =>
      gen({ dir, out, target, runtime, check, watch }, io),
  });
}

function gen(given: GenArguments, io: Io): number | Promise<number> {
  if (given.check && given.watch) throw new UsageError("--check and --watch exclude each other");
  const project = new Project({
    schemas: given.dir,
    targets: given.target.split(",").map(targetNamed),
    runtime: given.runtime,
  });
  if (given.watch) return watch(project, given, io);
  const generated = asUsage([ClashError], () => project.generate());
  if (generated.schemas.length === 0) throw new UsageError(noSchema(given.dir));
  report(generated, io);
  const { files } = generated;
  if (files === undefined) return EXIT.malformed;
  if (given.check) return check(given.out, files, io);
  write(given.out, files, new Map(), io);
  return EXIT.ok;
}

function targetNamed(name: string): Target {
  const target = targetByName(name.trim());
  if (target !== undefined) return target;
  const names = targets.map((one) => one.name).join(", ");
  throw new UsageError(`no target is called ${JSON.stringify(name)}: there are ${names}`);
}

function noSchema(dir: string): string {
  return `no schema (*.wire) in ${dir}`;
}

/** Prints what is wrong with the schemas. */
function report({ diagnostics, textOf }: Generated, io: Io): void {
  for (const diagnostic of diagnostics) io.err(`${formatDiagnostic(diagnostic, textOf)}\n`);
  if (diagnostics.length > 0)
    io.err(`${diagnostics.length === 1 ? "1 error" : `${diagnostics.length} errors`}\n`);
}

function check(out: string, wanted: Files, io: Io): number {
  let differences = 0;
  for (const { path, text } of wanted.values()) {
    const name = join(out, path);
    const diff = unifiedDiff(name, readIfThere(name) ?? "", text);
    if (diff === "") continue;
    differences++;
    io.out(diff);
  }
  for (const path of staleFiles(out, wanted)) {
    differences++;
    io.out(`Only in ${out}: ${path} (no schema makes it any more)\n`);
  }
  if (differences === 0) return EXIT.ok;
  io.err(
    `${differences === 1 ? "1 file is" : `${differences} files are`} stale in ${out}: run virtwire gen\n`,
  );
  return EXIT.differs;
}

/** `known`: what it has written before. */
function write(out: string, wanted: Files, known: Files, io: Io, since = ""): void {
  const { written, removed } = writeFiles(out, wanted, known);
  const gone = removed === 0 ? "" : `, ${removed} removed`;
  io.err(`${wanted.size} files in ${out}: ${written} written${gone}${since}\n`);
}

/** Goes on after mistakes in the schemas; ends when it is interrupted, and when their folder is gone. */
async function watch(project: Project, { dir, out }: GenArguments, io: Io): Promise<number> {
  // It stands before the first reading: no change falls between the two.
  const changes = watchFolder(dir);
  const interrupted = io.interrupted().then(changes.close);
  try {
    let known: Files = new Map();
    let seen: readonly SchemaFile[] | undefined;
    do {
      const start = performance.now();
      const generated = asUsage([ClashError], () => project.generate());
      const { files, schemas } = generated;
      // Something else in the folder has changed: the output, perhaps.
      if (seen !== undefined && sameTexts(seen, schemas)) continue;
      seen = schemas;
      report(generated, io);
      if (schemas.length === 0) io.err(`${noSchema(dir)}\n`);
      if (files === undefined || schemas.length === 0) continue;
      write(out, files, known, io, ` in ${Math.round(performance.now() - start)} ms`);
      known = files;
    } while (await changes.changed());
    await interrupted;
    return EXIT.ok;
  } finally {
    changes.close();
  }
}

function sameTexts(before: readonly SchemaFile[], after: readonly SchemaFile[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ file, text }, i) => file === after[i]?.file && text === after[i]?.text)
  );
}
