/** The body of a writer: the value taken apart, then one part of the struct after the other. */
import type {
  Field,
  IfNode,
  Node,
  OptionalNode,
  RangeNode,
  SwitchNode,
  WhereNode,
} from "../../../schema/ir.js";
import { looksAhead } from "../../../schema/reads.js";
import { armsOf, isKept, presenceOf, valueMembersOf } from "../../members.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { Body } from "../body.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { type Environment, expression, literal, negation } from "../expressions.js";
import { nestedValue, repOf } from "../nested.js";
import { schemaLine } from "../subject.js";
import { DerivedFields } from "./derived.js";
import { FixedWriter, withView } from "./fixed.js";
import { Lengths } from "./lengths.js";
import { Presence, subjectOf } from "./presence.js";
import { RunWriter } from "./run.js";
import { VariableWriter } from "./variable.js";

export class StructWriter {
  private readonly body: Body;
  private readonly derived: DerivedFields;
  private readonly presence: Presence;
  private readonly lengths: Lengths;
  private readonly runs: RunWriter;
  private readonly variable: VariableWriter;
  private readonly places = new Map<Field, Part>();

  constructor(out: Printer, context: StructContext) {
    this.body = { out, context, variables: context.variables(), env: writingEnvironment(context) };
    this.derived = new DerivedFields(this.body);
    this.presence = new Presence(this.body);
    this.lengths = new Lengths(this.body, this.derived);
    const fixed = new FixedWriter(this.body, this.lengths);
    const { body, derived, presence, lengths, places } = this;
    this.runs = new RunWriter(body, derived, presence, fixed, places);
    this.variable = new VariableWriter(body, derived, presence, lengths, fixed, places);
  }

  /** The body of a function that is given the place of the one run. */
  flat(): void {
    this.body.variables.claim("at");
    this.body.variables.claim("view");
    this.destructure();
    for (const node of this.body.context.struct.nodes) {
      if (node.kind === "run") this.runs.slots(node, "at", "view");
      else if (node.kind === "where") this.where(node);
    }
  }

  whole(): void {
    this.destructure();
    this.nodes(this.body.context.struct.nodes);
  }

  private destructure(): void {
    const members = valueMembersOf(this.body.context.struct.nodes);
    if (members.length === 0) return;
    const names = members.map((member): Part => {
      const subject = member.kind === "field" ? member.field : member.node;
      const [property, local] = [this.body.context.property(subject), this.body.context.local(subject)];
      const name = property === local ? local : `${property}: ${local}`;
      return member.kind === "field" && isLeftToZero(member.field)
        ? `${name} = ${literal(0n, repOf(member.field))}`
        : name;
    });
    this.body.out.list("const {", names, "} = value;", " ");
  }

  private nodes(nodes: readonly Node[]): void {
    this.derived.enter(nodes);
    nodes.forEach((node, index) => {
      if (node.kind === "optional") this.optional(node, nodes.slice(index + 1));
      else this.node(node);
    });
  }

