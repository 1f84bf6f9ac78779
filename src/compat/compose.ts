/**
 * Makes up messages of a struct. The interpreter walks the struct as if it read one, and every integer is written just
 * before it is read; what counts or measures something is written when that is there.
 */
import type { Expr, Field, IntType, Node, Step, Struct } from "../schema/ir.js";
import { partsOf } from "../schema/reads.js";
import { allNodes, expressionsOfCount } from "../schema/structure.js";
import { evaluate } from "./evaluate.js";
import type { Frame, Subject } from "./frame.js";
import { Interpreter } from "./interpret.js";
import type { Arguments } from "./reading.js";

/** Decides what a message holds. */
export interface Choices {
  /** A value for an integer of `bits` bits; `small` when it says how much of something follows. */
  integer(subject: Subject, bits: number, small: boolean): bigint;
  /** A number of elements or bytes. */
  amount(): number;
  byte(): number;
  yes(): boolean;
}

/** Longer messages show nothing that short ones do not. */
const MAX_SIZE = 2048;

/** The bytes; undefined when the choices do not make a message. */
export function compose(struct: Struct, args: Arguments, choices: Choices): Uint8Array | undefined {
  const composer = new Composer(choices);
  try {
    const { fault } = composer.run(struct, args);
    return fault === undefined ? composer.written() : undefined;
  } catch (error) {
    if (error instanceof Unfit) return undefined;
    throw error;
  }
}

/** The choices led nowhere. */
class Unfit extends Error {}

class Composer extends Interpreter {
  private readonly choices: Choices;
  /** The range has no end yet: what is in it decides. */
  private open = true;
  /** Fields that are written when what they measure is there, and how. */
  private readonly pending = new Map<Field, (value: bigint) => void>();
  private readonly lengths = new Map<Struct, ReadonlySet<Field>>();

  constructor(choices: Choices) {
    super(new Uint8Array(MAX_SIZE));
    this.choices = choices;
  }

  written(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  protected override beforeInteger(subject: Subject, int: IntType, at: number): void {
    const { field, frame } = subject;
    const { role, type } = field;
    const bits = type.kind === "bits" ? type.width : int.bits;
    const place = (value: bigint): void => {
      if (BigInt.asUintN(bits, value) !== value && BigInt.asIntN(bits, value) !== value) throw new Unfit();
      const shift = type.kind === "bits" ? type.shift : 0;
      this.put(at, int.bits / 8, frame.isLittle(int.order), value, shift, bits);
      if (field.name === subject.path) frame.values.set(field, value);
    };
    if (role.kind === "constant") place(role.value);
    else if (role.kind === "derived") this.pending.set(field, place);
    else place(this.choices.integer(subject, bits, this.lengthsOf(field.struct).has(field)));
  }

  protected override beforeBytes(at: number, size: number): void {
    for (let i = at; i < at + size; i++) this.bytes[i] = this.choices.byte();
  }

  protected override hasMore(): boolean {
    if (!this.open) return super.hasMore();
    if (this.choices.yes()) return true;
    this.close(0);
    return false;
  }

  /** What is measured has not got its value yet; the message is read once more when it is whole. */
  protected override holds(): boolean {
    return true;
  }

  protected override beforeRest(elementSize: number): void {
    if (this.open) this.close(this.choices.amount() * elementSize);
  }

  protected override countOf(field: Field, expr: Expr, frame: Frame): number {
    const derived = this.measuring(field.struct, (of) => of.kind !== "range" && of.field === field);
    if (derived === undefined) return super.countOf(field, expr, frame);
    const count = this.choices.amount();
    this.settle(derived, count);
    return count;
  }

  protected override within(length: Expr, frame: Frame, subject: { name: string }, body: () => void): void {
    const derived = this.measuring(fieldOf(length)?.struct, ({ kind, ...of }) =>
      kind === "range"
        ? "range" in of && of.range === subject
        : "field" in of && of.field.name === subject.name,
    );
    if (derived === undefined) {
      const size = Number(evaluate(length, frame));
      this.need(size, subject.name);
      const wasOpen = this.open;
      this.open = false;
      this.bounded(size, subject.name, body);
      this.open = wasOpen;
      return;
    }
    const start = this.at;
    const outer = this.end;
    const wasOpen = this.open;
    this.open = true;
    body();
    if (!this.open && this.at !== this.end) throw new Unfit();
    this.open = wasOpen;
    this.end = outer;
    if (this.at > outer) throw new Unfit();
    this.settle(derived, this.at - start);
  }

  /** The field that is derived from something. */
  private measuring(
    struct: Struct | undefined,
    test: (of: (Field["role"] & { kind: "derived" })["of"]) => boolean,
  ): Field | undefined {
    return struct?.fields.find(({ role }) => role.kind === "derived" && test(role.of));
  }

  private settle(field: Field, measured: number): void {
    if (field.role.kind !== "derived") return;
    this.pending.get(field)?.(field.role.steps.reduce(applied, BigInt(measured)));
  }

  private close(size: number): void {
    if (size > this.end - this.at) throw new Unfit();
    this.open = false;
    this.end = this.at + size;
  }

  private put(at: number, size: number, little: boolean, value: bigint, shift: number, bits: number): void {
    const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
    const set = (value << BigInt(shift)) & mask;
    for (let i = 0; i < size; i++) {
      const index = little ? at + i : at + size - 1 - i;
      const clear = Number((mask >> BigInt(i * 8)) & 0xffn);
      this.bytes[index] = ((this.bytes[index] ?? 0) & ~clear) | Number((set >> BigInt(i * 8)) & 0xffn);
    }
  }

  /** Fields that say how much of something follows and stay in the value: large ones would ask for too much. */
  private lengthsOf(struct: Struct): ReadonlySet<Field> {
    let fields = this.lengths.get(struct);
    if (fields === undefined) {
      fields = new Set(allNodes(struct.nodes).flatMap(amountsIn).flatMap(partsOf).flatMap(namedIn));
      this.lengths.set(struct, fields);
    }
    return fields;
  }
}

function amountsIn(node: Node): readonly Expr[] {
  if (node.kind === "range") return [node.length];
  const fields = node.kind === "field" ? [node.field] : [];
  return fields.flatMap(({ type }) => ("count" in type ? expressionsOfCount(type.count) : []));
}

function namedIn(expr: Expr): readonly Field[] {
  return expr.kind === "field" ? expr.path.slice(-1) : [];
}

function fieldOf(expr: Expr): Field | undefined {
  return partsOf(expr).flatMap((part) => (part.kind === "field" ? part.path.slice(0, 1) : []))[0];
}

function applied(value: bigint, { op, by }: Step): bigint {
  switch (op) {
    case "add":
      return value + by;
    case "sub":
      return value - by;
    case "mul":
      return value * by;
    case "div":
      if (value % by !== 0n) throw new Unfit();
      return value / by;
  }
}
