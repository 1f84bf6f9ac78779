/** Runs: what lies at constant places. Each field is shown if it is there, and checked if all of the run is. */
import type { Field, IntType, RunNode, Slot } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import { isCheckedRole, needsCheckOfBits } from "../checks.js";
import { constantCount } from "../constant-size.js";
import { literal } from "../expressions.js";
import { isInexact, isWideNumber, place, rawInteger } from "../integers.js";
import { type BitsSlot, rawValue } from "../memory.js";
import { closedEnumOf } from "../types.js";
import { type ArrayWalker, canFailIn } from "./arrays.js";
import type { WalkBody } from "./body.js";

/** The run that is being printed. */
interface Run {
  /** The variable that holds its place. */
  readonly at: string;
  /** The variable that says that all of it is there and nothing has been found wrong; none where nothing can be. */
  readonly sound: string | undefined;
  /** What to do where a slot does not fit. */
  readonly short: Part;
}

export class RunWalker {
  private readonly body: WalkBody;
  private readonly arrays: ArrayWalker;

  constructor(body: WalkBody, arrays: ArrayWalker) {
    this.body = body;
    this.arrays = arrays;
  }

  print(node: RunNode): void {
    const { out, context } = this.body;
    if (node.slots.length === 0) return;
    const at = this.body.declare(this.body.variables.claim("at"), "number", "reader.at");
    const short = code`return ${this.body.runtime("reportShort")}(reader, visitor, ${at}, ${context.leaves(node)}, ${SCHEMA_FILE});`;
    const sound = node.slots.some(canFail) ? this.body.variables.claim("sound") : undefined;
    const run: Run = { at, sound, short };
    if (sound !== undefined) out.line(`let ${sound} = ${node.size} <= reader.end - ${at};`);
    for (const slot of node.slots) {
      const fields = slot.kind === "bits" ? slot.fields : [slot.field];
      for (const field of fields) this.body.places.set(field, place(at, slot.offset));
      const missing = `${slot.offset + slot.size} > reader.end - ${at}`;
      const composed =
        slot.kind === "field" && (slot.field.type.kind === "struct" || slot.field.type.kind === "array");
      // What is composed shows those of its parts that are whole.
      if (!composed) out.when(missing, short);
      if (slot.kind === "bits") this.bits(slot, run);
      else this.slot(slot, run);
      if (composed) out.when(missing, short);
      if (slot.kind === "field" && slot.field.type.kind === "struct")
        this.body.declareNested(slot.field, at, slot.offset);
    }
    out.line(`reader.at = ${at} + ${node.size};`);
    if (sound !== undefined) out.when(`!${sound}`, "return false;");
  }

  private slot({ field, offset, size }: Slot & { readonly kind: "field" }, run: Run): void {
    const { out } = this.body;
    const { type } = field;
    const here = place(run.at, offset);
    switch (type.kind) {
      case "int":
        this.integer(field, type.int, rawInteger(type.int, "view", here, this.body.context), here, run);
        return;
      case "bits":
        throw new Error(`${field.name} is in no slot of its own`);
      case "bytes":
      case "text":
        out.line(
          code`visitor.field(${this.body.site(field)}, -1, ${here}, ${size}, ${this.body.blob(type, here, place(run.at, offset + size), size)});`,
        );
        break;
      case "struct":
      case "array": {
        const inner = this.body.variables.claim("inner");
        // What is wrong inside is news only if all of the run is there, and nothing before it is wrong.
        if (canFailIn(type))
          out.line(`const ${inner} = `, this.body.runtime("heeding"), `(reader, visitor, !${run.sound});`);
        out.line("reader.at = ", here, ";");
        if (type.kind === "struct") {
          out.line(code`visitor.open(${this.body.site(field)}, -1, ${here});`);
          const walk = this.body.context.module.feature("walk", type.struct);
          const call = code`${walk}(reader, ${inner}${this.body.context.arguments(type.args, this.body.env)})`;
          out.when(code`!${call}`, `${run.sound} = false;`);
          out.line("visitor.close(reader.at);");
        } else {
          const whole = this.body.variables.claim("whole");
          this.arrays.array(
            field,
            type,
            { field, whole, visitor: inner, bounded: true },
            `i < ${constantCount(type)}`,
          );
          out.when(`!${whole}`, `${run.sound} = false;`);
        }
        break;
      }
    }
    if (field.role.kind === "reserved") {
      this.check(
        run,
        code`reader.strict && !reader.isZero(${here}, ${size})`,
        this.body.failure("reserved", field.name, here, field.line),
      );
    }
  }

