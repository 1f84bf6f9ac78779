/** What expressions can refer to while a struct is read. */
import type { Field, IntType, Order, Param } from "../schema/ir.js";
import type { Scope } from "./evaluate.js";

/** What lies behind the place that the interpreter has come to. */
interface Ahead {
  left(): number;
  integer(size: number, little: boolean, signed: boolean): bigint;
}

/** What expressions can refer to in one struct. */
export class Frame implements Scope {
  readonly values = new Map<Field, bigint>();
  readonly nested = new Map<Field, Frame>();
  /** Where the fields begin. */
  readonly places = new Map<Field, number>();
  readonly start: number;
  private readonly params: ReadonlyMap<Param, bigint>;
  private readonly ahead: Ahead;

  constructor(params: ReadonlyMap<Param, bigint>, start: number, ahead: Ahead) {
    this.params = params;
    this.start = start;
    this.ahead = ahead;
  }

  field(path: readonly Field[]): bigint {
    const [first, ...rest] = path;
    if (first === undefined) return 0n;
    // Extensible reading leaves members out, and what is not there counts as zero.
    if (rest.length === 0) return this.values.get(first) ?? 0n;
    return this.nested.get(first)?.field(rest) ?? 0n;
  }

  param(param: Param): bigint {
    return this.params.get(param) ?? 0n;
  }

  remaining(): bigint {
    return BigInt(this.ahead.left());
  }

  peek(int: IntType): bigint {
    return this.ahead.integer(int.bits / 8, this.isLittle(int.order), int.signed);
  }

  isLittle(order: Order): boolean {
    return typeof order === "string" ? order === "little" : this.param(order) !== 0n;
  }
}

/** A field where it stands: the name that faults and leaves give it, and how it is to be taken. */
export interface Subject {
  readonly field: Field;
  readonly path: string;
  readonly frame: Frame;
}
