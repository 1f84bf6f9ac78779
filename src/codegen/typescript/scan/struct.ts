/** The body of a scanner: one part of the struct after the other. */
import type { Field, Node, RangeNode, RunNode, SwitchNode, WhereNode } from "../../../schema/ir.js";
import { allNodes } from "../../../schema/structure.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Printer } from "../../printer.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { expression, negation } from "../expressions.js";
import { printBounds, RunScanner } from "./run.js";
import { declareNested, type Scanning, scanning } from "./scanning.js";
import { printWithin, VariableScanner } from "./variable.js";

export class StructScanner {
  private readonly body: Scanning;
  private readonly runs: RunScanner;
  private readonly variable: VariableScanner;
  /** Where the struct begins. */
  private start = "at";

  constructor(out: Printer, context: StructContext) {
    this.body = scanning(out, context);
    this.runs = new RunScanner(this.body);
    this.variable = new VariableScanner(this.body, this.runs);
  }

  /** The body of a function that is given the place of the one run. */
  flat(): void {
    this.body.variables.claim("at");
    for (const node of this.body.context.struct.nodes) {
      if (node.kind === "run") this.runs.slots(node, "at");
      else if (node.kind === "where") this.where(node);
    }
    this.body.out.line("return true;");
  }

  whole(): void {
    const { nodes } = this.body.context.struct;
    if (
      nodes[0]?.kind !== "run" &&
      allNodes(nodes).some((node) => node.kind === "where" && node.field === undefined)
    ) {
      this.start = this.body.variables.claim("start");
      this.body.out.line(`const ${this.start} = reader.at;`);
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
      case "run": {
        const at = this.body.variables.claim("at");
        printBounds(out, node, at, this.body.context);
        this.runs.slots(node, at);
        break;
      }
      case "field":
        this.field(node.field);
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.body.env), ") {");
        out.indented(() => this.nodes(node.then));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.nodes(node.else));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.nodes(node.body));
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
    printWithin(this.body, expression(node.length, this.body.env), node.name, node.line, () =>
      this.nodes(node.body),
    );
  }

  private where(node: WhereNode): void {
    const at = (node.field === undefined ? this.start : this.body.places.get(node.field)) ?? "reader.at";
    const name = JSON.stringify(node.field?.name ?? "");
    this.body.out.when(
      negation(node.condition, this.body.env),
      code`return reader.fail("constraint", ${name}, ${at}, ${SCHEMA_FILE}, ${node.line}, ${JSON.stringify(node.text)});`,
    );
  }

  /** A field of a size that is not constant. */
  private field(field: Field): void {
    const { out, context } = this.body;
    const { type } = field;
    const { referenced } = this.body;
    let from: string | undefined;
    if (referenced.constrained.has(field) || referenced.inside(field).length > 0) {
      from = this.body.variables.claim("from");
      out.line(`const ${from} = reader.at;`);
      this.body.places.set(field, from);
    }
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct": {
        const scan = context.module.feature("scan", type.struct);
        out.when(
          code`!${scan}(reader${context.arguments(type.args, this.body.env)})`,
          `return reader.inside(${JSON.stringify(field.name)});`,
        );
        if (from !== undefined) declareNested(this.body, field, from, 0);
        break;
      }
      case "bytes":
      case "text":
        this.variable.bytes(field, type);
        break;
      case "array":
        this.variable.elements(field, type);
        break;
    }
  }

  private choice(node: SwitchNode): void {
    printChoice(this.body, node, {
      arm: (_, arm) => {
        if (arm !== undefined) this.nodes(arm.nodes);
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        const tag = code`String(${expression(node.on, this.body.env)})`;
        this.body.out.line(
          code`return reader.fail("tag", ${JSON.stringify(node.name)}, reader.at, ${SCHEMA_FILE}, ${line}, ${tag});`,
        );
      },
    });
  }
}

/** The body of a function that checks one run at \`at\`, which the caller has made sure of. */
export function printRunCheck(out: Printer, context: StructContext, run: RunNode): void {
  const body = scanning(out, context);
  body.variables.claim("at");
  new RunScanner(body).slots(run, "at");
  out.line("return true;");
}
