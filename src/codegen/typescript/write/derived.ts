/** Derived fields: what they measure is written behind them, so some can be written only afterwards. */
import type { Expr, Field, Measured, Node, RangeNode, WhereNode } from "../../../schema/ir.js";
import { pathsOf } from "../../../schema/reads.js";
import { membersOf } from "../../members.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { writeInteger } from "../integers.js";
import { easilyMeasured, measuredNumber, repOf, stepped } from "../nested.js";
import { schemaLine } from "../subject.js";
import { checkFits, fitOf } from "./fits.js";

/** A derived field that can be written only when what it measures has been. */
interface Patch {
  readonly field: Field;
  readonly at: Part;
}

export class DerivedFields {
  private readonly body: Body;
  /** By what they wait for. */
  private readonly patches = new Map<Field | RangeNode, Patch>();
  /** Those that still hold a placeholder. */
  private readonly pending = new Set<Field>();
  /** Constraints on those. */
  private readonly postponed: { readonly node: WhereNode; readonly waitsFor: Field }[] = [];
  /** What derived fields measure: its own size or count needs no check. */
  private readonly measured: ReadonlySet<Field | RangeNode>;
  /** What is written whenever the nodes that are being printed are: a field that measures it is always patched. */
  private readonly certain = new Set<Field | RangeNode>();

  constructor(body: Body) {
    this.body = body;
    this.measured = new Set(
      membersOf(body.context.struct.nodes).flatMap((member) =>
        member.kind === "switch" || member.field.role.kind !== "derived"
          ? []
          : [measuredNode(member.field.role.of)],
      ),
    );
  }

  isMeasured(subject: Field | RangeNode): boolean {
    return this.measured.has(subject);
  }

  /** Its value is not known yet. */
  isPending(field: Field): boolean {
    return this.pending.has(field);
  }

  /** It needs no placeholder: it is written in any case when what it measures has been. */
  isAlwaysPatched({ role }: Field): boolean {
    return role.kind === "derived" && this.certain.has(measuredNode(role.of));
  }

  /** All of these nodes are written, or none. */
  enter(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.kind === "field") this.certain.add(node.field);
      else if (node.kind === "range") this.certain.add(node);
    }
  }

  /** Keeps a constraint for later when it is about a field whose value is not known yet. */
  postpones(node: WhereNode): boolean {
    const waitsFor = pathsOf(node.condition)
      .flat()
      .find((field) => this.pending.has(field));
    if (waitsFor !== undefined) this.postponed.push({ node, waitsFor });
    return waitsFor !== undefined;
  }

  /** Prints the value of a derived field, or sees to it that it is written when what it measures has been. */
  prepare(field: Field, at: Part): void {
    const local = this.body.context.local(field);
    if (field.role.kind !== "derived") return;
    const { of, steps } = field.role;
    const measurable = easilyMeasured(of);
    if (measurable === undefined) {
      this.patches.set(measuredNode(of), { field, at });
      this.pending.add(field);
      return;
    }
    const measured = measuredNumber(measurable, this.body.context.local(measurable.field));
    this.checkDivisions(field, measured, at);
    this.body.out.line(code`const ${local} = ${stepped(measured, steps, repOf(field))};`);
  }

  /** What is to be divided must come out even: otherwise no value of the field says this length. */
  private checkDivisions(field: Field, measured: Part, at: Part): void {
    if (field.role.kind !== "derived") return;
    const { steps } = field.role;
    steps.forEach(({ op, by }, index) => {
      if (op !== "div") return;
      const before = stepped(measured, steps.slice(0, index), "number");
      this.body.out.when(
        code`(${before}) % ${by.toString()} !== 0`,
        code`throw writer.error("length", ${JSON.stringify(field.name)}, ${at}, ${schemaLine(field.line)}, ${JSON.stringify(`not a multiple of ${by}`)});`,
      );
    });
  }

  /** Writes the derived field that waits for what `print` prints. */
  measuring(subject: Field | RangeNode, print: () => void, where: (node: WhereNode) => void): void {
    const patch = this.patches.get(subject);
    if (patch === undefined) {
      print();
      return;
    }
    const { out, context } = this.body;
    const { field, at } = patch;
    const { role, type } = field;
    if (role.kind !== "derived" || type.kind !== "int") throw new Error(`${field.name} is not derived`);
    const start = this.body.variables.claim("from");
    out.line(`const ${start} = writer.at;`);
    print();
    const size = code`writer.at - ${start}`;
    this.checkDivisions(field, size, at);
    const { steps } = role;
    const local = context.local(field);
    out.line(
      code`const ${local} = ${stepped(steps.length === 0 ? size : code`(${size})`, steps, repOf(field))};`,
    );
    this.pending.delete(field);
    const constraints = this.postponed.filter(({ waitsFor }) => waitsFor === field).map(({ node }) => node);
    // A size that its constraint holds within its bits is not asked twice.
    if (!constraints.some(({ condition }) => isCapOf(condition, field))) {
      checkFits(this.body, fitOf(context, field, 0), at);
    }
    for (const node of constraints) where(node);
    out.line(writeInteger(type.int, "writer.view", at, local, context));
  }
}

function measuredNode(of: Measured): Field | RangeNode {
  return of.kind === "range" ? of.range : of.field;
}

/** Whether the condition is an upper bound of the field that all values within it fit: a measured size is never negative. */
function isCapOf(condition: Expr, field: Field): boolean {
  if (condition.kind !== "binary" || (condition.op !== "<" && condition.op !== "<=")) return false;
  const { left, right } = condition;
  if (left.kind !== "field" || left.path.length !== 1 || left.path[0] !== field) return false;
  return right.kind === "int" && right.value <= left.range.max;
}
