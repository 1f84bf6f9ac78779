/** Members of a struct: from syntax to items with resolved names and types. Nothing has a place yet. */
import { StructContext } from "./context.js";
import type { ArmItem, Draft, Item, StructDraft } from "./draft.js";
import { checkCondition, checkConstant, checkLength } from "./expressions.js";
import { assuming } from "./facts.js";
import type { Field, FieldType, Param, Role, Struct, WhereNode } from "./ir.js";
import { contains, intType, rangeOf, rawRange, scalarOf } from "./scalars.js";
import { docOf, type Scope } from "./scope.js";
import { type Fields, SwitchChecker } from "./switches.js";
import type { BitsSyntax, ExprSyntax, FieldSyntax, MemberSyntax, OrderName, Span } from "./syntax.js";
import { checkFieldType } from "./types.js";

const NO_DOC = { text: "", notes: [] } as const;
const NOT_PLACED = { min: 0, max: 0 } as const;

export function checkMembers(
  scope: Scope,
  struct: StructDraft,
  order: OrderName,
  params: readonly Param[],
  members: readonly MemberSyntax[],
): Item[] {
  return new MemberChecker(new StructContext(scope, struct, order, params)).block(members);
}

class MemberChecker implements Fields {
  private readonly context: StructContext;
  private readonly scope: Scope;
  private readonly struct: StructDraft;
  private readonly switches: SwitchChecker;
  private readonly taken = new Map<string, Span>();
  private conditional = false;
  /** How many names of each kind have been made up. */
  private readonly madeUp = new Map<"reserved" | "slack", number>();

  constructor(context: StructContext) {
    this.context = context;
    this.scope = context.scope;
    this.struct = context.struct;
    this.switches = new SwitchChecker(context, this);
  }

  get isConditional(): boolean {
    return this.conditional;
  }

  block(members: readonly MemberSyntax[]): Item[] {
    return this.context.inBlock(() => this.members(members));
  }

  private members(members: readonly MemberSyntax[]): Item[] {
    return members.flatMap((member) => this.member(member));
  }

  private member(syntax: MemberSyntax): Item[] {
    switch (syntax.kind) {
      case "field":
        return this.field(syntax);
      case "bits":
        return this.bits(syntax);
      case "within":
        return this.within(syntax.atMost, syntax.length, syntax.members, syntax.span);
      case "if": {
        const condition = checkCondition(this.scope, this.context.around(), syntax.condition);
        const branch = (members: readonly MemberSyntax[], truth: boolean): Item[] =>
          this.context.knowing(
            (facts) => (condition ? assuming(facts, condition, truth) : facts),
            () => this.block(members),
          );
        const [then, otherwise] = this.conditionally(
          () => [branch(syntax.then, true), branch(syntax.else, false)] as const,
        );
        if (!condition) return [];
        if (syntax.then.length + syntax.else.length === 0) this.empty(syntax.span);
        if (condition.kind === "bool") {
          this.scope.error(
            "constant-condition",
            syntax.condition.span,
            `this condition is always ${condition.value}`,
          );
        }
        return [
          {
            kind: "if",
            condition,
            then,
            else: otherwise,
            line: this.scope.line(syntax.span),
            span: syntax.span,
          },
        ];
      }
      case "optional": {
        if (syntax.members.length === 0) this.empty(syntax.span);
        const body = this.conditionally(() =>
          this.context.knowing(
            (facts) => facts,
            () => this.block(syntax.members),
          ),
        );
        if (body.length > 0 && !body.some(leavesTrace)) {
          const message =
            "nothing in this block is part of a value, so an encoder could not tell whether it is there";
          this.scope.error("empty-block", syntax.span, message);
        }
        return [{ kind: "optional", body, line: this.scope.line(syntax.span), span: syntax.span }];
      }
      case "switch":
        return this.switches.check(syntax);
      case "where": {
        const node = this.where(syntax.condition, undefined);
        return node ? [{ kind: "where", node, span: syntax.span }] : [];
      }
    }
  }

  private empty(span: Span): void {
    this.scope.error("empty-block", span, "there is nothing in this block");
  }

