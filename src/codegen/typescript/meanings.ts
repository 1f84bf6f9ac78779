/** What numbers stand for: constants, enums and flag sets, and the functions that name a value. */
import type { Const, Doc, Enum, EnumMember, Flags } from "../../schema/ir.js";
import { PROTOTYPE_NAMES } from "../names.js";
import type { Part, Printer } from "../printer.js";
import type { ModuleContext } from "./context.js";
import { docLines } from "./docs.js";
import { isRound, literal } from "./expressions.js";

export function printConst(out: Printer, decl: Const, context: ModuleContext): void {
  out.doc(docLines(decl.doc));
  const exact =
    decl.value <= BigInt(Number.MAX_SAFE_INTEGER) && decl.value >= BigInt(Number.MIN_SAFE_INTEGER);
  out.line(
    `export const ${context.names.type(decl)} = ${literal(decl.value, exact ? "number" : "bigint", isRound(decl.value) ? 16 : 10)};`,
  );
}

export function printEnum(out: Printer, decl: Enum, context: ModuleContext): void {
  const name = context.names.type(decl);
  const { rep } = decl.int;
  const kind = decl.closed ? "Other values are refused." : "Other values are kept as they are.";
  out.doc([`\`enum ${decl.name}\`, ${bitsText(decl)}. ${kind}`, ...docLines(decl.doc)]);
  printMembers(
    out,
    name,
    decl.members.map((member) => ({ ...member, doc: [...rangeText(member, rep), ...docLines(member.doc)] })),
    rep,
  );
  const ranged = decl.members.some((member) => member.to !== member.value);
  const listed = `(typeof ${name})[keyof typeof ${name}]`;
  if (decl.members.length === 0 || (decl.closed && ranged)) out.line(`export type ${name} = ${rep};`);
  else out.line(`export type ${name} = ${decl.closed ? listed : `${listed} | (${rep} & {})`};`);
  out.blank();
  printNameOf(out, decl, context);
  if (!decl.closed) return;
  out.blank();
  printGuard(out, decl, context);
}

export function printFlags(out: Printer, decl: Flags, context: ModuleContext): void {
  const name = context.names.type(decl);
  const { rep } = decl.int;
  out.doc([
    `\`flags ${decl.name}\`, ${bitsText(decl)}. Bits without a name are kept as they are.`,
    ...docLines(decl.doc),
  ]);
  printMembers(
    out,
    name,
    decl.members.map((member) => ({ ...member, value: member.mask, doc: docLines(member.doc) })),
    rep,
  );
  out.line(`export type ${name} = ${rep};`);
  out.blank();
  out.doc([
    "The names of the flags that are set. Bits without a name come last, as one number in hexadecimal.",
  ]);
  out.block(`export function ${context.names.of(decl, "namesOf")}(value: number | bigint): string[]`, () => {
    out.line("return ", context.runtime("flagNames"), `(${name}, value);`);
  });
  out.blank();
  printBits(out, decl, context);
}

/** Of the set's own flags only: those that many sets extend would be repeated in each. */
function printBits(out: Printer, decl: Flags, context: ModuleContext): void {
  const inherited = new Set(decl.extends?.members);
  const own = decl.members.filter((member) => !inherited.has(member));
  const sourceOf = (doc: Doc): string | undefined => doc.notes.find(({ tag }) => tag === "source")?.text;
  out.doc([
    decl.extends === undefined
      ? "What is known of each flag."
      : `What is known of each flag, besides those of \`${decl.extends.name}\`.`,
  ]);
  out.line(
    `export const ${context.names.of(decl, "bits")}: readonly `,
    context.runtimeType("FlagBit"),
    "[] = [",
  );
  out.indented(() => {
    for (const { name, mask, doc } of own) {
      const said = firstSentence(doc.text);
      const source = sourceOf(doc) ?? sourceOf(decl.doc) ?? sourceOf(decl.module.doc);
      const parts = [
        `name: ${JSON.stringify(name)}`,
        `mask: ${literal(mask, decl.int.rep, 16)}`,
        ...(said === "" ? [] : [`doc: ${JSON.stringify(said)}`]),
        ...(source === undefined ? [] : [`source: ${JSON.stringify(source)}`]),
      ];
      out.line(`{ ${parts.join(", ")} },`);
    }
  });
  out.line("];");
}

