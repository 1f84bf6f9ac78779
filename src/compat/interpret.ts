/**
 * Decodes bytes by walking the IR, with no generated code: the compatibility check must run two versions of a schema
 * where nothing can be compiled and loaded, and an independent decoder is an oracle for the generated ones. The order
 * of the checks, the codes and the paths of faults are those of generated `check…` functions.
 */
import type {
  Argument,
  Count,
  Expr,
  Field,
  FieldType,
  IntType,
  Node,
  Param,
  RunNode,
  Slot,
  Struct,
  SwitchNode,
} from "../schema/ir.js";
import { looksAhead, partsOf } from "../schema/reads.js";
import { evaluate } from "./evaluate.js";
import { Frame, type Subject } from "./frame.js";
import { meaningOf } from "./meaning.js";
import type { Arguments, InterpretedFault, InterpretOptions, Leaf, Reading } from "./reading.js";

/** Reads the value at the start of the bytes. Bytes behind it are no fault: `size` tells how many there are. */
export function interpret(
  struct: Struct,
  bytes: Uint8Array,
  args: Arguments,
  options: InterpretOptions = {},
): Reading {
  return new Interpreter(bytes, options).run(struct, args);
}

/** The first thing that is wrong ends a reading. */
class Faulty extends Error {
  readonly fault: InterpretedFault;

  constructor(fault: InterpretedFault) {
    super(fault.code);
    this.fault = fault;
  }
}

/** Extensible reading: the range ends where a member would begin. */
class Ended extends Error {}

export class Interpreter {
  protected bytes: Uint8Array;
  protected at = 0;
  protected end: number;
  private readonly leaves: Leaf[] = [];
  private readonly extensible: boolean;
  private depth = 0;
  private prefix = "";
  private kept = 0;
  private optional = 0;

  constructor(bytes: Uint8Array, { extensible = false }: InterpretOptions = {}) {
    this.bytes = bytes;
    this.end = bytes.length;
    this.extensible = extensible;
  }

  run(struct: Struct, args: Arguments): Reading {
    const params = new Map(struct.params.map((param) => [param, args.get(param.name) ?? 0n]));
    let fault: InterpretedFault | undefined;
    try {
      this.struct(struct, params);
    } catch (error) {
      if (!(error instanceof Faulty)) throw error;
      fault = error.fault;
    }
    return { leaves: this.leaves, size: this.at, fault };
  }

  /** Called before an integer of a message is read. */
  protected beforeInteger(_subject: Subject, _int: IntType, _at: number): void {}

  /** Called before raw bytes of a message are read. */
  protected beforeBytes(_at: number, _size: number): void {}

  /** Whether a member may begin here that is only there when bytes are left. */
  protected hasMore(): boolean {
    return this.at < this.end;
  }

  /** Called where a value depends on how much is left. */
  protected beforeRest(_elementSize: number): void {}

  protected holds(condition: Expr, frame: Frame): boolean {
    return evaluate(condition, frame) !== 0n;
  }

  protected countOf(_field: Field, expr: Expr, frame: Frame): number {
    return Number(evaluate(expr, frame));
  }

  /** Reads what is inside a range of a length. */
  protected within(length: Expr, frame: Frame, subject: { name: string }, body: () => void): void {
    const size = Number(evaluate(length, frame));
    this.need(size, subject.name);
    this.bounded(size, subject.name, body);
  }

  protected bounded(size: number, name: string, body: () => void): void {
    const outer = this.end;
    this.end = this.at + size;
    this.depth++;
    body();
    if (this.at !== this.end) {
      if (!this.extensible) this.fail("trailing", name, this.at);
      this.at = this.end;
    }
    this.depth--;
    this.end = outer;
  }

  protected need(size: number, name: string): void {
    if (size > this.end - this.at) this.lacks(name, this.at);
  }

  protected fail(code: InterpretedFault["code"], name: string, offset: number): never {
    throw new Faulty({ code, path: this.pathOf(name), offset });
  }

  private lacks(name: string, offset: number): never {
    this.fail(this.depth > 0 ? "overrun" : "truncated", name, offset);
  }

  private pathOf(name: string): string {
    if (this.prefix === "" || name === "") return this.prefix + name;
    return `${this.prefix}.${name}`;
  }

  private struct(struct: Struct, params: ReadonlyMap<Param, bigint>): Frame {
    const frame = new Frame(params, this.at, {
      left: () => this.end - this.at,
      integer: (size, little, signed) => this.raw(this.at, size, little, signed),
    });
    if (!this.extensible) {
      this.nodes(struct.nodes, frame);
      return frame;
    }
    try {
      this.nodes(struct.nodes, frame);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
    return frame;
  }

