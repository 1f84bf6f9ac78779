/** Runs: after one check that all of it is there, everything in them lies at a constant place. */
import type { Field, IntType, RunNode, Slot } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import { needsCheckOfBits } from "../checks.js";
import type { StructContext } from "../context.js";
import { literal } from "../expressions.js";
import {
  extract,
  isHalved,
  isInexact,
  isInexactAt,
  isWideNumber,
  place,
  rawInteger,
  writtenOut,
} from "../integers.js";
import { rawValue } from "../memory.js";
import { wholeOf } from "../subject.js";
import { closedEnumOf } from "../types.js";
import { FixedScanner } from "./fixed.js";
import { declareNested, type Scanning } from "./scanning.js";

/** One check for the whole run; then the cursor stands behind it. */
export function printBounds(out: Printer, run: RunNode, at: string, context: StructContext): void {
  out.line(`const ${at} = reader.at;`);
  if (run.size > 0) {
    out.when(
      `${run.size} > reader.end - ${at}`,
      `return reader.short(${at}, ${context.leaves(run)}, ${SCHEMA_FILE});`,
    );
  }
  out.line(`reader.at = ${at} + ${run.size};`);
}

export class RunScanner {
  private readonly body: Scanning;
  private readonly fixed: FixedScanner;

  constructor(body: Scanning) {
    this.body = body;
    this.fixed = new FixedScanner(body);
  }

  slots(run: RunNode, at: string): void {
    for (const slot of run.slots) {
      const here = place(at, slot.offset);
      if (slot.kind === "bits") {
        for (const field of slot.fields) this.body.places.set(field, here);
        this.bits(slot, at);
      } else {
        this.body.places.set(slot.field, here);
        this.slot(slot.field, at, slot.offset);
      }
    }
  }

  private slot(field: Field, at: string, offset: number): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (role.kind === "reserved" && type.kind !== "int") {
      this.reserved(field, here, String(field.size.min));
    }
    if (type.kind === "int")
      this.integer(field, type.int, writtenOut(type.int, "view", here, this.body.context), here);
    else this.fixed.value(type, at, offset, wholeOf(field));
    if (type.kind === "struct") declareNested(this.body, field, at, offset);
  }

  /** All the checks that an integer or a bit field may ask for, in their order. */
  private integer(field: Field, int: IntType, raw: Part, here: Part): void {
    const { out, context } = this.body;
    const { role, type } = field;
    const closed = closedEnumOf(type);
    const wide = type.kind === "int" && isWideNumber(int);
    const checks =
      (wide ? 1 : 0) +
      (role.kind === "constant" ? 2 : 0) +
      (closed === undefined ? 0 : 2) +
      (role.kind === "reserved" ? 1 : 0);
    let value = raw;
    if (this.body.referenced.fields.has(field) || checks > 1) {
      value = context.local(field);
      out.line(code`const ${value} = ${raw};`);
    }
    const where = code`${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line}`;
    if (wide) {
      const inexact = value === raw ? isInexactAt(int, "view", here, context) : isInexact(int, value);
      out.when(inexact, code`return reader.fail("range", ${where});`);
    }
    if (role.kind === "constant") {
      const expected = literal(role.value, int.rep, 16);
      out.when(
        code`${value} !== ${expected}`,
        code`return ${context.module.runtime("otherConstant")}(reader, ${where}, ${expected}, ${value});`,
      );
    }
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(${value})`,
        code`return reader.fail("enum", ${where}, String(${value}));`,
      );
    }
    if (role.kind === "reserved") {
      const zero = int.rep === "bigint" ? "0n" : "0";
      const bare = value === raw && type.kind === "bits" ? code`(${value})` : value;
      out.when(code`reader.strict && ${bare} !== ${zero}`, code`return reader.fail("reserved", ${where});`);
    }
  }

  reserved(field: Field, here: Part, size: Part): void {
    this.body.out.when(
      code`reader.strict && !reader.isZero(${here}, ${size})`,
      code`return reader.fail("reserved", ${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line});`,
    );
  }

  private bits(slot: Slot & { kind: "bits" }, at: string): void {
    const { out, context } = this.body;
    const checked = slot.fields.filter(
      (field) => this.body.referenced.fields.has(field) || needsCheckOfBits(field),
    );
    if (checked.length === 0) return;
    const here = place(at, slot.offset);
    if (isHalved(slot)) {
      for (const field of checked) {
        if (field.type.kind === "bits")
          this.integer(
            field,
            field.type.int,
            rawValue({ field, base: at, offset: slot.offset, bits: slot, orders: context }, "view"),
            here,
          );
      }
      return;
    }
    let container: Part = rawInteger(containerOf(slot), "view", here, context);
    if (checked.length > 1) {
      const bits = this.body.variables.claim("bits");
      out.line(code`const ${bits} = ${container};`);
      container = bits;
    }
    for (const field of checked) {
      if (field.type.kind === "bits")
        this.integer(field, field.type.int, extract(field, container, slot.int.bits), here);
    }
  }
}

/** The integer that holds bit fields, as it is read to take them out. */
function containerOf({ int }: Slot & { kind: "bits" }): IntType {
  return { ...int, signed: false, rep: int.bits === 64 ? "bigint" : "number" };
}
