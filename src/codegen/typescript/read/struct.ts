/** The body of a reader: one part of the struct after the other, then the object. */
import type { Node, RangeNode, SwitchNode, WhereNode } from "../../../schema/ir.js";
import { pathsOf } from "../../../schema/reads.js";
import { expressionsOf } from "../../../schema/structure.js";
import { valueMembersOf } from "../../members.js";
import { code, type Part, type Printer } from "../../printer.js";
import { type Body, readingEnvironment } from "../body.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { expression, literal, negation } from "../expressions.js";
import { FixedReader } from "./fixed.js";
import { KeptValues } from "./kept.js";
import { RunReader } from "./run.js";
import { VariableReader } from "./variable.js";

export class StructReader {
  private readonly body: Body;
  private readonly kept: KeptValues;
  private readonly runs: RunReader;
  private readonly variable: VariableReader;

  constructor(out: Printer, context: StructContext) {
    this.body = { out, context, variables: context.variables(), env: readingEnvironment(context) };
    const first = expressionsOf(context.struct)
      .flatMap(pathsOf)
      .flatMap((path) => path.slice(0, 1));
    this.kept = new KeptValues(this.body, new Set(first));
    const fixed = new FixedReader(this.body);
    this.runs = new RunReader(this.body, fixed, this.kept);
    this.variable = new VariableReader(this.body, fixed, this.kept, this.runs);
  }

  /** The body of a function that is given the place of the one run. */
  flat(): void {
    this.body.variables.claim("at");
    for (const node of this.body.context.struct.nodes) {
      if (node.kind === "run") this.runs.slots(node, "at");
      else if (node.kind === "where") this.where(node);
    }
    this.result();
  }

  whole(): void {
    this.kept.declareConditional(this.body.context.struct.nodes);
    this.nodes(this.body.context.struct.nodes);
    this.result();
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  private node(node: Node): void {
    const { out } = this.body;
    switch (node.kind) {
      case "run": {
        const at = this.body.variables.claim("at");
        out.line(`const ${at} = reader.take(${node.size});`);
        this.runs.slots(node, at);
        break;
      }
      case "field":
        this.kept.hold(node.field, this.variable.value(node.field));
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.body.env), ") {");
        out.indented(() => this.kept.branch(() => this.nodes(node.then)));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.kept.branch(() => this.nodes(node.else)));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.kept.branch(() => this.nodes(node.body)));
        break;
      case "switch":
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  private range(node: RangeNode): void {
    const { out } = this.body;
    const length = expression(node.length, this.body.env);
    const outer = this.body.variables.claim("outer");
    out.line(code`const ${outer} = reader.enter(${length});`);
    this.nodes(node.body);
    out.line(`reader.leave(${outer});`);
  }

  private where(node: WhereNode): void {
    const name = JSON.stringify(node.field?.name ?? "");
    const at = (node.field === undefined ? undefined : this.runs.placeOf(node.field)) ?? "reader.at";
    this.body.out.when(
      negation(node.condition, this.body.env),
      code`throw reader.error("constraint", ${name}, ${at});`,
    );
  }

  private choice(node: SwitchNode): void {
    const { out, context } = this.body;
    const local = context.local(node);
    if (this.kept.isFirst) out.line(`let ${local}: ${context.module.union(node)};`);
    printChoice(this.body, node, {
      arm: (name, arm) => {
        if (arm === undefined) {
          out.line(`${local} = { case: ${JSON.stringify(name)}, value: undefined };`);
          return;
        }
        this.kept.arm(() => this.nodes(arm.nodes));
        const { role, type } = arm.field;
        const constant =
          role.kind === "constant" && type.kind === "int" ? literal(role.value, type.int.rep, 16) : undefined;
        const value = constant ?? this.kept.of(arm.field);
        out.line(code`${local} = { case: ${JSON.stringify(name)}, value: ${value} };`);
      },
      refuse: () => out.line(`throw reader.error("tag", ${JSON.stringify(node.name)}, reader.at);`),
    });
  }

  /** All properties in one literal: every value of the struct has the same shape. */
  private result(): void {
    const properties = valueMembersOf(this.body.context.struct.nodes).map((member): Part => {
      const subject = member.kind === "switch" ? member.node : member.field;
      const property = this.body.context.property(subject);
      const value =
        member.kind === "field" ? this.kept.of(member.field) : this.body.context.local(member.node);
      return value === property ? property : code`${property}: ${value}`;
    });
    if (properties.length === 0) this.body.out.line("return {};");
    else this.body.out.list("return {", properties, "};", " ");
  }
}
