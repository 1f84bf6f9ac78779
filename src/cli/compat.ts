/** `virtwire compat`: says whether a new version of a schema can live with readers and data of the old one. */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import type { ArgsDef } from "citty";
import { compare, jsonOf, type Profile, profileByName, profiles, textOf } from "../compat/index.js";
import { readSchemas } from "../project/files.js";
import { compile, formatDiagnostic, type Program, type SchemaFile } from "../schema/index.js";
import { EXIT, type Io, UsageError } from "./io.js";
import { defineVerb, type Verb } from "./verb.js";

const FORMATS = ["text", "json"];

const args = {
  old: { type: "positional", description: "The old version: a schema, or a folder of them.", required: true },
  new: { type: "positional", description: "The new version.", required: true },
  profile: {
    type: "string",
    valueHint: profiles.map(({ name }) => name).join("|"),
    description: "The rules of growth that readers and writers keep to.",
    default: "wire",
  },
  format: {
    type: "string",
    valueHint: FORMATS.join("|"),
    description: "How the report is written.",
    default: "text",
  },
} as const satisfies ArgsDef;

const examples = [
  "virtwire compat released/schemas schemas",
  "virtwire compat --profile device-context old/device-context.wire new/device-context.wire",
  "virtwire compat --format json old.wire new.wire",
];

export function compatVerb(io: Io): Verb {
  return defineVerb({
    name: "compat",
    args,
    examples,
    exits: { ok: "nobody breaks", differs: "somebody may" },
    run: (given) => {
      if (!FORMATS.includes(given.format))
        throw new UsageError(`no format is called ${JSON.stringify(given.format)}`);
      const profile = profileNamed(given.profile);
      const [old, now] = [given.old, given.new].map((path) => compiled(path, io));
      if (old === undefined || now === undefined) return EXIT.usage;
      const comparison = compare(old, now, profile);
      io.out(given.format === "json" ? jsonOf(comparison) : textOf(comparison));
      return comparison.compatible ? EXIT.ok : EXIT.differs;
    },
  });
}

function profileNamed(name: string): Profile {
  const profile = profileByName(name);
  if (profile !== undefined) return profile;
  const names = profiles.map((one) => one.name).join(", ");
  throw new UsageError(`no profile is called ${JSON.stringify(name)}: there are ${names}`);
}

function compiled(path: string, io: Io): Program | undefined {
  const files = filesOf(path);
  if (files.length === 0) throw new UsageError(`no schema (*.wire) in ${path}`);
  const { program, diagnostics } = compile(files);
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  for (const diagnostic of diagnostics)
    io.err(`${formatDiagnostic(diagnostic, (file) => texts.get(file) ?? "")}\n`);
  return program;
}

function filesOf(path: string): readonly SchemaFile[] {
  if (statSync(path).isDirectory()) return readSchemas(path);
  return [{ file: basename(path), text: readFileSync(path, "utf8") }];
}
