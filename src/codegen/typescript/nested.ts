/** Fields inside nested structs, as expressions of the schema refer to them: `hdr.length`. */
import type { Field, Measured, Slot, Step, Struct } from "../../schema/ir.js";
import { isKept, runsOf } from "../members.js";
import { code, type Part } from "../printer.js";
import type { StructContext } from "./context.js";
import { literal } from "./expressions.js";

type FieldMeasure = Exclude<Measured, { readonly kind: "range" }>;

/** The value of a field path where the first field is in a variable and the others are in decoded values. */
export function nestedValue(
  context: StructContext,
  first: Field | undefined,
  others: readonly Field[],
): Part {
  if (first === undefined) throw new Error("a field path is never empty");
  return nestedProperty(context, context.local(first), others);
}

/** The same where `holder` is the decoded value of the first field. */
export function nestedProperty(context: StructContext, holder: Part, path: readonly Field[]): Part {
  let part = holder;
  for (const field of path) part = propertyOf(context, part, field);
  return part;
}

function propertyOf(context: StructContext, holder: Part, field: Field): Part {
  if (isKept(field)) {
    const property: Part = [holder, ".", context.module.struct(field.struct).property(field)];
    // It may be left out of a value that is encoded, and is zero then.
    if (field.role.kind === "reserved") return ["(", property, ` ?? ${literal(0n, repOf(field))})`];
    return property;
  }
  const rep = repOf(field);
  if (field.role.kind === "constant") return literal(field.role.value, rep, 16);
  if (field.role.kind !== "derived") throw new Error(`${field.name} has no value`);
  const { of, steps } = field.role;
  if (of.kind === "range")
    throw new Error(`${field.struct.name}.${field.name} is the length of a range, and not known outside`);
  const measured = [holder, ".", context.module.struct(field.struct).property(of.field)];
  return stepped(measuredNumber(of, measured), steps, rep);
}

/** How much there is of a field, when that is easily told from its value. */
export function measuredNumber(of: FieldMeasure, value: Part): Part {
  const absent = of.field.conditional || of.field.role.kind === "reserved";
  const length = absent ? code`(${value}?.length ?? 0)` : [value, ".length"];
  const { type } = of.field;
  if (of.kind === "count" || type.kind === "bytes" || type.kind === "text") return length;
  if (type.kind === "array" && type.elementSize.min === type.elementSize.max)
    return code`${length} * ${type.elementSize.min}`;
  throw new Error(`the size of ${of.field.name} cannot be told from its value alone`);
}

/** What is measured, if `measuredNumber` can tell how much there is of it. */
export function easilyMeasured(of: Measured): FieldMeasure | undefined {
  if (of.kind === "range") return undefined;
  const { type } = of.field;
  if (of.kind === "count" || type.kind === "bytes" || type.kind === "text") return of;
  return type.kind === "array" && type.elementSize.min === type.elementSize.max ? of : undefined;
}

/** A measure with the steps of its derivation, as the representation of the field. */
export function stepped(measure: Part, steps: readonly Step[], rep: "number" | "bigint"): Part {
  let part = measure;
  for (const { op, by } of steps) {
    const sign = { add: "+", sub: "-", mul: "*", div: "/" }[op];
    part =
      steps.length > 1 ? code`(${part}) ${sign} ${by.toString()}` : code`${part} ${sign} ${by.toString()}`;
  }
  return rep === "bigint" ? code`BigInt(${part})` : part;
}

export function repOf({ type, name }: Field): "number" | "bigint" {
  if (type.kind === "int" || type.kind === "bits") return type.int.rep;
  throw new Error(`${name} is no number`);
}

/** Where a field lies, from the start of `struct`: its slot and the offset of that. Undefined if that depends on the value. */
export function locate(
  struct: Struct,
  field: Field,
): { readonly slot: Slot; readonly offset: number } | undefined {
  for (const run of runsOf(struct.nodes)) {
    for (const slot of run.slots) {
      const holds = slot.kind === "bits" ? slot.fields.includes(field) : slot.field === field;
      if (holds) return run.offset === undefined ? undefined : { slot, offset: run.offset + slot.offset };
    }
  }
  return undefined;
}