  private conditionally<T>(make: () => T): T {
    const before = this.conditional;
    this.conditional = true;
    const made = make();
    this.conditional = before;
    return made;
  }

  private within(atMost: boolean, length: ExprSyntax, members: readonly MemberSyntax[], span: Span): Item[] {
    const checked = checkLength(this.scope, this.context.around(), length, "the length of a range");
    // A range is not a condition: what is in it can be seen after it.
    const body = this.members(members);
    if (atMost) body.push(this.slack(span));
    const name = nameOfFirst(body);
    if (!checked) return [];
    if (name === undefined) {
      this.scope.error("empty-block", span, "there is nothing in this range");
      return [];
    }
    return [{ kind: "range", name, length: checked, body, line: this.scope.line(span), span }];
  }

  /** What is left of an `at_most` range: bytes that are there when there are any. */
  private slack(span: Span): Item {
    const type: FieldType = { kind: "bytes", count: { kind: "rest" } };
    const name = this.nameFor("slack");
    const field = this.conditionally(() => this.newField(name, type, { kind: "value" }, NO_DOC, span));
    this.take(name, span);
    return { kind: "optional", body: [{ kind: "field", field, span }], line: this.scope.line(span), span };
  }

  private field(syntax: FieldSyntax): Item[] {
    const made = this.make(syntax, (name) => this.take(name, syntax.name?.span ?? syntax.span));
    if (!made) return [];
    const items: Item[] = [{ kind: "field", field: made.field, span: syntax.span }];
    if (made.where) items.push({ kind: "where", node: made.where, span: syntax.span });
    return items;
  }

  make(syntax: FieldSyntax, take: (name: string) => void): Omit<ArmItem, "span"> | undefined {
    const name = syntax.name?.text ?? this.nameFor("reserved");
    const type = checkFieldType(this.context, syntax);
    const role = this.role(syntax, type);
    take(name);
    if (!type || !role) {
      this.scope.spoil([name]);
      return undefined;
    }
    const field = this.newField(name, type, role, syntax.doc, syntax.name?.span ?? syntax.span);
    this.context.see(field);
    const where = syntax.where && this.where(syntax.where, field);
    return { field, where };
  }

  private newField(
    name: string,
    type: FieldType,
    role: Role,
    doc: FieldSyntax["doc"],
    span: Span,
  ): Draft<Field> {
    return {
      name,
      struct: this.struct as Struct,
      type,
      role,
      size: NOT_PLACED,
      offset: undefined,
      conditional: this.conditional,
      doc: docOf(doc),
      line: this.scope.line(span),
    };
  }

  take(name: string, span: Span): void {
    if (this.context.hasParam(name)) {
      this.scope.error("duplicate-field", span, `the struct has a parameter \`${name}\` already`);
    }
    const before = this.taken.get(name);
    if (before) {
      this.scope.error(
        "duplicate-field",
        span,
        `the struct has a field \`${name}\` already`,
        this.scope.here(before, "first here"),
      );
    }
    this.taken.set(name, span);
  }

  /** `reserved`, `reserved1`, … for what the schema gives no name. */
  private nameFor(kind: "reserved" | "slack"): string {
    for (;;) {
      const number = this.madeUp.get(kind) ?? 0;
      this.madeUp.set(kind, number + 1);
      const name = number === 0 ? kind : `${kind}${number}`;
      if (!this.taken.has(name)) return name;
    }
  }

  private role(syntax: FieldSyntax, type: FieldType | undefined): Role | undefined {
    if (syntax.value) {
      const constant = checkConstant(this.scope, syntax.value);
      if (!constant || !type) return undefined;
      if (type.kind !== "int" || syntax.reserved) {
        this.scope.error(
          "fixed-value",
          syntax.value.span,
          "only an integer that is not reserved can have a fixed value",
        );
        return undefined;
      }
      const { bits, signed } = type.int;
      if (!contains(rangeOf(type.int), constant.value)) {
        const space = contains(rawRange(bits, signed), constant.value)
          ? "a number: without `as number` it does"
          : `${bits} bits`;
        this.scope.error("value-range", syntax.value.span, `${constant.value} does not fit into ${space}`);
        return undefined;
      }
      return { kind: "constant", value: constant.value };
    }
    if (!syntax.reserved) return { kind: "value" };
    if (type && type.kind !== "int" && type.kind !== "bytes") {
      this.scope.error(
        "reserved-type",
        syntax.type.name.span,
        "only integers and arrays of them can be reserved",
      );
      return undefined;
    }
    return { kind: "reserved" };
  }

