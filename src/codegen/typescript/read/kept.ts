/** Where the values of the members stay until the object is made: in variables, or where they lie. */
import type { Field, Node } from "../../../schema/ir.js";
import { isKept, valueMembersOf } from "../../members.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { valueType } from "../types.js";

export class KeptValues {
  private readonly body: Body;
  /** Fields that an expression reads: each is read from memory once, into a variable. */
  private readonly referenced: ReadonlySet<Field>;
  /** Fields that nothing else needs are read where the value is made. */
  private readonly inlined = new Map<Field, Part>();
  /** What is printed now happens for every value, or in the one arm of a switch that the field belongs to. */
  private always = true;

  constructor(body: Body, referenced: ReadonlySet<Field>) {
    this.body = body;
    this.referenced = referenced;
  }

  /** What is made in a branch is declared before it. */
  declareConditional(nodes: readonly Node[]): void {
    const { out, context } = this.body;
    for (const node of nodes) {
      if (node.kind === "range") this.declareConditional(node.body);
      if (node.kind !== "if" && node.kind !== "optional") continue;
      const members = valueMembersOf([node]);
      for (const member of members) {
        const [subject, type] =
          member.kind === "switch"
            ? [member.node, context.module.union(member.node)]
            : [member.field, valueType(member.field.type, context.module)];
        out.line(code`let ${context.local(subject)}: ${type} | undefined;`);
      }
    }
  }

  /** What `print` prints some values lack: their variables stand before the branch. */
  branch(print: () => void): void {
    this.within(false, print);
  }

  /** The block of a case is its arm's own. */
  arm(print: () => void): void {
    this.within(true, print);
  }

  private within(always: boolean, print: () => void): void {
    const before = this.always;
    this.always = always;
    print();
    this.always = before;
  }

  /** Whether variables can be declared where they are first given a value. */
  get isFirst(): boolean {
    return this.always;
  }

  isReferenced(field: Field): boolean {
    return this.referenced.has(field);
  }

  /** What stands for the value of a field. */
  of(field: Field): Part {
    return this.inlined.get(field) ?? this.body.context.local(field);
  }

  /** The variable for a list: the field's own, unless that has been declared before a branch. */
  listOf(field: Field): string {
    return this.always ? this.body.context.local(field) : this.body.variables.claim("list");
  }

  /** Holds on to a value that lies at a known place: it can be read later, in the literal, when nothing else needs it. */
  keep(field: Field, value: Part): void {
    if (this.always && !this.referenced.has(field) && value !== this.body.context.local(field))
      this.inlined.set(field, value);
    else this.hold(field, value);
  }

  /** Holds on to the value of a field in its variable. */
  hold(field: Field, value: Part): void {
    if (value !== this.body.context.local(field))
      this.body.out.line(code`${this.declaration(field)}${value};`);
  }

  /** A field that some values lack has been declared before the branch that it is in. */
  declaration(field: Field): string {
    const local = this.body.context.local(field);
    return this.always || !isKept(field) ? `const ${local} = ` : `${local} = `;
  }
}
