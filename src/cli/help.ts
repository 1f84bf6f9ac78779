/** What `virtwire VERB --help` prints, as wide as the terminal is. */
import type { ArgsDef } from "citty";
import { wrapped } from "../inspect/wrapped.js";
import { EXIT } from "./io.js";

export interface HelpPage {
  /** Of the verb. */
  readonly name: string;
  readonly about: string;
  /** What else has to be known. */
  readonly details?: string | undefined;
  readonly args: ArgsDef;
  /** The last positional argument may be given any number of times. */
  readonly repeats: boolean;
  readonly examples: readonly string[];
  readonly exits: ExitMeanings;
}

/** What exit codes stand for; that of a wrong command line is the same everywhere. */
type ExitMeanings = Readonly<Partial<Record<"ok" | "differs" | "malformed", string>>>;

/** A verb in the list of all. */
export interface ListedVerb {
  readonly group: string;
  readonly about: string;
}

type Definition = ArgsDef[string];
type Row = readonly [name: string, description: string];

const INDENT = "  ";
/** Names that are longer have a line of their own, so that descriptions keep most of the width. */
const MAX_NAME = 26;
/** A longer list of values stands behind the description. */
const MAX_VALUES = 20;

const EXAMPLES = [
  "virtwire inspect vm.mig",
  "virtwire explain destination.log vm.mig",
  "virtwire get vm.mig 'sections[*virtio-net*].**'",
  "virtwire receive --listen unix:vm.sock -o vm.mig",
];

const ALL_EXITS: ExitMeanings = {
  ok: "all is well",
  differs: "a check has failed: differences, a broken rule, nothing found",
  malformed: "the input is damaged, cut short or of no known kind; what can be read is shown",
};

export function helpText(page: HelpPage, width: number): string {
  const { name, about, details, args, examples, exits } = page;
  const all = Object.entries(args);
  const positionals = all.filter(([, { type }]) => type === "positional");
  const options = all.filter(([, { type }]) => type !== "positional");
  const parts = [
    wrapped(`virtwire ${name}: ${about}`, width),
    ...(details === undefined ? [] : [wrapped(details, width)]),
    wrapped(`Usage: virtwire ${name} ${usage(page)}`, width),
    ...(positionals.length === 0 ? [] : [["Arguments:", ...rows(positionals.map(argumentRow), width)]]),
    ...(options.length === 0 ? [] : [["Options:", ...rows(options.map(optionRow), width)]]),
    // Examples are for copying: a line of a shell is never broken.
    ["Examples:", ...examples.map((line) => INDENT + line)],
    ["Exit codes:", ...rows(exitRows(exits), width)],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** What `virtwire --help` prints. */
export function overviewText(verbs: readonly (readonly [string, ListedVerb])[], width: number): string {
  const names = Math.max(...verbs.map(([name]) => name.length));
  const groups = [...new Set(verbs.map(([, { group }]) => group))];
  const parts = [
    ["virtwire: the wire formats of virtio live migration"],
    ["Usage: virtwire COMMAND …, and virtwire COMMAND --help, which says more"],
    ...groups.map((wanted) => [
      `${wanted}:`,
      ...rows(
        verbs
          .filter(([, { group }]) => group === wanted)
          // All groups have one column.
          .map(([name, { about }]) => [name.padEnd(names), about]),
        width,
      ),
    ]),
    ["Examples:", ...EXAMPLES.map((line) => INDENT + line)],
    ["Exit codes:", ...rows(exitRows(ALL_EXITS), width)],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function usage({ args, repeats }: HelpPage): string {
  const all = Object.entries(args);
  const required = all.filter(([, one]) => one.type !== "positional" && one.required === true);
  const others = all.filter(([, one]) => one.type !== "positional" && one.required !== true);
  const positionals = all.filter(([, one]) => one.type === "positional");
  const words = positionals.map(([name, one], i) => {
    const word = `${name.toUpperCase()}${repeats && i === positionals.length - 1 ? "…" : ""}`;
    return one.required === true ? word : `[${word}]`;
  });
  return [
    ...(others.length === 0 ? [] : ["[OPTIONS]"]),
    ...words,
    ...required.map(([name, one]) => `--${name} ${hintOf(one)}`),
  ].join(" ");
}

function argumentRow([name, one]: readonly [string, Definition]): Row {
  return [name.toUpperCase(), one.description ?? ""];
}

function optionRow([name, one]: readonly [string, Definition]): Row {
  const alias = "alias" in one && typeof one.alias === "string" ? `-${one.alias}, ` : "";
  const value = hintOf(one);
  const values = one.type === "enum" && value === "VALUE" ? ` One of ${(one.options ?? []).join(", ")}.` : "";
  const standard = typeof one.default === "string" ? ` Default: ${one.default}.` : "";
  return [
    `${alias}--${name}${value === "" ? "" : ` ${value}`}`,
    `${one.description ?? ""}${values}${standard}`,
  ];
}

function hintOf(one: Definition): string {
  if (one.type === "boolean") return "";
  if (one.type !== "enum") return one.valueHint ?? "VALUE";
  const values = (one.options ?? []).join("|");
  return values.length <= MAX_VALUES ? values : "VALUE";
}

function exitRows({ ok, differs, malformed }: ExitMeanings): Row[] {
  const meanings: readonly (readonly [number, string | undefined])[] = [
    [EXIT.ok, ok],
    [EXIT.differs, differs],
    [EXIT.usage, "wrong usage, or a file or socket cannot be used"],
    [EXIT.malformed, malformed],
  ];
  return meanings.flatMap(([code, meaning]) =>
    meaning === undefined ? [] : [[String(code), meaning] as const],
  );
}

function rows(all: readonly Row[], width: number): string[] {
  const longest = Math.max(...all.map(([name]) => name.length).filter((length) => length <= MAX_NAME), 1);
  const column = INDENT.length + longest + 2;
  return all.flatMap(([name, description]) => {
    const [first = "", ...rest] = wrapped(description, Math.max(20, width - column));
    const head = INDENT + name;
    const lines = name.length > longest ? [head, " ".repeat(column) + first] : [head.padEnd(column) + first];
    return [...lines, ...rest.map((line) => " ".repeat(column) + line)];
  });
}