  private nodes(nodes: readonly Node[], frame: Frame): void {
    for (const node of nodes) this.node(node, frame);
  }

  private node(node: Node, frame: Frame): void {
    switch (node.kind) {
      case "run":
        this.members(node, frame);
        break;
      case "field":
        this.field(node.field, frame);
        break;
      case "range":
        this.within(node.length, frame, node, () => this.nodes(node.body, frame));
        break;
      case "if":
        this.nodes(evaluate(node.condition, frame) !== 0n ? node.then : node.else, frame);
        break;
      case "optional":
        if (!this.hasMore()) break;
        this.optional++;
        this.nodes(node.body, frame);
        this.optional--;
        break;
      case "switch":
        this.choice(node, frame);
        break;
      case "where":
        if (!this.holds(node.condition, frame)) {
          const at = node.field === undefined ? frame.start : (frame.places.get(node.field) ?? this.at);
          this.fail("constraint", node.field?.name ?? "", at);
        }
        break;
    }
  }

  private members(run: RunNode, frame: Frame): void {
    const start = this.at;
    const had = this.end - start;
    if (run.size > had && !this.extensible) {
      const short = run.leaves.find(({ offset, size }) => offset + size > had);
      this.lacks(short?.path ?? "", start + (short?.offset ?? 0));
    }
    for (const slot of run.slots) {
      if (slot.size > this.end - this.at) {
        if (this.at === this.end && slot.size > 0) throw new Ended();
        if (slot.kind === "bits" || slot.field.type.kind !== "struct")
          this.lacks(slot.kind === "bits" ? (slot.fields[0]?.name ?? "") : slot.field.name, this.at);
      }
      if (slot.kind === "bits") this.bits(slot, frame);
      else this.value(slot.field.type, { field: slot.field, path: slot.field.name, frame });
    }
  }

  private bits(slot: Slot & { kind: "bits" }, frame: Frame): void {
    const at = this.at;
    for (const field of slot.fields) {
      frame.places.set(field, at);
      if (field.type.kind === "bits")
        this.beforeInteger({ field, path: field.name, frame }, { ...slot.int, signed: false }, at);
    }
    const container = this.raw(at, slot.size, frame.isLittle(slot.int.order), false);
    for (const field of slot.fields) {
      if (field.type.kind !== "bits") continue;
      const value = BigInt.asUintN(field.type.width, container >> BigInt(field.type.shift));
      this.integer({ field, path: field.name, frame }, field.type, value, at, slot.size);
    }
    this.at = at + slot.size;
  }

  /** A value whose room has been checked, unless it is variable and checks itself. */
  private value(type: FieldType, subject: Subject): void {
    if (subject.field.name === subject.path) subject.frame.places.set(subject.field, this.at);
    switch (type.kind) {
      case "int": {
        const size = type.int.bits / 8;
        const at = this.at;
        this.beforeInteger(subject, type.int, at);
        const value = this.raw(at, size, subject.frame.isLittle(type.int.order), type.int.signed);
        this.integer(subject, type, value, at, size);
        this.at = at + size;
        break;
      }
      case "bits":
        throw new Error(`${subject.path}: bits stand in a slot of bits`);
      case "struct":
        this.nested(type, subject);
        break;
      case "bytes":
      case "text":
        this.blob(type.count, subject);
        break;
      case "array":
        this.array(type, subject);
        break;
    }
  }

  private integer(
    subject: Subject,
    type: FieldType & { kind: "int" | "bits" },
    value: bigint,
    at: number,
    size: number,
  ): void {
    const { field, path, frame } = subject;
    if (
      type.kind === "int" &&
      type.int.bits === 64 &&
      type.int.rep === "number" &&
      !Number.isSafeInteger(Number(value))
    )
      this.fail("range", path, at);
    if (field.role.kind === "constant" && value !== field.role.value) this.fail("constant", path, at);
    const { meaning } = type;
    if (
      meaning?.kind === "enum" &&
      meaning.closed &&
      !meaning.members.some((each) => value >= each.value && value <= each.to)
    )
      this.fail("enum", path, at);
    if (field.name === path) frame.values.set(field, value);
    this.leaf(subject, at, size, value, meaningOf(meaning, value));
  }

  private leaf(
    { field, path }: Subject,
    at: number,
    size: number,
    value: Leaf["value"],
    names: readonly string[],
  ): void {
    const opaque = this.kept > 0 || field.role.kind === "reserved";
    this.leaves.push({
      path: this.pathOf(path),
      at,
      size,
      value,
      names,
      opaque,
      optional: this.optional > 0,
    });
  }

