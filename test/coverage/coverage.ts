/** docs/coverage.md, made from the list of wire items, from the schemas that hold them, and from the code of rules. */
import { existsSync, readFileSync } from "node:fs";
import type { Decl, Module, Program } from "../../src/schema/index.js";

/** One item of the formats in scope. `items.json` holds them all; an item leaves the list only when its format does. */
export interface Item {
  /** Family letter and number; `-X` marks a contradiction between sources. */
  readonly key: string;
  readonly name: string;
  readonly kind: "schema" | "contradiction" | "rule" | "machine";
  /**
   * `schemas/FILE#DECLARATION`, `schemas/FILE#module`, or `rule: where it is handled`. Of a machine, what is no layout but
   * behaviour: `src/FILE#EXPORT`, one or more with spaces between them.
   */
  readonly where: string;
  /** Of a machine: the test, a file; and its source, which for layouts is in the schema. */
  readonly test?: string;
  readonly source?: string;
}

export interface Place {
  readonly module: Module;
  /** Undefined for the module as a whole. */
  readonly decl: Decl | undefined;
}

const FAMILIES: Readonly<Record<string, string>> = {
  A: "Draft-v2 admin commands and device context",
  B: "virtio 1.4 admin commands, capabilities, resource objects and device parts",
  C: "The vfio-virtio kernel stream and VFIO",
  D: "vhost-user, and the kernel's vhost and vDPA",
  E: "QEMU's migration streams and channels",
  F: "The state of virtio devices in QEMU's migration stream",
  H: "Formats inside and around captures",
  I: "State machines and rules",
};

export function readItems(): Item[] {
  return JSON.parse(readFileSync(new URL("items.json", import.meta.url), "utf8")) as Item[];
}

/** Where the item is, in the compiled schemas. Undefined when it is nowhere. */
export function placeOf(item: Item, program: Program): Place | undefined {
  const match = /^schemas\/(.+\.wire)#(\w+)$/.exec(item.where);
  const module = program.modules.find((one) => one.file === match?.[1]);
  if (!module) return undefined;
  if (match?.[2] === "module") return { module, decl: undefined };
  const decl =
    module.decls.find((one) => one.name === match?.[2]) ?? declWithMember(module, match?.[2] ?? "");
  return decl && { module, decl };
}

/** A member of an enum or flag set stands for the set. */
function declWithMember(module: Module, name: string): Decl | undefined {
  return module.decls.find(
    (decl) =>
      (decl.kind === "enum" || decl.kind === "flags") && decl.members.some((member) => member.name === name),
  );
}

export function coverageDocument(items: readonly Item[], program: Program): string {
  const sections = Object.entries(FAMILIES).flatMap(([letter, title]) => {
    const ofFamily = items.filter((item) => item.key.startsWith(letter));
    const heading = ["", `## ${letter}. ${title}`, ""];
    return ofFamily.every(({ kind }) => kind === "machine")
      ? [
          ...heading,
          "| item | what | where | test | source |",
          "|---|---|---|---|---|",
          ...ofFamily.map(machineRow),
        ]
      : [
          ...heading,
          "| item | what | where | source |",
          "|---|---|---|---|",
          ...ofFamily.map((item) => row(item, program)),
        ];
  });
  return [
    "# Coverage",
    "",
    "Every wire item of the formats in scope, and every place where their sources contradict each other, with the",
    "schema that holds it; and every state machine, with the code that has it and its test. Made from",
    "`test/coverage/items.json`; the tests fail when an item has no place.",
    ...sections,
    "",
  ].join("\n");
}

/** An export of the code, and the file that it is in. */
export interface CodePlace {
  readonly file: string;
  readonly name: string;
}

/** Where a machine is. Undefined when one of its places has no such export. */
export function codeOf({ where }: Item): CodePlace[] | undefined {
  const places: CodePlace[] = [];
  for (const entry of where.split(" ")) {
    const [, file, name] = /^(src\/[\w/.-]+\.ts)#(\w+)$/.exec(entry) ?? [];
    if (file === undefined || name === undefined) return undefined;
    const exported = new RegExp(`^export (?:async )?(?:class|const|function) ${name}\\b`, "m");
    const url = new URL(`../../${file}`, import.meta.url);
    if (!existsSync(url) || !exported.test(readFileSync(url, "utf8"))) return undefined;
    places.push({ file, name });
  }
  return places;
}

function machineRow(item: Item): string {
  const places = (codeOf(item) ?? []).map(({ file, name }) => `[\`${name}\`](../${file})`);
  const test = `[${item.test?.split("/").at(-1)}](../${item.test})`;
  return `| ${[item.key, item.name, places.join(", "), test, item.source ?? ""].join(" | ")} |`;
}

function row(item: Item, program: Program): string {
  const place = placeOf(item, program);
  const cells = [item.key, item.name, place ? link(place) : item.where, place ? sourceOf(place) : ""];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}

function link({ module, decl }: Place): string {
  return `[\`${decl?.name ?? module.name}\`](../schemas/${module.file}${decl ? `#L${decl.line}` : ""})`;
}

function sourceOf({ module, decl }: Place): string {
  const notes = [...(decl?.doc.notes ?? []), ...module.doc.notes];
  return notes.find((note) => note.tag === "source")?.text ?? "";
}
