/** What the members of one struct share while they are checked: visible names, known bounds, byte order. */
import type { StructDraft } from "./draft.js";
import type { Surroundings } from "./expressions.js";
import { assuming, type Facts, NO_FACTS, valuesKnown } from "./facts.js";
import type { Expr, Field, Interval, Order, Param } from "./ir.js";
import { intType, type Scalar } from "./scalars.js";
import type { Scope } from "./scope.js";
import { naturalRange } from "./sizes.js";
import type { Name, OrderName } from "./syntax.js";

export class StructContext {
  readonly scope: Scope;
  readonly struct: StructDraft;
  private readonly orderName: OrderName;
  private readonly params: readonly Param[];
  /** Fields that can be referred to, innermost block last. */
  private readonly visible: Map<string, Field>[] = [];
  private narrowed: ReadonlyMap<Field, Interval> = new Map();
  private facts: Facts = NO_FACTS;
  private implicitOrder: Param | undefined;

  constructor(scope: Scope, struct: StructDraft, order: OrderName, params: readonly Param[]) {
    this.scope = scope;
    this.struct = struct;
    this.orderName = order;
    this.params = params;
  }

  /** Runs `check` in a block of its own: what is declared in it cannot be seen after it. */
  inBlock<T>(check: () => T): T {
    this.visible.push(new Map());
    const made = check();
    this.visible.pop();
    return made;
  }

  /**
   * Runs `check` where more is known, and forgets what it has learnt: a constraint in a branch says nothing about values
   * that do not take it. `learn` is given what is known so far.
   */
  knowing<T>(learn: (facts: Facts) => Facts, check: () => T): T {
    const { facts, narrowed } = this;
    this.facts = learn(facts);
    const made = check();
    this.facts = facts;
    this.narrowed = narrowed;
    return made;
  }

  /** All that an expression can be here, where the conditions around say so much. */
  valuesOf(expr: Expr): ReadonlySet<bigint> | undefined {
    return valuesKnown(this.facts, expr);
  }

  see(field: Field): void {
    this.visible[this.visible.length - 1]?.set(field.name, field);
  }

  /** Declared parameters: the implicit byte order gets out of the way of fields. */
  hasParam(name: string): boolean {
    return this.params.some((param) => param.name === name);
  }

  private lookup(name: string): Field | undefined {
    for (let i = this.visible.length - 1; i >= 0; i--) {
      const field = this.visible[i]?.get(name);
      if (field) return field;
    }
    return undefined;
  }

  /** What an expression at this place can refer to. */
  around(ahead: "nothing" | "remaining" | "peek" = "nothing"): Surroundings {
    return {
      field: (name) => this.lookup(name),
      param: (name) => this.params.find((param) => param.name === name),
      rangeOf: (field) => this.narrowed.get(field) ?? naturalRange(field.type),
      facts: this.facts,
      remaining: ahead !== "nothing",
      // A push parser is given chunks, so what follows may not be there yet.
      peek:
        ahead === "peek" && !this.struct.stream
          ? (scalar) => intType(scalar, this.intOrder(scalar))
          : undefined,
    };
  }

  /** `chosen`: what stands after `in`. `native`: whether there is anything of native order to choose it for. */
  orderOf(chosen: Name | undefined, native: boolean): Order | undefined {
    if (!chosen) return native ? this.structOrder() : "little";
    if (!native) {
      this.scope.error(
        "no-order",
        chosen.span,
        "there is nothing of native order here to choose an order for",
      );
      return undefined;
    }
    if (chosen.text === "little" || chosen.text === "big") return chosen.text;
    if (chosen.text === "native") return this.structOrder();
    const param = this.params.find((candidate) => candidate.name === chosen.text);
    if (param?.type.kind === "order") return param;
    const message = `\`${chosen.text}\` is not a byte order: little, big, native or a parameter of type \`order\``;
    this.scope.error("unknown-name", chosen.span, message);
    return undefined;
  }

  /** Asks for the order of the struct only where it matters: asking gives the struct a parameter. */
  private intOrder(scalar: Scalar): Order {
    return scalar.order === "struct" ? this.structOrder() : "little";
  }

  structOrder(): Order {
    if (this.orderName !== "native") return this.orderName;
    if (!this.implicitOrder) {
      this.implicitOrder = { name: "order", type: { kind: "order" }, implicit: true };
      this.struct.params = [...this.struct.params, this.implicitOrder];
    }
    return this.implicitOrder;
  }

  /** Learns the bounds that a constraint gives to a field, so that arithmetic after it is known to be safe. */
  narrow(condition: Expr): void {
    this.facts = assuming(this.facts, condition, true);
    this.narrowRange(condition);
  }

  private narrowRange(condition: Expr): void {
    if (condition.kind !== "binary") return;
    const { left, right, op } = condition;
    if (op === "&&") {
      this.narrowRange(left);
      this.narrowRange(right);
      return;
    }
    const field = left.kind === "field" && left.path.length === 1 ? left.path[0] : undefined;
    if (!field || right.kind !== "int") return;
    const range = this.narrowed.get(field) ?? naturalRange(field.type);
    const { value } = right;
    const bounds: Partial<Record<typeof op, Interval>> = {
      "<": { min: range.min, max: value - 1n },
      "<=": { min: range.min, max: value },
      ">": { min: value + 1n, max: range.max },
      ">=": { min: value, max: range.max },
      "==": { min: value, max: value },
    };
    const bound = bounds[op];
    if (!bound) return;
    this.narrowed = new Map(this.narrowed).set(field, {
      min: bound.min > range.min ? bound.min : range.min,
      max: bound.max < range.max ? bound.max : range.max,
    });
  }
}
