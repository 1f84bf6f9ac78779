/** The states of a push parser: a method for each member of the stream, which goes on where the last chunk ended. */
import type {
  Field,
  FieldType,
  IfNode,
  Node,
  OptionalNode,
  RangeNode,
  SwitchNode,
  WhereNode,
} from "../../../schema/ir.js";
import { looksAhead } from "../../../schema/reads.js";
import { camelCase, SCHEMA_FILE } from "../../names.js";
import { code, type Printer } from "../../printer.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { expression, negation } from "../expressions.js";
import { descend, rawValue } from "../memory.js";
import { ArrayStates } from "./arrays.js";
import type { PushHandler } from "./handler.js";
import { type Label, Machine, type MachineMembers } from "./machine.js";
import { PayloadStates } from "./payloads.js";
import { RunStates } from "./run.js";

export class PushStates {
  private readonly machine: Machine;
  private readonly runs: RunStates;
  private readonly payloads: PayloadStates;
  private readonly arrays: ArrayStates;

  constructor(out: Printer, context: StructContext, handler: PushHandler) {
    this.machine = new Machine(out, context, handler);
    this.runs = new RunStates(this.machine);
    this.payloads = new PayloadStates(this.machine);
    this.arrays = new ArrayStates(this.machine, this.payloads);
    const finish: Label = { number: -1 };
    this.compile(context.struct.nodes, finish);
    finish.number = this.machine.end;
  }

  /** What the class has besides its constructor. */
  members(): MachineMembers {
    return this.machine.members(() => this.payloads.printPass());
  }

  /** What stands behind the class. */
  printFunctions(): void {
    this.machine.printFunctions();
  }

  private compile(nodes: readonly Node[], exit: Label): Label {
    const labels = nodes.map((): Label => ({ number: -1 }));
    nodes.forEach((node, index) => {
      const entry = labels[index] ?? exit;
      this.node(node, entry, labels[index + 1] ?? exit);
    });
    return labels[0] ?? exit;
  }

  private node(node: Node, entry: Label, exit: Label): void {
    switch (node.kind) {
      case "run":
        this.runs.add(node, entry, exit);
        break;
      case "field":
        this.fieldNode(node.field, entry, exit);
        break;
      case "range":
        this.range(node, entry, exit);
        break;
      case "if":
        this.ifNode(node, entry, exit);
        break;
      case "optional":
        this.optional(node, entry, exit);
        break;
      case "switch":
        this.choice(node, entry, exit);
        break;
      case "where":
        this.where(node, entry, exit);
        break;
    }
  }

  private where(node: WhereNode, entry: Label, exit: Label): void {
    const { out } = this.machine;
    const place = node.field === undefined ? "this.start" : `this.#${this.machine.placeOf(node.field)}`;
    this.machine.state(entry, `${camelCase(node.field?.name ?? "value")}Where`, () => {
      const what = `"constraint", ${JSON.stringify(node.field?.name ?? "")}, ${place} - reader.base, ${SCHEMA_FILE}, ${node.line}`;
      out.block(["if (", negation(node.condition, this.machine.env), ")"], () => {
        out.line(`throw this.wrong(reader, ${what}, ${JSON.stringify(node.text)});`);
      });
      this.machine.goTo(exit);
    });
  }

  private ifNode(node: IfNode, entry: Label, exit: Label): void {
    let [then, otherwise] = [exit, exit];
    this.machine.state(entry, "condition", () => {
      const choice = code`${expression(node.condition, this.machine.env)} ? ${then.number} : ${otherwise.number}`;
      this.machine.out.line("this.state = ", choice, ";");
      this.machine.out.line("return true;");
    });
    then = this.compile(node.then, exit);
    otherwise = this.compile(node.else, exit);
  }

  private optional(node: OptionalNode, entry: Label, exit: Label): void {
    const { out } = this.machine;
    let body = exit;
    this.machine.state(entry, "optional", () => {
      out.block("if (this.atEnd(reader))", () => this.machine.goTo(exit));
      out.block("if (!this.final && reader.at === reader.bytes.length)", () => {
        out.line("this.more(reader);");
        out.line("return false;");
      });
      this.machine.goTo(body);
    });
    body = this.compile(node.body, exit);
  }

