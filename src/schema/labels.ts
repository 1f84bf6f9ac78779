/** The labels of a switch: none twice, none that the tag cannot be. */
import { checkConstant } from "./expressions.js";
import { Intervals } from "./intervals.js";
import type { Enum, Expr, Flags, Interval } from "./ir.js";
import { intervalOf } from "./ranges.js";
import type { Scope } from "./scope.js";
import type { ExprSyntax, Span } from "./syntax.js";

export class Labels {
  private readonly scope: Scope;
  private readonly range: Interval | undefined;
  /** The values of a closed enum, when the tag is one: they are all there is to cover. */
  private readonly values: readonly { readonly value: bigint; readonly to: bigint }[] | undefined;
  /** All that the tag can be after the conditions around, where they say so much. */
  private readonly possible: ReadonlySet<bigint> | undefined;
  private readonly seen = new Intervals<Span>();

  constructor(scope: Scope, tag: Expr | undefined, possible: ReadonlySet<bigint> | undefined) {
    this.scope = scope;
    this.possible = possible;
    this.range = tag && tag.rep !== "bool" ? intervalOf(tag) : undefined;
    const meaning = tag && meaningOf(tag);
    this.values = meaning?.kind === "enum" && meaning.closed ? meaning.members : undefined;
  }

  add(
    fromSyntax: ExprSyntax,
    toSyntax: ExprSyntax | undefined,
  ): { from: bigint; to: bigint; hint: string | undefined }[] {
    const from = checkConstant(this.scope, fromSyntax);
    const to = toSyntax ? checkConstant(this.scope, toSyntax) : (this.endOfNamedRange(fromSyntax) ?? from);
    if (!from || !to) return [];
    const span = { start: fromSyntax.span.start, end: (toSyntax ?? fromSyntax).span.end };
    if (to.value < from.value) {
      this.scope.error("empty-range", span, "this range ends before it begins");
      return [];
    }
    if (this.range && (from.value < this.range.min || to.value > this.range.max)) {
      this.scope.error(
        "unreachable-case",
        span,
        `the tag is between ${this.range.min} and ${this.range.max}`,
      );
      return [];
    }
    if (this.values && !this.values.some(({ value, to: end }) => from.value <= end && to.value >= value)) {
      this.scope.error("unreachable-case", span, "the closed enum of the tag has no such value");
      return [];
    }
    const { possible } = this;
    const few = valuesOf([{ from: from.value, to: to.value }]);
    if (possible && few?.some((value) => !possible.has(value))) {
      this.scope.error("unreachable-case", span, `the tag can only be ${[...possible].join(" or ")} here`);
      return [];
    }
    const clash = this.seen.claim(from.value, to.value, span);
    if (clash) {
      this.scope.error(
        "overlapping-case",
        span,
        "this value has a case already",
        this.scope.here(clash, "here"),
      );
      return [];
    }
    return [{ from: from.value, to: to.value, hint: toSyntax ? undefined : from.hint }];
  }

  /** The name of a range stands for all of it. */
  private endOfNamedRange(syntax: ExprSyntax): { readonly value: bigint } | undefined {
    const name = syntax.kind === "name" && syntax.path.length === 1 ? syntax.path[0]?.text : undefined;
    const meaning = name === undefined ? undefined : this.scope.lookup(name);
    return meaning?.kind === "member" ? { value: meaning.to } : undefined;
  }

  exhaustive(): boolean {
    if (this.values) return this.values.every(({ value, to }) => this.seen.covers(value, to));
    if (!this.range) return false;
    return this.seen.count() === this.range.max - this.range.min + 1n;
  }
}

/** A range of more labels than these says little about the tag. */
const MAX_VALUES = 8n;

/** The values of labels, when they are few. */
export function valuesOf(
  labels: readonly { readonly from: bigint; readonly to: bigint }[],
): bigint[] | undefined {
  const values: bigint[] = [];
  for (const { from, to } of labels) {
    if (to - from >= MAX_VALUES) return undefined;
    for (let value = from; value <= to; value++) values.push(value);
  }
  return values;
}

function meaningOf(tag: Expr): Enum | Flags | undefined {
  if (tag.kind === "param") return tag.param.type.kind === "int" ? tag.param.type.meaning : undefined;
  const field = tag.kind === "field" ? tag.path[tag.path.length - 1] : undefined;
  return field?.type.kind === "int" || field?.type.kind === "bits" ? field.type.meaning : undefined;
}
