/** Values where they lie: how they are read, and how they are written. */
import type { Field, FieldType, IntType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import { constantCount } from "../constant-size.js";
import { literal } from "../expressions.js";
import { halfPlace, isHalved, isWideNumber, rawInteger, writeInteger } from "../integers.js";
import { rawValue } from "../memory.js";
import { closedEnumOf, valueType } from "../types.js";
import { misfits } from "../write/fits.js";
import { grouped, type Member, readOnly, throwError, type ViewBody } from "./members.js";
import type { Place } from "./places.js";

export type Scalar = FieldType & { readonly kind: "int" | "bits" };

export class ViewValues {
  private readonly view: ViewBody;

  constructor(view: ViewBody) {
    this.view = view;
  }

  /** The value of an integer or of bits, with what the type says about it checked again. */
  scalarAt({ field, place: at }: Member): Part {
    if (field.type.kind === "int" && isWideNumber(field.type.int))
      return this.wide(field.type.int, at.start, field);
    const value = rawValue({ field, ...at, orders: this.view.places.orders }, "this.$view");
    if (closedEnumOf(field.type) === undefined) return value;
    return ["(", value, ") as ", valueType(field.type, this.view.context.module)];
  }

  private wide(int: IntType, at: Part, field: Field): Part {
    const where = `${JSON.stringify(field.name)}, ${SCHEMA_FILE}, ${field.line}`;
    return code`this.$${int.signed ? "s64" : "u64"}(${at}, ${this.view.places.order(int.order)}, ${where})`;
  }

  setter(member: Member, type: Scalar): void {
    const { out, context } = this.view;
    const { field, name, place: at } = member;
    if (readOnly(field) !== undefined) return;
    out.block(code`set ${name}(value: ${valueType(type, context.module)})`, () => {
      this.refuseAbsent(member);
      this.store(field, at, at.start);
    });
  }

  private refuseAbsent({ field, place: at }: Member): void {
    if (at.absent === undefined) return;
    const why = at.chosenBy === undefined ? "unexpected" : "case";
    this.view.out.when(at.absent, throwError(why, field, "this.$at"));
  }

  /** Statements that check `value` and write it. */
  store(field: Field, { bits }: Place, at: Part, type: FieldType = field.type): void {
    const { out, context, places } = this.view;
    if (type.kind !== "int" && type.kind !== "bits") throw new Error(`${field.name} cannot be set`);
    out.when(misfit(type), throwError("range", field, at, "String(value)"));
    const closed = closedEnumOf(type);
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(value)`,
        throwError("enum", field, at, "String(value)"),
      );
    }
    if (type.kind === "int") {
      out.line(writeInteger(type.int, "this.$view", at, "value", places.orders));
      return;
    }
    if (bits === undefined) throw new Error(`${field.name} has no container`);
    const slot = { ...bits, offset: 0 };
    const { shift, width } = type;
    if (isHalved(slot)) {
      const half = { ...slot.int, signed: false, bits: 32 } as const;
      out.line("const at = ", halfPlace(slot, shift, at, places.orders), ";");
      out.line(
        writeInteger(
          half,
          "this.$view",
          "at",
          merged(rawInteger(half, "this.$view", "at", places.orders), 32, shift % 32, width),
          places.orders,
        ),
      );
      return;
    }
    const rep = slot.int.bits === 64 ? "bigint" : "number";
    const whole = { ...slot.int, signed: false, rep } as const;
    const old = rawInteger(whole, "this.$view", at, places.orders);
    const value = rep === "bigint" ? mergedExact(old, type) : merged(old, slot.int.bits, shift, width);
    out.line(writeInteger(whole, "this.$view", at, value, places.orders));
  }

  textSetter(member: Member, type: FieldType & { readonly kind: "text" }): void {
    const { out, context } = this.view;
    const { field, name, place: at } = member;
    out.block(`set ${name}(value: string)`, () => {
      this.refuseAbsent(member);
      const write = context.module.runtime("writeText");
      out.when(
        code`!${write}(this.$reader.bytes, ${at.start}, ${constantCount(type)}, value)`,
        throwError("range", field, at.start, `\`needs up to ${constantCount(type)} characters of one byte\``),
      );
    });
  }

  /** A value that is no bit field. `end` bounds what a view of it may look at. */
  valueAt(type: FieldType, start: Part, end: Part, field: Field): Part {
    const { context, places } = this.view;
    switch (type.kind) {
      case "int": {
        if (isWideNumber(type.int)) return this.wide(type.int, start, field);
        const value = rawInteger(type.int, "this.$view", start, places.orders);
        return closedEnumOf(type) === undefined ? value : [value, " as ", valueType(type, context.module)];
      }
      case "bytes":
        return code`this.$bytes(${start}, ${end})`;
      case "text": {
        const read = context.module.runtime(type.padded ? "readPaddedText" : "readText");
        const size =
          type.count.kind === "const" ? String(type.count.value) : code`${end} - ${grouped(start)}`;
        return code`${read}(this.$reader.bytes, ${start}, ${size})`;
      }
      case "struct": {
        const view = context.module.feature("view", type.struct);
        return code`new ${view}(this.$within(${end}), ${start}${places.argumentsOf(type.args)})`;
      }
      default:
        throw new Error(`${field.name} is read element by element`);
    }
  }
}

/** A condition that is true when `value` cannot be written. NaN and fractions cannot. */
function misfit(type: Scalar): Part {
  if (type.kind === "int") return misfits(type.int, type.int.bits, "value");
  return misfits({ ...type.int, signed: false }, type.width, "value");
}

/** The container with some of its bits replaced by `value`. DataView drops what is above the container. */
function merged(old: Part, bits: number, shift: number, width: number): Part {
  if (width === bits) return "value";
  const mask = (1n << BigInt(width)) - 1n;
  const others = ((1n << BigInt(bits)) - 1n) ^ (mask << BigInt(shift));
  const placed = shift === 0 ? "value" : `(value << ${shift})`;
  return code`(${old} & ${literal(others, "number", 16)}) | ${placed}`;
}

function mergedExact(old: Part, type: FieldType & { readonly kind: "bits" }): Part {
  const { shift, width, int } = type;
  const value = int.rep === "bigint" ? "value" : "BigInt(value)";
  if (width === 64) return value;
  const mask = (1n << BigInt(width)) - 1n;
  const others = ((1n << 64n) - 1n) ^ (mask << BigInt(shift));
  const placed = shift === 0 ? value : `(${value} << ${shift}n)`;
  return code`(${old} & ${literal(others, "bigint", 16)}) | ${placed}`;
}
