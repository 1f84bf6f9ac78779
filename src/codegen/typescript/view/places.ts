/**
 * Where a view finds the fields of a struct: at a constant offset, or at a place that was found when the view was aimed
 * and is kept in a private field of the class.
 */
import type {
  Argument,
  Arm,
  Field,
  IntType,
  Node,
  Order,
  Param,
  RunNode,
  Struct,
  SwitchNode,
} from "../../../schema/ir.js";
import { allNodes } from "../../../schema/structure.js";
import { armsOf } from "../../members.js";
import { camelCase, PROTOTYPE_NAMES, Scope } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import { isConstantSize } from "../constant-size.js";
import type { StructContext } from "../context.js";
import { type Environment, expression } from "../expressions.js";
import { type Orders, place, rawInteger } from "../integers.js";
import { type BitsSlot, descend, rawValue } from "../memory.js";

/** Where one field lies. Expressions that can stand in any method of the class. */
export interface Place {
  /** Index of the first byte: `offset` behind `base`. */
  readonly start: Part;
  readonly base: Part;
  readonly offset: number;
  /** Index after the last byte, where it is not a constant distance away. */
  readonly end: Part | undefined;
  /** A condition that is true when the value lacks the field. */
  readonly absent: Part | undefined;
  /** The switch that chose the field, if it is an arm. */
  readonly chosenBy: SwitchNode | undefined;
  /** The bits of the container, for a bit field. */
  readonly bits: BitsSlot | undefined;
  /** The private list of the starts of elements that vary in size. */
  readonly starts: string | undefined;
}

interface Memo {
  readonly name: string;
  readonly type: Part | undefined;
  readonly initial: string;
}

/** What surrounds a node: whether it may be absent, and the arm that it belongs to. */
interface Around {
  readonly conditional: boolean;
  readonly arm: { readonly node: SwitchNode; readonly name: string } | undefined;
}

export class ViewPlaces implements Environment {
  readonly struct: Struct;
  readonly context: StructContext;
  /** How byte orders are printed in methods of the class. */
  readonly orders: Orders;
  private readonly names = new Scope(PROTOTYPE_NAMES);
  private readonly params = new Map<Param, string>();
  private readonly memos: Memo[] = [];
  private readonly places = new Map<Field, Place>();
  /** The private fields that locating sets, by the node that they belong to. */
  private readonly starts = new Map<RunNode | Field | SwitchNode, string>();
  private readonly ends = new Map<Field | SwitchNode, string>();
  private readonly cases = new Map<SwitchNode, string>();

  constructor(struct: Struct, context: StructContext) {
    this.struct = struct;
    this.context = context;
    this.orders = { module: context.module, order: (order) => this.order(order) };
    for (const param of struct.params) this.params.set(param, this.names.claim(context.local(param)));
    this.nodes(struct.nodes, { conditional: false, arm: undefined });
  }

  of(field: Field): Place {
    const found = this.places.get(field);
    if (found === undefined) throw new Error(`no place was found for ${field.name}`);
    return found;
  }

  /** The private field that holds the name of the chosen case; undefined in it when the switch is absent. */
  caseOf(node: SwitchNode): Part {
    return `this.#${this.cases.get(node)}`;
  }

  field([first, ...others]: readonly Field[]): Part {
    if (first === undefined) throw new Error("a field path is never empty");
    const value = rawValue(
      descend({ field: first, ...this.of(first), orders: this.orders }, others),
      "this.$view",
    );
    // Bits are shifted and masked, which binds less tightly than what may stand beside them.
    return (others[others.length - 1] ?? first).type.kind === "bits" ? ["(", value, ")"] : value;
  }

  param(param: Param): Part {
    return `this.#${this.params.get(param)}`;
  }

  remaining(): Part {
    return "reader.end - reader.at";
  }

  peek(int: IntType): Part {
    return rawInteger(int, "reader.view", "reader.at", this.orders);
  }

  order(order: Order): string {
    if (order === "little") return "true";
    if (order === "big") return "false";
    return `this.#${this.params.get(order)}`;
  }

  /** The arguments of a nested struct, each after a comma. */
  argumentsOf(args: readonly Argument[]): Part {
    return args.map((argument) =>
      argument.kind === "order" ? `, ${this.order(argument.order)}` : [", ", expression(argument.expr, this)],
    );
  }

  /** The private field that holds where a part begins, if there is one. */
  startOf(node: RunNode | Field | SwitchNode): string | undefined {
    return this.starts.get(node);
  }

  /** The private field that holds where a part ends, if there is one. */
  endOf(node: Field | SwitchNode): string | undefined {
    return this.ends.get(node);
  }

  /** Whether there is anything to be found when the view is aimed. */
  get hasMemos(): boolean {
    return this.memos.length > 0;
  }

  /** The private fields of the class. */
  printFields(out: Printer): void {
    for (const param of this.struct.params) {
      out.line(code`readonly #${this.params.get(param) ?? ""}: ${this.context.parameterType(param)};`);
    }
    for (const { name, type, initial } of this.memos) {
      out.line(code`#${name}${type === undefined ? "" : [": ", type]} = ${initial};`);
    }
  }

  printParams(out: Printer): void {
    for (const param of this.struct.params)
      out.line(`this.#${this.params.get(param)} = ${this.context.local(param)};`);
  }

  /** The parameters, handed on to the scanner. */
  passedOn(): Part {
    return this.struct.params.map((param) => `, this.#${this.params.get(param)}`);
  }