  /** A check of something in a run. The first that fails is the one that counts. */
  private check({ sound }: Run, wrong: Part, failure: Part): void {
    if (sound === undefined) throw new Error("a run in which nothing can be wrong is checked");
    this.body.out.when(code`${sound} && ${wrong}`, code`${sound} = ${failure};`);
  }

  /** An integer or a bit field of a run. `bits` is how the visitor is told about the latter. */
  private integer(field: Field, int: IntType, raw: Part, here: Part, run: Run, bits = ""): void {
    const { out, context } = this.body;
    const { role, type } = field;
    const wide = type.kind === "int" && isWideNumber(int);
    const closed = closedEnumOf(type);
    const local = context.local(field);
    const isUsed =
      this.body.referenced.fields.has(field) ||
      wide ||
      closed !== undefined ||
      role.kind === "constant" ||
      role.kind === "reserved";
    const value = isUsed ? this.body.declare(local, int.rep, raw) : raw;
    // Above 2^53 the number is not what lies there.
    const exact = code`${this.body.runtime(int.signed ? "exactS64" : "exactU64")}(view, ${here}, ${context.order(int.order)})`;
    const shown = wide ? exact : value;
    out.line(code`visitor.field(${this.body.site(field)}, -1, ${here}, ${int.bits / 8}, ${shown}${bits});`);
    const failure = (fault: string, detail: Part = ""): Part =>
      this.body.failure(fault, field.name, here, field.line, detail);
    if (wide) this.check(run, isInexact(int, value), failure("range"));
    if (role.kind === "constant") {
      const expected = literal(role.value, int.rep, 16);
      const where = code`${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line}`;
      const other = code`${this.body.runtime("otherConstant")}(reader, ${where}, ${expected}, ${value})`;
      this.check(
        run,
        code`${value} !== ${expected}`,
        code`${other} || ${this.body.runtime("report")}(reader, visitor)`,
      );
    }
    if (closed !== undefined) {
      this.check(
        run,
        code`!${context.module.feature("is", closed)}(${value})`,
        failure("enum", `String(${local})`),
      );
    }
    if (role.kind === "reserved") {
      this.check(
        run,
        code`reader.strict && ${value} !== ${int.rep === "bigint" ? "0n" : "0"}`,
        failure("reserved"),
      );
    }
  }

  private bits(slot: BitsSlot, run: Run): void {
    const here = place(run.at, slot.offset);
    for (const field of slot.fields) {
      if (field.type.kind !== "bits") continue;
      const { shift, width } = field.type;
      const int = { ...field.type.int, bits: slot.int.bits };
      const located = { field, base: run.at, offset: slot.offset, bits: slot, orders: this.body.context };
      this.integer(field, int, rawValue(located, "view"), here, run, `, ${shift}, ${width}`);
    }
  }
}

/** Whether anything but missing bytes can be wrong in a slot, or something in it has to be told that there is. */
function canFail(slot: Slot): boolean {
  if (slot.kind === "bits") return slot.fields.some(needsCheckOfBits);
  const { type, role } = slot.field;
  if (isCheckedRole(role.kind) || type.kind === "struct" || type.kind === "array") return true;
  return type.kind === "int" && (isWideNumber(type.int) || closedEnumOf(type) !== undefined);
}