  private bits(syntax: BitsSyntax): Item[] {
    const scalar = scalarOf(syntax.scalar.text);
    if (!scalar || scalar.signed) {
      this.scope.error(
        "unknown-name",
        syntax.scalar.span,
        `\`${syntax.scalar.text}\` is not an unsigned integer type`,
      );
      return [];
    }
    const int = intType(scalar, scalar.order === "struct" ? this.context.structOrder() : scalar.order);
    const fields: Draft<Field>[] = [];
    let used = 0;
    for (const member of syntax.members) {
      const width = checkConstant(this.scope, member.width);
      if (!width) return [];
      if (width.value < 1n || width.value > BigInt(int.bits - used)) {
        this.scope.error(
          "bit-width",
          member.width.span,
          `${width.value} bits do not fit: ${int.bits - used} of ${int.bits} are left`,
        );
        return [];
      }
      const bits = Number(width.value);
      const meaning = member.type ? this.scope.lookup(member.type.text) : undefined;
      if (member.type && meaning?.kind !== "enum" && meaning?.kind !== "flags") {
        this.scope.unknown(member.type, "an enum or a flag set");
        return [];
      }
      const shift = syntax.msb ? int.bits - used - bits : used;
      const name = member.name?.text ?? this.nameFor("reserved");
      this.take(name, member.name?.span ?? member.span);
      const type: FieldType = {
        kind: "bits",
        width: bits,
        shift,
        // What fits into a number is one, however wide the container is.
        int: { ...int, rep: bits > 53 ? "bigint" : "number" },
        meaning: meaning?.kind === "enum" || meaning?.kind === "flags" ? meaning : undefined,
      };
      const role: Role = { kind: member.reserved ? "reserved" : "value" };
      const field = this.newField(name, type, role, member.doc, member.name?.span ?? member.span);
      fields.push(field);
      this.context.see(field);
      used += bits;
    }
    if (used !== int.bits) {
      this.scope.error(
        "bit-width",
        syntax.span,
        `the members take ${used} bits of ${int.bits}: name the rest \`reserved\``,
      );
      return [];
    }
    if (syntax.msb) fields.reverse();
    return [{ kind: "bits", int, fields, span: syntax.span }];
  }

  private where(syntax: ExprSyntax, field: Field | undefined): WhereNode | undefined {
    const condition = checkCondition(this.scope, this.context.around(), syntax);
    if (!condition) return undefined;
    if (condition.kind === "bool") {
      this.scope.error("constant-condition", syntax.span, `this constraint is always ${condition.value}`);
      return undefined;
    }
    this.context.narrow(condition);
    return {
      kind: "where",
      condition,
      text: this.scope.textOf(syntax.span),
      field,
      line: this.scope.line(syntax.span),
    };
  }
}

/** Whether values show that the item is there. */
function leavesTrace(item: Item): boolean {
  switch (item.kind) {
    case "field":
      return item.field.role.kind !== "constant";
    case "range":
    case "optional":
      return item.body.some(leavesTrace);
    case "if":
      return [...item.then, ...item.else].some(leavesTrace);
    case "where":
      return false;
    default:
      return true;
  }
}

function nameOfFirst(items: readonly Item[]): string | undefined {
  for (const item of items) {
    switch (item.kind) {
      case "field":
        return item.field.name;
      case "bits":
        return item.fields[0]?.name;
      case "switch":
        return item.head.name;
      case "range":
        return item.name;
      case "if":
        return nameOfFirst(item.then) ?? nameOfFirst(item.else);
      case "optional":
        return nameOfFirst(item.body);
    }
  }
  return undefined;
}