  /** Forgets what was found before. */
  printReset(out: Printer): void {
    for (const { name, initial } of this.memos) {
      if (initial === "[]") out.line(`this.#${name}.length = 0;`);
      else if (initial === "-1" || initial === "undefined") out.line(`this.#${name} = ${initial};`);
    }
  }

  private memo(name: string, initial: string, type?: Part): string {
    const claimed = this.names.claim(name);
    this.memos.push({ name: claimed, initial, type });
    return claimed;
  }

  private nodes(nodes: readonly Node[], around: Around): void {
    for (const node of nodes) {
      switch (node.kind) {
        case "run":
          this.run(node, around);
          break;
        case "field":
          this.fieldNode(node.field, around);
          break;
        case "range":
          this.nodes(node.body, around);
          break;
        case "if":
          this.nodes(node.then, { ...around, conditional: true });
          this.nodes(node.else, { ...around, conditional: true });
          break;
        case "optional":
          this.nodes(node.body, { ...around, conditional: true });
          break;
        case "switch":
          this.switch(node, around);
          break;
        case "where":
          break;
      }
    }
  }

  private run(run: RunNode, around: Around): void {
    const [first] = run.slots;
    const firstField = first?.kind === "field" ? first.field : first?.fields[0];
    if (firstField === undefined) return;
    const [base, from, absent] = this.begin(run, firstField, run.offset, around);
    for (const slot of run.slots) {
      const offset = from + slot.offset;
      const shared = {
        start: place(base, offset),
        base,
        offset,
        end: undefined,
        absent,
        chosenBy: around.arm?.node,
        starts: undefined,
      };
      if (slot.kind === "field") this.places.set(slot.field, { ...shared, bits: undefined });
      else for (const field of slot.fields) this.places.set(field, { ...shared, bits: slot });
    }
  }

  private fieldNode(field: Field, around: Around): void {
    const { arm, conditional } = around;
    const varies = field.type.kind === "array" && !isConstantSize(field.type.elementSize);
    // Each element of varying size has a start of its own: that of the first is not needed besides.
    const isListed = varies && !conditional && arm === undefined;
    const [base, offset, absent] = isListed
      ? ["this.$at", 0, undefined]
      : this.begin(field, field, field.offset, around);
    const name = arm === undefined ? camelCase(field.name) : `${camelCase(arm.node.name)}$${arm.name}`;
    const end = arm === undefined ? this.memo(`${name}End`, "0") : this.ends.get(arm.node);
    if (end === undefined) throw new Error(`no end was kept for ${field.name}`);
    if (arm === undefined) this.ends.set(field, end);
    const starts = varies ? this.memo(`${name}Starts`, "[]", "number[]") : undefined;
    const start = place(base, offset);
    this.places.set(field, {
      start,
      base,
      offset,
      end: `this.#${end}`,
      absent,
      chosenBy: arm?.node,
      bits: undefined,
      starts,
    });
  }

  /** Where a node begins, and the condition under which it is not there. */
  private begin(
    node: RunNode | Field,
    first: Field,
    offset: number | undefined,
    around: Around,
  ): [Part, number, Part | undefined] {
    const { arm, conditional } = around;
    if (arm !== undefined) {
      const absent = code`${this.caseOf(arm.node)} !== ${JSON.stringify(arm.name)}`;
      // A switch that may be absent has no constant place when it is there, as far as the class knows.
      if (offset !== undefined && !conditional) return ["this.$at", offset, absent];
      return [`this.#${this.starts.get(arm.node)}`, 0, absent];
    }
    if (offset !== undefined && !conditional) return ["this.$at", offset, undefined];
    const start = this.memo(`${camelCase(first.name)}At`, conditional ? "-1" : "0");
    this.starts.set(node, start);
    return [`this.#${start}`, 0, conditional ? `this.#${start} < 0` : undefined];
  }

  private switch(node: SwitchNode, { conditional }: Around): void {
    const name = camelCase(node.name);
    const arms = armsOf(node);
    const type = [this.context.module.union(node), `["case"]`];
    const [first] = arms;
    const chosen = first === undefined ? "undefined" : this.context.caseName(first.from ?? fieldOf(first));
    this.cases.set(
      node,
      conditional || first === undefined
        ? this.memo(`${name}Case`, "undefined", [type, " | undefined"])
        : this.memo(`${name}Case`, JSON.stringify(chosen), type),
    );
    const fields = arms.flatMap(({ field }) => (field === undefined ? [] : [field]));
    if (conditional || fields.some((field) => field.offset === undefined))
      this.starts.set(node, this.memo(`${name}At`, "0"));
    if (allNodes([node]).some((each) => each.kind === "field"))
      this.ends.set(node, this.memo(`${name}End`, "0"));
    for (const { from, arm } of chosenArms(node)) {
      this.nodes(arm.nodes, { conditional, arm: { node, name: this.context.caseName(from ?? arm.field) } });
    }
  }
}

/** The arms that hold something, with the case that chooses them: none for that of the default. */
function chosenArms(
  node: SwitchNode,
): { readonly from: SwitchNode["cases"][number] | undefined; readonly arm: Arm }[] {
  const arms = node.cases.flatMap((from) => (from.arm === undefined ? [] : [{ from, arm: from.arm }]));
  return node.default.kind === "refuse" ? arms : [...arms, { from: undefined, arm: node.default.arm }];
}

function fieldOf({ field }: { readonly field: Field | undefined }): Field {
  if (field === undefined) throw new Error("the arm of a default always has a field");
  return field;
}