  private nested(type: FieldType & { kind: "struct" }, { field, path, frame }: Subject): void {
    const params = new Map(type.struct.params.map((param, i) => [param, argument(type.args[i], frame)]));
    const outer = this.prefix;
    this.prefix = this.pathOf(path);
    const inner = this.struct(type.struct, params);
    this.prefix = outer;
    if (field.name === path) frame.nested.set(field, inner);
  }

  /** A field of a size that is not constant. */
  private field(field: Field, frame: Frame): void {
    if (this.extensible && this.at === this.end && field.size.min > 0) throw new Ended();
    this.value(field.type, { field, path: field.name, frame });
  }

  private blob(count: Count, subject: Subject): void {
    const { field, frame } = subject;
    const at = this.at;
    if (count.kind === "while") {
      this.beforeRest(1);
      while (this.goesOn(count.condition, frame)) this.at++;
      this.at = at + this.take(at, this.at - at, subject);
      return;
    }
    if (count.kind === "rest") {
      this.beforeRest(1);
      this.at += this.take(at, this.end - at, subject);
      return;
    }
    const size = count.kind === "const" ? count.value : this.countOf(field, count.expr, frame);
    this.need(size, subject.path);
    this.at += this.take(at, size, subject);
  }

  private take(at: number, size: number, subject: Subject): number {
    this.beforeBytes(at, size);
    this.leaf(subject, at, size, this.bytes.slice(at, at + size), []);
    return size;
  }

  private array(type: FieldType & { kind: "array" }, subject: Subject): void {
    const { count, elementSize, element } = type;
    const { frame, path, field } = subject;
    const fixed = elementSize.min === elementSize.max;
    const one = (i: number): void => {
      const inside = { ...subject, path: `${path}[${i}]` };
      if (fixed) this.need(elementSize.min, inside.path);
      this.value(element, inside);
    };
    const rest = (): void => {
      if (fixed) {
        this.beforeRest(elementSize.min);
        const left = this.end - this.at;
        const whole = Math.floor(left / elementSize.min);
        if (left !== whole * elementSize.min)
          this.lacks(`${path}[${whole}]`, this.at + whole * elementSize.min);
      }
      for (let i = 0; this.hasMore(); i++) one(i);
    };
    switch (count.kind) {
      case "const":
      case "expr": {
        const size = count.kind === "const" ? count.value : this.countOf(field, count.expr, frame);
        this.need(size * elementSize.min, path);
        for (let i = 0; i < size; i++) one(i);
        break;
      }
      case "bytes":
        this.within(count.expr, frame, { name: path }, rest);
        break;
      case "rest":
        rest();
        break;
      case "while":
        this.beforeRest(elementSize.min);
        for (let i = 0; this.goesOn(count.condition, frame); i++) one(i);
        break;
    }
  }

  private goesOn(condition: Expr, frame: Frame): boolean {
    const looked = partsOf(condition).map((part) => (part.kind === "peek" ? part.int.bits / 8 : 1));
    return this.end - this.at >= Math.max(...looked) && evaluate(condition, frame) !== 0n;
  }

  private choice(node: SwitchNode, frame: Frame): void {
    if (looksAhead(node.on)) this.beforeRest(1);
    const tag = evaluate(node.on, frame);
    const chosen = node.cases.find(({ labels }) => labels.some(({ from, to }) => tag >= from && tag <= to));
    if (chosen !== undefined) {
      this.chose(node, chosen.name);
      if (chosen.arm !== undefined) this.nodes(chosen.arm.nodes, frame);
      return;
    }
    const other = node.default;
    if (other.kind === "refuse" || (other.kind === "skip" && evaluate(other.condition, frame) === 0n))
      this.fail("tag", node.name, this.at);
    this.kept++;
    this.chose(node, other.arm.field.name);
    this.nodes(other.arm.nodes, frame);
    this.kept--;
  }

  private chose(node: SwitchNode, name: string): void {
    this.leaves.push({
      path: this.pathOf(node.name),
      at: this.at,
      size: 0,
      value: name,
      names: [name],
      opaque: this.kept > 0,
      optional: this.optional > 0,
    });
  }

  private raw(at: number, size: number, little: boolean, signed: boolean): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++)
      value = (value << 8n) | BigInt(this.bytes[little ? at + size - 1 - i : at + i] ?? 0);
    return signed ? BigInt.asIntN(size * 8, value) : value;
  }
}

function argument(arg: Argument | undefined, frame: Frame): bigint {
  if (arg === undefined) return 0n;
  if (arg.kind === "expr") return evaluate(arg.expr, frame);
  return frame.isLittle(arg.order) ? 1n : 0n;
}
