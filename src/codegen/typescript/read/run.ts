/** Runs: all of it is there, and everything lies at a constant place. */
import type { Field, RunNode, Slot } from "../../../schema/ir.js";
import { presenceFieldsOf } from "../../members.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { constantCount } from "../constant-size.js";
import { literal } from "../expressions.js";
import {
  extract,
  halfPlace,
  isHalved,
  isInexact,
  isWideNumber,
  place,
  rawInteger,
  writtenOut,
} from "../integers.js";
import { repOf } from "../nested.js";
import { closedEnumOf } from "../types.js";
import type { FixedReader } from "./fixed.js";
import type { KeptValues } from "./kept.js";

export class RunReader {
  private readonly body: Body;
  private readonly fixed: FixedReader;
  private readonly kept: KeptValues;
  /** Reserved fields by which encoding tells that an `optional` is there. */
  private readonly presence: ReadonlySet<Field>;
  /** Where the fields of runs lie. */
  private readonly places = new Map<Field, Part>();
  /** 64-bit numbers in variables of which it is not yet known that they are exact. */
  private unproven: { readonly field: Field; readonly inexact: Part; readonly here: Part }[] = [];

  constructor(body: Body, fixed: FixedReader, kept: KeptValues) {
    this.body = body;
    this.fixed = fixed;
    this.kept = kept;
    this.presence = new Set(presenceFieldsOf(body.context.struct.nodes));
  }

  placeOf(field: Field): Part | undefined {
    return this.places.get(field);
  }

  slots(run: RunNode, at: string): void {
    for (const slot of run.slots) {
      const fields = slot.kind === "bits" ? slot.fields : [slot.field];
      for (const field of fields) this.places.set(field, place(at, slot.offset));
      if (slot.kind === "bits") this.bits(slot, at);
      else this.slot(slot, at);
    }
    this.prove(at);
  }

  /** One condition for all 64-bit numbers of a run; `explain` finds out which of them it was. */
  private prove(at: string): void {
    const [first, ...others] = this.unproven;
    if (first === undefined) return;
    this.unproven = [];
    const { out } = this.body;
    if (others.length === 0) {
      out.when(
        first.inexact,
        code`throw reader.error("range", ${JSON.stringify(first.field.name)}, ${first.here});`,
      );
      return;
    }
    out.chain(
      "if (",
      [first, ...others].map(({ inexact }) => inexact),
      "||",
      ") {",
    );
    out.indented(() => out.line(`throw reader.error("range", "", ${at});`));
    out.line("}");
  }

  private slot({ field, offset }: Slot & { kind: "field" }, at: string): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (role.kind === "constant" && type.kind === "int") {
      const expected = literal(role.value, type.int.rep, 16);
      this.body.out.when(
        code`${rawInteger(type.int, "view", here, this.body.context)} !== ${expected}`,
        `throw reader.error("constant", ${JSON.stringify(field.name)}, `,
        here,
        ");",
      );
      if (this.kept.isReferenced(field))
        this.body.out.line(`const ${this.body.context.local(field)} = ${expected};`);
      return;
    }
    if (role.kind === "reserved" && type.kind === "bytes" && !this.presence.has(field)) {
      this.kept.keep(field, code`reader.reserved(${here}, ${field.size.min})`);
      return;
    }
    if (role.kind === "reserved" && type.kind === "bytes") this.strictly(field, here, String(field.size.min));
    if (
      type.kind === "int" &&
      isWideNumber(type.int) &&
      role.kind !== "reserved" &&
      closedEnumOf(type) === undefined
    ) {
      const local = this.body.context.local(field);
      this.body.out.line(
        code`${this.kept.declaration(field)}${writtenOut(type.int, "view", here, this.body.context)};`,
      );
      this.unproven.push({ field, inexact: isInexact(type.int, local), here });
      return;
    }
    // What is nested may be given numbers of this run.
    if (type.kind !== "int") this.prove(at);
    const value =
      type.kind === "array"
        ? this.fixed.elements(
            type,
            String(constantCount(type)),
            at,
            offset,
            field.name,
            this.kept.listOf(field),
          )
        : this.fixed.value(type, at, offset, field.name);
    if (role.kind === "reserved" && type.kind === "int") {
      this.reservedInteger(field, value, here);
      return;
    }
    this.kept.keep(field, value);
  }

  /** Reserved bytes that are kept though they be zero. */
  strictly(field: Field, at: Part, size: Part): void {
    this.body.out.when(
      code`reader.strict && !reader.isZero(${at}, ${size})`,
      code`throw reader.error("reserved", ${JSON.stringify(field.name)}, ${at});`,
    );
  }

  private reservedInteger(field: Field, value: Part, here: Part): void {
    const local = this.body.context.local(field);
    const zero = literal(0n, repOf(field));
    this.body.out.line(code`${this.kept.declaration(field)}${value};`);
    this.body.out.when(
      `reader.strict && ${local} !== ${zero}`,
      code`throw reader.error("reserved", ${JSON.stringify(field.name)}, ${here});`,
    );
  }

  private bits(slot: Slot & { kind: "bits" }, at: string): void {
    const { out, context } = this.body;
    const unsigned = { ...slot.int, signed: false };
    const here = place(at, slot.offset);
    let container: (field: Field) => Part;
    let width = slot.int.bits;
    if (isHalved(slot)) {
      const halves = new Map<boolean, string>();
      container = ({ type }) => {
        const shift = type.kind === "bits" ? type.shift : 0;
        const known = halves.get(shift >= 32);
        if (known !== undefined) return known;
        const half = this.body.variables.claim(shift >= 32 ? "high" : "low");
        halves.set(shift >= 32, half);
        out.line(
          code`const ${half} = view.getUint32(${halfPlace(slot, shift, at, context)}, ${context.order(slot.int.order)});`,
        );
        return half;
      };
      width = 32;
    } else {
      const bits = this.body.variables.claim("bits");
      const int = slot.int.bits === 64 ? { ...unsigned, rep: "bigint" as const } : unsigned;
      out.line(code`const ${bits} = ${rawInteger(int, "view", here, context)};`);
      container = () => bits;
    }
    for (const field of slot.fields) {
      const value = extract(field, container(field), width);
      this.bitField(field, value, here);
    }
  }

  private bitField(field: Field, value: Part, here: Part): void {
    const { type, role } = field;
    if (type.kind !== "bits") return;
    if (role.kind === "reserved") {
      this.reservedInteger(field, value, here);
      return;
    }
    this.kept.keep(field, this.fixed.guarded(type, value, here, field.name));
  }
}
