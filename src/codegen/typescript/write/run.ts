/** Runs: room is made for all of it, and everything goes to a constant place. */
import type { Field, IntType, RunNode, Slot } from "../../../schema/ir.js";
import { code, join, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { literal } from "../expressions.js";
import { place, writeInteger } from "../integers.js";
import { wholeOf } from "../subject.js";
import { closedEnumOf } from "../types.js";
import type { DerivedFields } from "./derived.js";
import { checkFits, checkMember, fitOf, givenNumber } from "./fits.js";
import { type FixedWriter, writeReserved } from "./fixed.js";
import type { Presence } from "./presence.js";

export class RunWriter {
  private readonly body: Body;
  private readonly derived: DerivedFields;
  private readonly presence: Presence;
  private readonly fixed: FixedWriter;
  private readonly places: Map<Field, Part>;

  /** `places`: where fields lie, for errors. */
  constructor(
    body: Body,
    derived: DerivedFields,
    presence: Presence,
    fixed: FixedWriter,
    places: Map<Field, Part>,
  ) {
    this.body = body;
    this.derived = derived;
    this.presence = presence;
    this.fixed = fixed;
    this.places = places;
  }

  slots(run: RunNode, at: string, view: string): void {
    for (const slot of run.slots) {
      for (const field of fieldsOfSlot(slot)) this.prepare(field, place(at, slot.offset));
    }
    const fits = run.slots.flatMap((slot) =>
      fieldsOfSlot(slot)
        .filter((field) => !this.derived.isPending(field))
        .flatMap((field) => fitOf(this.body.context, field, slot.offset)),
    );
    checkFits(this.body, fits, at);
    for (const slot of run.slots) {
      for (const field of fieldsOfSlot(slot)) this.checkClosed(field, place(at, slot.offset));
    }
    for (const slot of run.slots) {
      if (slot.kind === "bits") this.body.out.line(this.container(slot, at, view));
      else this.slot(slot.field, at, slot.offset, view);
    }
  }

  private checkClosed(field: Field, at: Part): void {
    const closed = closedEnumOf(field.type);
    if (closed === undefined || field.role.kind === "constant") return;
    const given = givenNumber(this.body.context, field);
    checkMember(this.body, closed, given, JSON.stringify(field.name), at, field.line);
  }

  private slot(field: Field, at: string, offset: number, view: string): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (type.kind === "int") {
      if (this.derived.isPending(field) && this.derived.isAlwaysPatched(field)) return;
      this.body.out.line(writeInteger(type.int, view, here, this.number(field, type.int), this.body.context));
      return;
    }
    const local = this.body.context.local(field);
    if (role.kind === "reserved" && type.kind === "bytes") {
      writeReserved(this.body, field, here, String(field.size.min));
      return;
    }
    this.fixed.value(type, local, at, offset, view, wholeOf(field));
  }

  private container(slot: Slot & { kind: "bits" }, at: string, view: string): Part {
    const big = slot.int.bits === 64;
    const parts = slot.fields.map((field): Part => {
      if (field.type.kind !== "bits") throw new Error(`${field.name} is not a bit field`);
      const { shift, int } = field.type;
      const value = this.number(field, int);
      const wide = big && int.rep === "number" ? code`BigInt(${value})` : value;
      return shift === 0 ? wide : code`(${wide} << ${shift}${big ? "n" : ""})`;
    });
    // DataView takes the low 32 bits, so a sign that came from the shift does no harm.
    const int: IntType = { ...slot.int, signed: false, rep: big ? "bigint" : "number" };
    return writeInteger(int, view, place(at, slot.offset), join(parts, " | "), this.body.context);
  }

  /** Makes sure that there is a value to write. */
  private prepare(field: Field, at: Part): void {
    this.places.set(field, at);
    if (field.conditional && field.role.kind === "value")
      this.presence.missing(field, field.name, field.line);
    this.derived.prepare(field, at);
  }

  /** What is written for a number: a zero as long as it is not known. */
  private number(field: Field, int: IntType): Part {
    if (field.role.kind === "constant") return literal(field.role.value, int.rep, 16);
    if (this.derived.isPending(field)) return literal(0n, int.rep);
    return givenNumber(this.body.context, field);
  }
}

function fieldsOfSlot(slot: Slot): readonly Field[] {
  return slot.kind === "bits" ? slot.fields : [slot.field];
}