  private range(node: RangeNode, entry: Label, exit: Label): void {
    const { out } = this.machine;
    let body = exit;
    const leave: Label = { number: -1 };
    const where = `${JSON.stringify(node.name)}, ${SCHEMA_FILE}, ${node.line}`;
    this.machine.state(entry, `${camelCase(node.name)}Range`, () => {
      const length = this.machine.bound(node.length, "extent");
      out.line(`this.enterRange(reader, ${length}, ${where});`);
      this.machine.goTo(body);
    });
    body = this.compile(node.body, leave);
    this.machine.state(leave, `${camelCase(node.name)}RangeEnd`, () => {
      out.line(`this.leaveRange(reader, ${where});`);
      this.machine.goTo(exit);
    });
  }

  private choice(node: SwitchNode, entry: Label, exit: Label): void {
    const { out } = this.machine;
    const arms = new Map<unknown, Label>();
    this.machine.state(entry, `${camelCase(node.name)}Choice`, () => {
      if (looksAhead(node.on)) this.machine.needRemaining(node.name);
      printChoice(this.machine.body(), node, {
        arm: (_, arm) => out.line(`this.state = ${(arms.get(arm) ?? exit).number};`),
        refuse: () => {
          const line = node.default.kind === "refuse" ? node.default.line : node.line;
          const tag = code`String(${expression(node.on, this.machine.env)})`;
          out.line(
            code`throw this.wrong(reader, "tag", ${JSON.stringify(node.name)}, reader.at, ${SCHEMA_FILE}, ${line}, ${tag});`,
          );
        },
      });
      out.line("return true;");
    });
    const all = node.cases.map(({ arm }) => arm);
    if (node.default.kind !== "refuse") all.push(node.default.arm);
    for (const arm of all) {
      if (arm !== undefined) arms.set(arm, this.compile(arm.nodes, exit));
    }
  }

  private fieldNode(field: Field, entry: Label, exit: Label): void {
    switch (field.type.kind) {
      case "struct":
        this.structField(field, field.type, entry, exit);
        break;
      case "bytes":
      case "text":
        this.payloads.add(field, field.type, entry, exit);
        break;
      case "array":
        this.arrays.add(field, field.type, entry, exit);
        break;
      default:
        throw new Error(`${field.name} has a constant size`);
    }
  }

  private structField(
    field: Field,
    type: FieldType & { readonly kind: "struct" },
    entry: Label,
    exit: Label,
  ): void {
    const { out, context } = this.machine;
    const name = JSON.stringify(field.name);
    this.machine.state(entry, camelCase(field.name), () => {
      if (type.struct.greedy) out.when(`!this.whole(reader, ${name})`, "return false;");
      out.line("const at = this.open(reader);");
      const args = context.arguments(type.args, this.machine.env);
      out.block(code`if (!${context.module.feature("scan", type.struct)}(reader${args}))`, () => {
        out.line(`this.stuck(reader, at, ${name});`);
        out.line("return false;");
      });
      out.line("const size = reader.at - at;");
      if (this.machine.referenced.constrained.has(field))
        out.line(`this.#${this.machine.placeOf(field)} = reader.base + at;`);
      for (const { path, local } of this.machine.referenced.inside(field)) {
        const located = descend(
          { field, base: "at", offset: 0, bits: undefined, orders: context },
          path.slice(1),
        );
        out.line(code`this.#${local} = ${rawValue(located, "view")};`);
      }
      const method = `handler.${this.machine.handler.of(field).whole}`;
      out.block(`if (${method} !== undefined)`, () => {
        out.line("reader.at = at;");
        const size = field.size.min === field.size.max ? "" : ", size";
        out.line(
          code`${method}(${context.module.feature("read", type.struct)}(reader${args}), reader.base + at${size});`,
        );
        out.line("reader.at = at + size;");
      });
      this.machine.goTo(exit);
    });
  }
}
