/** `sizeof…` tells how many bytes encoding will take, so that it allocates once. */
import type {
  Argument,
  Expr,
  Field,
  FieldType,
  Node,
  RangeNode,
  Struct,
  SwitchNode,
} from "../../schema/ir.js";
import { looksAhead } from "../../schema/reads.js";
import { allNodes } from "../../schema/structure.js";
import { armsOf, isKept, type Member, presenceOf } from "../members.js";
import { code, join, type Part, type Printer } from "../printer.js";
import type { StructContext, Variables } from "./context.js";
import { type Environment, expression, literal } from "./expressions.js";
import { printFunction } from "./function.js";
import { easilyMeasured, measuredNumber, nestedProperty, repOf, stepped } from "./nested.js";

export function printSize(out: Printer, struct: Struct, context: StructContext): void {
  const { names } = context.module;
  const value = { name: "value", type: names.type(struct) };
  const name = names.of(struct, "sizeof");
  if (struct.fixed !== undefined) {
    out.doc([`The size of every \`${struct.name}\` in bytes.`]);
    out.line(`export const ${names.of(struct, "size")} = ${struct.fixed};`);
    out.blank();
  }
  const doc = ["How many bytes encoding the value takes."];
  const params = [value, ...context.parameters()];
  printFunction(out, { doc, exported: true, name, params, result: "number" }, () => {
    const lengths = lengthsOf(struct);
    const needed = lengths.length === 0 ? lengths : new StructSizer(out, context, lengths).needed();
    new StructSizer(out, context, needed).whole();
  });
}

/** How a struct that is held in another gets its size: a number, or a call. */
function sizeOfStruct(
  context: StructContext,
  struct: Struct,
  args: readonly Argument[],
  value: Part,
  env: Environment,
): Part {
  if (struct.fixed !== undefined) return String(struct.fixed);
  return code`${context.module.feature("sizeof", struct)}(${value}${context.arguments(args, env)})`;
}

class StructSizer {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly env: Environment;
  private readonly variables: Variables;
  /** Lengths that only adding up what they measure tells: the variables that hold them. */
  private readonly lengths = new Map<Field, string>();
  /** Those of them that something else depends on. */
  private readonly read = new Set<Field>();
  /** What an `if` around has found given. */
  private readonly found = new Set<Field | SwitchNode>();

  /** `lengths`: the derived fields that need variables. */
  constructor(out: Printer, context: StructContext, lengths: Iterable<Field>) {
    this.out = out;
    this.context = context;
    this.variables = context.variables();
    for (const field of lengths) this.lengths.set(field, context.local(field));
    this.env = {
      field: ([first, ...others]) => {
        if (first === undefined) throw new Error("a field path is never empty");
        const last = others[others.length - 1];
        if (last === undefined) return this.given(first);
        const holder = this.property(first);
        if (!first.conditional) return nestedProperty(context, holder, others);
        // It is there wherever this is printed, but the type of the value does not say so.
        const inner = nestedProperty(context, `${holder}?`, others);
        if (last.role.kind !== "value") return inner;
        return ["(", inner, ` ?? ${literal(0n, repOf(last))})`];
      },
      param: (param) => context.local(param),
      remaining: () => {
        throw new Error("what remains is not known on encode");
      },
    };
  }

  /** Those of the lengths that are read, which can be told only by printing. */
  needed(): ReadonlySet<Field> {
    this.out.capture(() => this.whole());
    return this.read;
  }

  whole(): void {
    const { nodes } = this.context.struct;
    const terms = this.terms(nodes);
    if (terms !== undefined) {
      this.out.line("return ", sum(terms), ";");
      return;
    }
    this.out.line(`let size = ${constantSize(nodes)};`);
    this.nodes(nodes);
    this.out.line("return size;");
  }

