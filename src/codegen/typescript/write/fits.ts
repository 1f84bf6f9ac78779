/** Numbers that may not fit into their fields: one condition for many, and what is said about the one that does not. */
import type { Enum, Field, IntType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import type { StructContext } from "../context.js";
import { literal } from "../expressions.js";
import { isWideNumber } from "../integers.js";
import { repOf } from "../nested.js";
import { schemaLine } from "../subject.js";

/** An integer that may not fit. */
export interface Fit {
  readonly misfits: Part;
  /** What the slow path needs to name it: name, bits (negative when signed), offset, line. */
  readonly entry: Part;
  readonly value: Part;
}

/** The variable that holds a number to write. Reserved ones that some values lack have no default. */
export function givenNumber(context: StructContext, field: Field): Part {
  const local = context.local(field);
  if (field.role.kind !== "reserved" || !field.conditional) return local;
  return `(${local} ?? ${literal(0n, repOf(field))})`;
}

/** What there is to ask about a field of a run: nothing of most. */
export function fitOf(context: StructContext, field: Field, offset: number): Fit[] {
  const { type, role } = field;
  if (role.kind === "constant" || isAnyLength(field) || (type.kind !== "int" && type.kind !== "bits"))
    return [];
  const value = givenNumber(context, field);
  const bits = type.kind === "bits" ? type.width : type.int.signed ? -type.int.bits : type.int.bits;
  return [
    {
      misfits: misfits(
        type.kind === "bits" ? { ...type.int, signed: false } : type.int,
        Math.abs(bits),
        value,
      ),
      entry: code`[${JSON.stringify(field.name)}, ${bits}, ${offset}, ${field.line}]`,
      value,
    },
  ];
}

/** One condition for all; which of them it was is found out when it holds. */
export function checkFits(body: Body, fits: readonly Fit[], at: Part): void {
  if (fits.length === 0) return;
  const { out, context } = body;
  out.chain(
    "if (",
    fits.map((fit) => fit.misfits),
    "||",
    ") {",
  );
  out.indented(() => {
    const head = code`throw ${context.module.runtime("misfit")}(writer, ${at}, ${SCHEMA_FILE}, `;
    out.listAndRest(
      head,
      fits.map((fit) => fit.entry),
      fits.map((fit) => fit.value),
      ");",
    );
  });
  out.line("}");
}

/** Refuses a value that a closed enum does not list. */
export function checkMember(
  { out, context }: Body,
  closed: Enum,
  value: Part,
  name: string,
  at: Part,
  line: number,
): void {
  out.when(
    code`!${context.module.feature("is", closed)}(${value})`,
    code`throw writer.error("enum", ${name}, ${at}, ${schemaLine(line)}, String(${value}));`,
  );
}

/** A length that is written as it is fits into anything that holds 53 bits. */
function isAnyLength({ type, role }: Field): boolean {
  return role.kind === "derived" && role.steps.length === 0 && type.kind === "int" && type.int.bits === 64;
}

/** A condition that is true when the value is no integer of so many bits: also for fractions and NaN. */
export function misfits(int: IntType, bits: number, value: Part): Part {
  if (int.rep === "bigint")
    return code`${value} !== BigInt.${int.signed ? "asIntN" : "asUintN"}(${bits}, ${value})`;
  if (isWideNumber(int) && bits > 53)
    return int.signed
      ? code`!Number.isSafeInteger(${value})`
      : code`!Number.isSafeInteger(${value}) || ${value} < 0`;
  if (bits > 32)
    return code`!Number.isSafeInteger(${value}) || ${value} < 0 || ${value} >= ${literal(1n << BigInt(bits), "number", 16)}`;
  if (int.signed && bits === 32) return code`${value} !== (${value} | 0)`;
  if (int.signed) return code`${value} !== (${value} << ${32 - bits}) >> ${32 - bits}`;
  if (bits === 32) return code`${value} !== ${value} >>> 0`;
  return code`${value} !== (${value} & ${literal((1n << BigInt(bits)) - 1n, "number", 16)})`;
}