  private node(node: Exclude<Node, OptionalNode>): void {
    switch (node.kind) {
      case "run": {
        const at = this.body.variables.claim("at");
        const view = this.body.variables.claim("view");
        this.body.out.line(`const ${at} = writer.take(${node.size});`);
        withView(this.body, view, () => this.runs.slots(node, at, view));
        break;
      }
      case "field":
        this.measuring(node.field, () =>
          this.variable.value(node.field, this.body.context.local(node.field)),
        );
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        this.condition(node);
        break;
      case "switch":
        if (node.conditional) this.presence.missing(node, node.name, node.line);
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  private condition(node: IfNode): void {
    const { out } = this.body;
    const presence = presenceOf(node.then);
    if (!looksAhead(node.condition)) out.line("if (", expression(node.condition, this.body.env), ") {");
    else out.line("if (", this.presence.anyGiven(presence), ") {");
    out.indented(() => {
      for (const member of valueMembersOf(node.else)) this.presence.unexpected(member);
      this.nodes(node.then);
    });
    const excluded = valueMembersOf(node.then);
    if (excluded.length > 0 || node.else.length > 0) {
      out.line("} else {");
      out.indented(() => {
        for (const member of excluded) this.presence.unexpected(member);
        this.nodes(node.else);
      });
    }
    out.line("}");
  }

  /** There when its first value is given. One further on without it would be read as this one. */
  private optional(node: OptionalNode, following: readonly Node[]): void {
    const { out } = this.body;
    const presence = presenceOf(node.body);
    const [first] = presence;
    if (first === undefined) return;
    if (presence.length === 1) this.presence.find(first);
    out.line("if (", this.presence.anyGiven(presence), ") {");
    out.indented(() => this.nodes(node.body));
    const later = valueMembersOf(following.filter((each) => each.kind === "optional"));
    const telling = new Set(presence.map(subjectOf));
    const others = valueMembersOf(node.body).filter((member) => !telling.has(subjectOf(member)));
    if (later.length > 0) {
      out.chain(
        "} else if (",
        later.map((member) => this.presence.isGiven(member)),
        "||",
        ") {",
      );
      out.indented(() =>
        out.line("throw ", this.presence.missingError(subjectOf(first).name, subjectOf(first).line), ";"),
      );
    }
    if (others.length > 0) {
      out.line("} else {");
      out.indented(() => {
        for (const member of others) this.presence.unexpected(member);
      });
    }
    out.line("}");
  }

  private where(node: WhereNode): void {
    if (looksAhead(node.condition) || this.derived.postpones(node)) return;
    const at = (node.field === undefined ? undefined : this.places.get(node.field)) ?? "writer.at";
    const name = JSON.stringify(node.field?.name ?? "");
    this.body.out.when(
      negation(node.condition, this.body.env),
      code`throw ${this.body.context.module.runtime("broken")}(writer, ${name}, ${at}, ${SCHEMA_FILE}, ${node.line}, ${JSON.stringify(node.text)});`,
    );
  }

  /** What \`print\` prints may be what a derived field measures. */
  private measuring(subject: Field | RangeNode, print: () => void): void {
    this.derived.measuring(subject, print, (node) => this.where(node));
  }

  private range(node: RangeNode): void {
    const { out } = this.body;
    const exact = !this.derived.isMeasured(node) && !looksAhead(node.length);
    this.measuring(node, () => {
      if (!exact) {
        this.nodes(node.body);
        return;
      }
      const from = this.body.variables.claim("from");
      out.line(`const ${from} = writer.at;`);
      this.nodes(node.body);
      this.lengths.checkSize(from, node.length, node.name, node.line);
    });
  }

  /** The tag is not known on encode: the value says by itself which case it is. */
  private choiceByName(node: SwitchNode): void {
    const { out, context } = this.body;
    const local = context.local(node);
    out.block(`switch (${local}.case)`, () => {
      for (const { field, from } of armsOf(node)) {
        const arm =
          from === undefined ? (node.default.kind === "refuse" ? undefined : node.default.arm) : from.arm;
        const chosen = from ?? field;
        if (chosen === undefined || arm === undefined) continue;
        out.line(`case ${JSON.stringify(context.caseName(chosen))}: {`);
        out.indented(() => {
          this.armValue(arm.field, local);
          this.nodes(arm.nodes);
          out.line("break;");
        });
        out.line("}");
      }
    });
  }

  private armValue(field: Field, union: string): void {
    const zero = isLeftToZero(field) ? ` ?? ${literal(0n, repOf(field))}` : "";
    if (field.role.kind !== "constant")
      this.body.out.line(`const ${this.body.context.local(field)} = ${union}.value${zero};`);
  }

  private choice(node: SwitchNode): void {
    if (looksAhead(node.on)) {
      this.choiceByName(node);
      return;
    }
    const { out, context } = this.body;
    const local = context.local(node);
    const single = node.cases.length + (node.default.kind === "refuse" ? 0 : 1) === 1;
    printChoice(this.body, node, {
      arm: (name, arm) => {
        // With one case there is no other that TypeScript knows of, and `case` has no type on the bad path.
        const given = single ? "" : `, ${local}.case`;
        out.when(
          `${local}.case !== ${JSON.stringify(name)}`,
          code`throw writer.error("case", ${JSON.stringify(node.name)}, writer.at, ${schemaLine(node.line)}${given});`,
        );
        if (arm === undefined) return;
        this.armValue(arm.field, local);
        this.nodes(arm.nodes);
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        out.line(
          code`throw writer.error("tag", ${JSON.stringify(node.name)}, writer.at, ${schemaLine(line)}, String(${expression(node.on, this.body.env)}));`,
        );
      },
    });
  }
}

function writingEnvironment(context: StructContext): Environment {
  return {
    field: ([first, ...others]) => {
      if (first?.role.kind === "constant") return literal(first.role.value, repOf(first), 16);
      return nestedValue(context, first, others);
    },
    param: (param) => context.local(param),
    remaining: () => {
      throw new Error("what remains is not known on encode");
    },
  };
}

/** A number that is zero when it is not given. One that some values lack must tell the two apart. */
function isLeftToZero(field: Field): boolean {
  return (
    field.role.kind === "reserved" &&
    !field.conditional &&
    isKept(field) &&
    (field.type.kind === "int" || field.type.kind === "bits")
  );
}