  /** The whole size as a sum, when it needs no statements. */
  private terms(nodes: readonly Node[]): Part[] | undefined {
    if (this.lengths.size > 0) return undefined;
    const terms: Part[] = [];
    const constant = constantSize(nodes);
    if (constant > 0) terms.push(String(constant));
    for (const node of flattenRanges(nodes)) {
      if (node.kind === "run" || node.kind === "where") continue;
      const term = node.kind === "field" ? this.term(node.field, this.property(node.field)) : undefined;
      if (term === undefined) return undefined;
      terms.push(term);
    }
    return terms;
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      switch (node.kind) {
        case "field":
          this.measured(node.field, 0, () => this.field(node.field));
          break;
        case "range":
          this.measured(node, constantSize(node.body), () => this.nodes(node.body));
          break;
        case "if":
          this.branch(this.condition(node.condition, node.then), node.then, node.else);
          break;
        case "optional": {
          const presence = presenceOf(node.body);
          const [only] = presence;
          if (presence.length === 1 && only !== undefined) {
            this.found.add(only.kind === "field" ? only.field : only.node);
          }
          this.branch(this.anyGiven(presence), node.body, []);
          break;
        }
        case "switch":
          this.choice(node);
          break;
        default:
          break;
      }
    }
  }

  /** `add` prints what adds up the size of `of`; `constant` of its bytes have been counted before. */
  private measured(of: Field | RangeNode, constant: number, add: () => void): void {
    const [found] = [...this.lengths].filter(([field]) => measuredBy(field) === of);
    if (found === undefined) {
      add();
      return;
    }
    const [field, length] = found;
    const before = this.variables.claim("before");
    this.out.line(`const ${before} = size;`);
    add();
    const size = constant === 0 ? `size - ${before}` : `size - ${before} + ${constant}`;
    const steps = field.role.kind === "derived" ? field.role.steps : [];
    this.out.line(
      code`const ${length} = ${stepped(steps.length === 0 ? size : `(${size})`, steps, repOf(field))};`,
    );
  }

  private branch(test: Part, then: readonly Node[], otherwise: readonly Node[]): void {
    const { out } = this;
    const body = (nodes: readonly Node[]): void => {
      const constant = constantSize(nodes);
      if (constant > 0) out.line(`size += ${constant};`);
      this.nodes(nodes);
    };
    const isEmpty = (nodes: readonly Node[]): boolean =>
      allNodes(nodes).every((node) => node.kind === "where");
    if (isEmpty(then) && isEmpty(otherwise)) return;
    out.line("if (", test, ") {");
    out.indented(() => body(then));
    if (!isEmpty(otherwise)) {
      out.line("} else {");
      out.indented(() => body(otherwise));
    }
    out.line("}");
  }

  /** What depends on the bytes left cannot be told here: the value says it by what it has. */
  private condition(expr: Expr, then: readonly Node[]): Part {
    return looksAhead(expr) ? this.anyGiven(presenceOf(then)) : expression(expr, this.env);
  }

  private anyGiven(members: readonly Member[]): Part {
    const tests = members.map((member) => [
      this.property(member.kind === "field" ? member.field : member.node),
      " !== undefined",
    ]);
    return tests.length === 0 ? "false" : join(tests, " || ");
  }

  private property(member: Field | SwitchNode): string {
    return `value.${this.context.property(member)}`;
  }

  /** The number that a field has, or will be given. */
  private given(field: Field): Part {
    if (isKept(field)) {
      const property = this.property(field);
      return field.conditional || field.role.kind === "reserved"
        ? `(${property} ?? ${literal(0n, repOf(field))})`
        : property;
    }
    const length = this.lengths.get(field);
    if (length !== undefined) {
      this.read.add(field);
      return length;
    }
    if (field.role.kind === "constant") return literal(field.role.value, repOf(field), 16);
    const measurable = field.role.kind === "derived" ? easilyMeasured(field.role.of) : undefined;
    if (field.role.kind === "derived" && measurable !== undefined) {
      const measured = measuredNumber(measurable, this.property(measurable.field));
      return ["(", stepped(measured, field.role.steps, repOf(field)), ")"];
    }
    throw new Error(`${field.name} is not known before it is encoded`);
  }

  /** The size of a field of which there is nothing more to know than its value, as an expression. */
  private term(field: Field, value: Part): Part | undefined {
    const { type } = field;
    const perhaps = (field.conditional || field.role.kind === "reserved") && !this.found.has(field);
    switch (type.kind) {
      case "bytes":
      case "text":
        if (!perhaps) return [value, ".length"];
        return code`(${value}?.length ?? ${field.role.kind === "reserved" ? this.count(type) : "0"})`;
      case "struct":
        if (perhaps && type.struct.fixed === undefined) return undefined;
        return sizeOfStruct(this.context, type.struct, type.args, value, this.env);
      case "array":
        if (type.elementSize.min !== type.elementSize.max) return undefined;
        return times(perhaps ? code`(${value}?.length ?? 0)` : [value, ".length"], type.elementSize.min);
      default:
        throw new Error(`${field.name} has a constant size`);
    }
  }

  /** How many there are of what need not be given. */
  private count({ count }: FieldType & { kind: "bytes" | "text" }): Part {
    switch (count.kind) {
      case "const":
        return String(count.value);
      case "expr":
      case "bytes": {
        if (looksAhead(count.expr)) return "0";
        return expression(count.expr, this.env);
      }
      default:
        return "0";
    }
  }

  private field(field: Field): void {
    const value = this.property(field);
    const term = this.term(field, value);
    if (term !== undefined) {
      this.out.line("size += ", term, ";");
      return;
    }
    const perhaps = (field.conditional || field.role.kind === "reserved") && !this.found.has(field);
    if (perhaps) this.out.block(`if (${value} !== undefined)`, () => this.statements(field, value));
    else this.statements(field, value);
  }

  private statements({ name, type }: Field, value: Part): void {
    const { out, context } = this;
    if (type.kind === "struct") {
      out.line("size += ", sizeOfStruct(context, type.struct, type.args, value, this.env), ";");
      return;
    }
    if (type.kind !== "array" || type.element.kind !== "struct")
      throw new Error(`${name} has a constant size`);
    const { struct, args } = type.element;
    out.line(
      code`for (const item of ${value}) size += ${sizeOfStruct(context, struct, args, "item", this.env)};`,
    );
  }

  private choice(node: SwitchNode): void {
    const { out } = this;
    const value = this.property(node);
    const print = (): void => {
      if (armsOf(node).length === 0) return;
      out.block(`switch (${value}.case)`, () => {
        for (const { field, from } of armsOf(node)) {
          const subject = from ?? field;
          if (field === undefined || subject === undefined) continue;
          out.line(`case ${JSON.stringify(this.context.caseName(subject))}:`);
          out.indented(() => {
            if (field.size.min === field.size.max) out.line(`size += ${field.size.min};`);
            else {
              const term = this.term(field, `${value}.value`);
              if (term === undefined) this.statements(field, `${value}.value`);
              else out.line("size += ", term, ";");
            }
            out.line("break;");
          });
        }
      });
    };
    if (node.conditional && !this.found.has(node)) out.block(`if (${value} !== undefined)`, print);
    else print();
  }
}

/** Derived fields that measure what has no easily told size. */
function lengthsOf(struct: Struct): Field[] {
  return struct.fields.filter(({ role }) => role.kind === "derived" && easilyMeasured(role.of) === undefined);
}

function measuredBy({ role }: Field): Field | RangeNode | undefined {
  if (role.kind !== "derived") return undefined;
  return role.of.kind === "range" ? role.of.range : role.of.field;
}

function sum(terms: readonly Part[]): Part {
  if (terms.length === 0) return "0";
  return terms.map((term, index) => (index === 0 ? term : [" + ", term]));
}

function times(count: Part, size: number): Part {
  return size === 1 ? count : [count, ` * ${size}`];
}

/** What a range holds counts as if it stood there: its size is that of its body. */
function flattenRanges(nodes: readonly Node[]): Node[] {
  return nodes.flatMap((node) => (node.kind === "range" ? flattenRanges(node.body) : [node]));
}

/** The bytes that are always there. */
function constantSize(nodes: readonly Node[]): number {
  let size = 0;
  for (const node of flattenRanges(nodes)) if (node.kind === "run") size += node.size;
  return size;
}