function firstSentence(text: string): string {
  const flat = text.replace(/\s+/g, " ").trim();
  return /^.*?[.!?](?= |$)/.exec(flat)?.[0] ?? flat;
}

interface MemberText {
  readonly name: string;
  readonly value: bigint;
  readonly doc: readonly string[];
}

function printMembers(
  out: Printer,
  name: string,
  members: readonly MemberText[],
  rep: "number" | "bigint",
): void {
  out.block(
    `export const ${name} =`,
    () => {
      for (const { name: member, value, doc } of members) {
        out.doc(doc);
        out.line(`${memberName(member)}: ${literal(value, rep, 16)},`);
      }
    },
    " as const;",
  );
}

/** The property that holds a member. `__proto__` in a literal would set the prototype. */
function memberName(name: string): string {
  return PROTOTYPE_NAMES.has(name) ? `${name}$` : name;
}

function printNameOf(out: Printer, decl: Enum, context: ModuleContext): void {
  const { rep } = decl.int;
  const singles = decl.members.filter((member) => member.to === member.value);
  const ranges = decl.members.filter((member) => member.to !== member.value);
  out.doc([`The name of a value of \`${decl.name}\`, or undefined when it has none.`]);
  out.block(
    `export function ${context.names.of(decl, "nameOf")}(value: number | bigint): string | undefined`,
    () => {
      const exact = rep === "bigint" ? "BigInt(value)" : "Number(value)";
      const rest = (): void => {
        for (const { name, value, to } of ranges)
          out.when(between("exact", value, to, rep), `return ${JSON.stringify(name)};`);
        out.line("return undefined;");
      };
      if (ranges.length > 0) out.line(`const exact = ${exact};`);
      if (singles.length === 0) {
        rest();
        return;
      }
      out.block(`switch (${ranges.length > 0 ? "exact" : exact})`, () => {
        for (const { name, value } of singles) {
          out.line(`case ${literal(value, rep, 16)}:`);
          out.indented(() => out.line(`return ${JSON.stringify(name)};`));
        }
        if (ranges.length > 0) return;
        out.line("default:");
        out.indented(() => out.line("return undefined;"));
      });
      if (ranges.length > 0) rest();
    },
  );
}

function printGuard(out: Printer, decl: Enum, context: ModuleContext): void {
  const { rep } = decl.int;
  const name = context.names.type(decl);
  const ranged = decl.members.some((member) => member.to !== member.value);
  const result = ranged || decl.members.length === 0 ? "boolean" : `value is ${name}`;
  out.doc([`Whether \`${decl.name}\` has the value.`]);
  out.block(`export function ${context.names.of(decl, "is")}(value: number | bigint): ${result}`, () => {
    // A field may hold the values in the other way: 64 bits as a number, or a few bits of an enum of 64.
    out.line(`const exact = ${rep === "bigint" ? "BigInt(value)" : "Number(value)"};`);
    const tests = spansOf(decl).map(([from, to]) => between("exact", from, to, rep));
    const parts: Part[] =
      tests.length > 1 ? tests.map((test) => (test.includes("&&") ? `(${test})` : test)) : tests;
    out.chain("return (", parts.length === 0 ? ["false"] : parts, "||", ");");
  });
}

/** The values of an enum as inclusive spans, neighbours joined. */
function spansOf(decl: Enum): [bigint, bigint][] {
  const spans: [bigint, bigint][] = [];
  const sorted = [...decl.members].sort((a, b) => (a.value < b.value ? -1 : 1));
  for (const { value, to } of sorted) {
    const last = spans[spans.length - 1];
    if (last !== undefined && last[1] + 1n === value) last[1] = to;
    else spans.push([value, to]);
  }
  return spans;
}

function between(name: string, from: bigint, to: bigint, rep: "number" | "bigint"): string {
  if (from === to) return `${name} === ${literal(from, rep, 16)}`;
  return `${name} >= ${literal(from, rep, 16)} && ${name} <= ${literal(to, rep, 16)}`;
}

function rangeText({ value, to }: EnumMember, rep: "number" | "bigint"): string[] {
  return to === value ? [] : [`The first of a range that ends with ${literal(to, rep, 16)}.`];
}

function bitsText({ int }: Enum | Flags): string {
  return `${int.bits} bits`;
}
