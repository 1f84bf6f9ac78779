/** Switches: their tags, labels, arms and what an unknown tag means. */
import type { StructContext } from "./context.js";
import type { ArmItem, DefaultItem, Item, SwitchItem } from "./draft.js";
import { checkCondition, checkExpr } from "./expressions.js";
import { chosen } from "./facts.js";
import type { Expr } from "./ir.js";
import { Labels, valuesOf } from "./labels.js";
import { docOf, type Scope } from "./scope.js";
import type { CaseSyntax, DefaultSyntax, FieldSyntax, Span, SwitchSyntax } from "./syntax.js";

/** What the members of a struct have in common with the arms of its switches. */
export interface Fields {
  /** Under an `if` or `optional`: a value may lack what is made here. */
  readonly isConditional: boolean;
  /** Claims a name of the struct. */
  take(name: string, span: Span): void;
  /** Undefined after a diagnostic. */
  make(syntax: FieldSyntax, take: (name: string) => void): Omit<ArmItem, "span"> | undefined;
}

export class SwitchChecker {
  private readonly context: StructContext;
  private readonly scope: Scope;
  private readonly fields: Fields;

  constructor(context: StructContext, fields: Fields) {
    this.context = context;
    this.scope = context.scope;
    this.fields = fields;
  }

  check(syntax: SwitchSyntax): Item[] {
    const on = checkExpr(this.scope, this.context.around("remaining"), syntax.on);
    const name = syntax.name?.text ?? "body";
    this.fields.take(name, syntax.name?.span ?? syntax.span);
    const labels = new Labels(this.scope, on, on && this.context.valuesOf(on));
    const names = new Set<string>();
    const cases = syntax.cases.flatMap((one) => this.case(one, on, labels, names));
    const otherwise = this.default(syntax.default, labels, names, syntax);
    if (!on || !otherwise) return [];
    if (on.rep === "bool") {
      this.scope.error("not-a-number", syntax.on.span, "a tag must be an integer: use `if` for a condition");
      return [];
    }
    const head = {
      name,
      on,
      conditional: this.fields.isConditional,
      doc: docOf(syntax.doc),
      line: this.scope.line(syntax.name?.span ?? syntax.span),
    };
    return [{ kind: "switch", head, cases, default: otherwise, span: syntax.span }];
  }

  private case(
    syntax: CaseSyntax,
    on: Expr | undefined,
    labels: Labels,
    names: Set<string>,
  ): SwitchItem["cases"] {
    const checked = syntax.labels.flatMap((label) => labels.add(label.from, label.to));
    const values = valuesOf(checked);
    const arm = this.context.knowing(
      (facts) => (on && values ? chosen(facts, on, values) : facts),
      () => syntax.arm && this.arm(syntax.arm, names),
    );
    if (syntax.arm && !arm) return [];
    const first = syntax.labels[0];
    // A case without an arm is called by its label, in the style of the arms around it.
    const label = checked[0]?.hint ?? (first ? this.scope.textOf(first.from.span) : "none");
    const name = arm?.field.name ?? label.toLowerCase();
    if (!arm) this.takeCase(name, syntax.span, names);
    return [{ labels: checked, name, arm, line: this.scope.line(syntax.span) }];
  }

  private arm(syntax: FieldSyntax, names: Set<string>): ArmItem | undefined {
    // The arms of a switch have names of their own; nothing outside can refer to them.
    const take = (name: string): void => this.takeCase(name, syntax.span, names);
    const made = this.context.inBlock(() => this.fields.make(syntax, take));
    return made && { ...made, span: syntax.span };
  }

  private takeCase(name: string, span: Span, names: Set<string>): void {
    if (names.has(name))
      this.scope.error("duplicate-field", span, `this switch has a case \`${name}\` already`);
    names.add(name);
  }

  private default(
    syntax: DefaultSyntax | undefined,
    labels: Labels,
    names: Set<string>,
    around: SwitchSyntax,
  ): DefaultItem | undefined {
    const line = this.scope.line(syntax?.span ?? around.span);
    if (!syntax) {
      if (labels.exhaustive()) return { kind: "refuse", line };
      this.scope.error(
        "missing-default",
        around.span,
        "say what an unknown tag means: default keep, skip or refuse",
      );
      return undefined;
    }
    if (labels.exhaustive()) {
      this.scope.error("unreachable-case", syntax.span, "the cases cover every value already");
    }
    if (syntax.kind === "refuse") return { kind: "refuse", line };
    const arm = this.context.knowing(
      (facts) => facts,
      () => this.arm(syntax.arm, names),
    );
    if (!arm) return undefined;
    if (syntax.kind === "keep") return { kind: "keep", arm };
    const condition = checkCondition(this.scope, this.context.around(), syntax.condition);
    return condition && { kind: "skip", condition, arm };
  }
}
