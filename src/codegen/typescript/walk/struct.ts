/** The body of a walk: one part of the struct after the other. */
import type { Node, Struct, SwitchNode, WhereNode } from "../../../schema/ir.js";
import { allNodes } from "../../../schema/structure.js";
import { code, type Printer } from "../../printer.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { expression, negation } from "../expressions.js";
import { printFunction } from "../function.js";
import { ArrayWalker } from "./arrays.js";
import { WalkBody } from "./body.js";
import { PRELUDES, RangeWalker } from "./range.js";
import { RunWalker } from "./run.js";
import { VariableWalker } from "./variable.js";

export class StructWalker {
  private readonly body: WalkBody;
  private readonly ranges: RangeWalker;
  private readonly runs: RunWalker;
  private readonly variable: VariableWalker;
  /** The variable that holds where the struct begins. */
  private start: string | undefined;

  constructor(out: Printer, context: StructContext) {
    this.body = new WalkBody(out, context);
    const arrays = new ArrayWalker(this.body);
    this.runs = new RunWalker(this.body, arrays);
    this.variable = new VariableWalker(this.body, arrays);
    this.ranges = new RangeWalker(this.body, (nodes) => this.nodes(nodes));
  }

  print(): void {
    const { out, context } = this.body;
    const { struct, module } = context;
    const doc = [
      `Reports every field of the \`${struct.name}\` at the cursor. False when it had to end before the value does.`,
    ];
    const params = [this.body.reader(), this.body.visitor(), ...context.parameters()];
    const signature = {
      doc,
      exported: true,
      name: module.names.of(struct, "walk"),
      params,
      result: "boolean",
    };
    printFunction(out, signature, () => this.whole(struct), PRELUDES);
    for (const lines of this.ranges.functions) {
      out.blank();
      out.insert(lines);
    }
  }

  private whole({ nodes }: Struct): void {
    if (allNodes(nodes).some((node) => node.kind === "where" && node.field === undefined)) {
      this.start = this.body.declare(this.body.variables.claim("start"), "number", "reader.at");
    }
    this.nodes(nodes);
    this.body.out.line("return true;");
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  private node(node: Node): void {
    const { out } = this.body;
    switch (node.kind) {
      case "run":
        this.runs.print(node);
        break;
      case "field":
        this.variable.field(node.field);
        break;
      case "range":
        this.ranges.print(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.body.env), ") {");
        out.indented(() => this.body.scoped(() => this.nodes(node.then)));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.body.scoped(() => this.nodes(node.else)));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.body.scoped(() => this.nodes(node.body)));
        break;
      case "switch":
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  private where(node: WhereNode): void {
    const at = (node.field === undefined ? this.start : this.body.places.get(node.field)) ?? "reader.at";
    const failure = this.body.failure(
      "constraint",
      node.field?.name ?? "",
      at,
      node.line,
      JSON.stringify(node.text),
    );
    this.body.out.when(negation(node.condition, this.body.env), "return ", failure, ";");
  }

  private choice(node: SwitchNode): void {
    printChoice(this.body, node, {
      arm: (_, arm) => {
        if (arm !== undefined) this.body.scoped(() => this.nodes(arm.nodes));
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        const tag = code`String(${expression(node.on, this.body.env)})`;
        this.body.out.line("return ", this.body.failure("tag", node.name, "reader.at", line, tag), ";");
      },
    });
  }
}
