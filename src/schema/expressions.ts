/**
 * Checks expressions: resolves names, settles on a representation (number, bigint, bool) and computes the range of every
 * part, so that arithmetic that could leave the exact range is refused here and not discovered at run time.
 */
import { assuming, type Facts, isSettled, NO_FACTS, valuesKnown } from "./facts.js";
import type { Expr, Field, Interval, IntType, Param } from "./ir.js";
import { compare, complementIn, isLiteral, literal, type Operand, withRep } from "./literals.js";
import { BOOL, canDiffer, corners, fill, hull, intervalOf, min, negate } from "./ranges.js";
import { MAX_SAFE, rangeOf, rawRange, type Scalar, scalarOf } from "./scalars.js";
import { constantValue, type Scope } from "./scope.js";
import type { BinaryOperator, ExprSyntax, Name, Span } from "./syntax.js";

/** What an expression inside a struct can see besides the names of the module. */
export interface Surroundings {
  field(name: string): Field | undefined;
  param(name: string): Param | undefined;
  /** The range of a field, narrowed by the constraints on it. */
  rangeOf(field: Field): Interval;
  /** What the conditions around have said. */
  readonly facts: Facts;
  readonly remaining: boolean;
  /** What a scalar means here, where what follows can be looked at before it is taken. */
  readonly peek: ((scalar: Scalar) => IntType) | undefined;
}

const NOTHING: Surroundings = {
  field: () => undefined,
  param: () => undefined,
  rangeOf: () => ({ min: 0n, max: 0n }),
  facts: NO_FACTS,
  remaining: false,
  peek: undefined,
};

/** Undefined after a diagnostic. */
export function checkExpr(scope: Scope, around: Surroundings, syntax: ExprSyntax): Expr | undefined {
  return new Checker(scope, around).check(syntax);
}

/** An expression where a condition is wanted: an integer counts as "not zero". */
export function checkCondition(scope: Scope, around: Surroundings, syntax: ExprSyntax): Expr | undefined {
  const checker = new Checker(scope, around);
  const expr = checker.check(syntax);
  return expr && checker.condition(expr, syntax.span);
}

/** A constant expression: no fields, no parameters. */
export function checkConstant(
  scope: Scope,
  syntax: ExprSyntax,
): { value: bigint; hint: string | undefined } | undefined {
  const expr = checkExpr(scope, NOTHING, syntax);
  if (!expr) return undefined;
  if (expr.kind === "int") return { value: expr.value, hint: expr.hint };
  scope.error("not-constant", syntax.span, "this must be a constant integer");
  return undefined;
}

/** An expression that counts elements or bytes: a number that is not negative. */
export function checkLength(
  scope: Scope,
  around: Surroundings,
  syntax: ExprSyntax,
  what: string,
): Expr | undefined {
  const expr = checkExpr(scope, around, syntax);
  if (!expr) return undefined;
  if (expr.rep === "bool") {
    scope.error("not-a-number", syntax.span, `${what} must be an integer, not a condition`);
    return undefined;
  }
  if (expr.kind === "int" && (expr.rep === "bigint" || expr.value < 0n)) {
    const [code, wrong] =
      expr.value < 0n
        ? ["negative-length", "it cannot be negative"]
        : ["too-large", "no input holds so many"];
    scope.error(code, syntax.span, `${what} is ${expr.value}: ${wrong}`);
    return undefined;
  }
  if (expr.rep === "bigint") {
    scope.error(
      "inexact-length",
      syntax.span,
      `${what} is a 64-bit integer: declare the field \`as number\``,
    );
    return undefined;
  }
  const range = intervalOf(expr);
  if (range.min < 0n) {
    scope.error(
      "negative-length",
      syntax.span,
      `${what} could be negative (${range.min}): bound it with \`where\``,
    );
    return undefined;
  }
  return expr;
}

class Checker {
  private readonly scope: Scope;
  private readonly around: Surroundings;
  /** What is known at the part that is being checked. */
  private facts: Facts;

  constructor(scope: Scope, around: Surroundings) {
    this.scope = scope;
    this.around = around;
    this.facts = around.facts;
  }

  check(syntax: ExprSyntax): Expr | undefined {
    switch (syntax.kind) {
      case "int":
        return literal(syntax.value);
      case "bool":
        return { kind: "bool", value: syntax.value, rep: "bool" };
      case "sizeof":
        return this.sizeOf(syntax.type);
      case "peek":
        return this.peek(syntax.type, syntax.span);
      case "name":
        return this.name(syntax.path, syntax.span);
      case "unary": {
        const arg = this.check(syntax.arg);
        if (!arg) return undefined;
        if (syntax.op === "!") {
          const truth = this.condition(arg, syntax.arg.span);
          if (!truth) return undefined;
          if (truth.kind === "bool") return { kind: "bool", value: !truth.value, rep: "bool" };
          return { kind: "unary", op: "!", arg: truth, rep: "bool", range: BOOL };
        }
        return this.unary(syntax.op, arg, syntax.span);
      }
      case "binary":
        return this.binary(syntax.op, syntax.left, syntax.right, syntax.span);
      case "conditional": {
        const test = this.check(syntax.test);
        const then = this.knowing(test, true, () => this.check(syntax.then));
        const otherwise = this.knowing(test, false, () => this.check(syntax.else));
        const condition = test && this.condition(test, syntax.test.span);
        if (!condition || !then || !otherwise) return undefined;
        const sides = this.unify(then, otherwise, syntax.span);
        if (!sides) return undefined;
        const [left, right] = sides;
        return {
          kind: "conditional",
          test: condition,
          then: left,
          else: right,
          rep: left.rep,
          range: hull(left, right),
        };
      }
    }
  }

  /** An expression where a condition is wanted. Undefined after a diagnostic: its result must not be known. */
  condition(expr: Expr, span: Span): Expr | undefined {
    const condition = this.asBool(expr);
    if (condition === expr || condition.kind !== "binary" || !this.isConstant(condition)) return condition;
    const isZero = intervalOf(expr).max === 0n || valuesKnown(this.facts, expr)?.has(0n) === true;
    this.scope.error("constant-condition", span, `this is ${isZero ? "always" : "never"} zero here`);
    return undefined;
  }

  private asBool(expr: Expr): Expr {
    if (expr.rep === "bool") return expr;
    if (expr.kind === "int") return { kind: "bool", value: expr.value !== 0n, rep: "bool" };
    const zero: Expr = {
      kind: "int",
      value: 0n,
      rep: expr.rep,
      range: { min: 0n, max: 0n },
      hint: undefined,
    };
    return { kind: "binary", op: "!=", left: expr, right: zero, rep: "bool", range: BOOL };
  }

  /** Checks a part that matters only where a condition has turned out to be `truth`; undefined where it always does. */
  private knowing<T>(condition: Expr | undefined, truth: boolean | undefined, check: () => T): T {
    const before = this.facts;
    if (condition !== undefined && truth !== undefined)
      this.facts = assuming(before, this.asBool(condition), truth);
    const made = check();
    this.facts = before;
    return made;
  }

  private name(path: readonly Name[], span: Span): Expr | undefined {
    const [first, ...rest] = path;
    if (!first) return undefined;
    const field = this.around.field(first.text);
    if (field) return this.fieldPath(field, rest, span);
    if (rest.length > 0) {
      this.scope.unknown(first, "an earlier field");
      return undefined;
    }
    const param = this.around.param(first.text);
    if (param) return this.paramRef(param, first.span);
    if (first.text === "remaining") {
      if (this.around.remaining)
        return { kind: "remaining", rep: "number", range: { min: 0n, max: MAX_SAFE } };
      this.scope.error(
        "remaining",
        first.span,
        "`remaining` can stand only in `[while …]` and as the tag of a `switch`",
      );
      return undefined;
    }
    const constant = constantValue(this.scope.lookup(first.text));
    if (constant) return literal(constant.value, constant.hint);
    this.scope.unknown(first, "an earlier field, a parameter or a constant");
    return undefined;
  }

  private fieldPath(first: Field, rest: readonly Name[], span: Span): Expr | undefined {
    const path = [first];
    let field = first;
    for (const name of rest) {
      const inner =
        field.type.kind === "struct" ? field.type.struct.fields.find((f) => f.name === name.text) : undefined;
      if (!inner) {
        this.scope.error("unknown-name", name.span, `\`${field.name}\` has no field \`${name.text}\``);
        return undefined;
      }
      if (inner.role.kind === "derived" || inner.offset === undefined || inner.conditional) {
        const why =
          inner.role.kind === "derived"
            ? "is derived inside its own struct"
            : "is not always there, or not always in one place";
        this.scope.error("unusable-field", name.span, `\`${name.text}\` ${why}, so it cannot be used here`);
        return undefined;
      }
      path.push(inner);
      field = inner;
    }
    if (field.type.kind === "int") {
      const range = path.length === 1 ? this.around.rangeOf(field) : rangeOf(field.type.int);
      return { kind: "field", path, rep: field.type.int.rep, range };
    }
    if (field.type.kind === "bits") {
      const range = path.length === 1 ? this.around.rangeOf(field) : rawRange(field.type.width, false);
      return { kind: "field", path, rep: field.type.width > 53 ? "bigint" : "number", range };
    }
    this.scope.error("not-a-number", span, `\`${field.name}\` is not an integer`);
    return undefined;
  }

  private paramRef(param: Param, span: Span): Expr | undefined {
    switch (param.type.kind) {
      case "bool":
        return { kind: "param", param, rep: "bool", range: BOOL };
      case "int":
        return { kind: "param", param, rep: param.type.int.rep, range: rangeOf(param.type.int) };
      case "order":
        this.scope.error("not-a-number", span, `\`${param.name}\` is a byte order, not an integer`);
        return undefined;
    }
  }

  private sizeOf(type: Name): Expr | undefined {
    const scalar = scalarOf(type.text);
    if (scalar) return literal(BigInt(scalar.bits / 8), `sizeof(${type.text})`);
    const meaning = this.scope.lookup(type.text);
    if (!meaning) {
      this.scope.unknown(type, "a type");
      return undefined;
    }
    if (meaning.kind === "struct" && meaning.fixed !== undefined)
      return literal(BigInt(meaning.fixed), `sizeof(${type.text})`);
    if (meaning.kind === "enum" || meaning.kind === "flags") {
      return literal(BigInt(meaning.int.bits / 8), `sizeof(${type.text})`);
    }
    this.scope.error("sizeof", type.span, `\`${type.text}\` has no constant size`);
    return undefined;
  }

  private peek(type: Name, span: Span): Expr | undefined {
    const scalar = scalarOf(type.text);
    if (scalar === undefined || scalar.bits === 64) {
      this.scope.error("peek", type.span, "only an integer of up to 32 bits can be looked at");
      return undefined;
    }
    if (this.around.peek === undefined) {
      this.scope.error("peek", span, "`peek` can stand only in `[while …]`, and not in a stream");
      return undefined;
    }
    const int = this.around.peek(scalar);
    return { kind: "peek", int, rep: "number", range: rangeOf(int) };
  }

  private unary(op: "-" | "~", arg: Expr, span: Span): Expr | undefined {
    if (!this.isInteger(arg, span)) return undefined;
    if (arg.kind === "int") {
      // `~` of a literal has no width; it takes one from the mask that it is meant for.
      return op === "-" ? literal(-arg.value) : literal(~arg.value & 0xffff_ffff_ffff_ffffn);
    }
    if (op === "-")
      return this.bounded({ kind: "unary", op, arg, rep: arg.rep, range: negate(arg.range) }, span);
    const width = arg.rep === "bigint" ? 64 : 32;
    if (!this.fitsBits(arg, width, span)) return undefined;
    return { kind: "unary", op, arg, rep: arg.rep, range: rawRange(width, false) };
  }

  private binary(
    op: BinaryOperator,
    leftSyntax: ExprSyntax,
    rightSyntax: ExprSyntax,
    span: Span,
  ): Expr | undefined {
    const left = this.check(leftSyntax);
    // What stands to the right of `&&` and `||` is looked at only after the left has turned out true, or false.
    const truth = op === "&&" ? true : op === "||" ? false : undefined;
    const right = this.knowing(left, truth, () => this.check(rightSyntax));
    if (!left || !right) return undefined;
    if (op === "&&" || op === "||") {
      const a = this.condition(left, leftSyntax.span);
      const b = this.knowing(left, truth, () => this.condition(right, rightSyntax.span));
      if (!a || !b) return undefined;
      return { kind: "binary", op, left: a, right: b, rep: "bool", range: BOOL };
    }
    if ((op === "==" || op === "!=") && left.rep === "bool" && right.rep === "bool") {
      return { kind: "binary", op, left, right, rep: "bool", range: BOOL };
    }
    if (!this.isInteger(left, leftSyntax.span) || !this.isInteger(right, rightSyntax.span)) return undefined;
    if (left.kind === "int" && right.kind === "int") return this.fold(op, left.value, right.value, span);
    const sides = this.unify(left, right, span);
    if (!sides) return undefined;
    const [a, b] = sides;
    if (a.kind === "bool" || b.kind === "bool") return undefined;
    const typed = { kind: "binary", op, left: a, right: b } as const;
    switch (op) {
      case "==":
      case "!=":
      case "<":
      case "<=":
      case ">":
      case ">=": {
        const comparison = { ...typed, rep: "bool", range: BOOL } as const;
        if (!this.isConstant(comparison)) return comparison;
        this.scope.error("constant-condition", span, "this comparison always has the same result");
        return undefined;
      }
      case "+":
        return this.bounded(
          { ...typed, rep: a.rep, range: { min: a.range.min + b.range.min, max: a.range.max + b.range.max } },
          span,
        );
      case "-":
        return this.bounded(
          { ...typed, rep: a.rep, range: { min: a.range.min - b.range.max, max: a.range.max - b.range.min } },
          span,
        );
      case "*":
        return this.bounded(
          { ...typed, rep: a.rep, range: corners(a.range, b.range, (x, y) => x * y) },
          span,
        );
      case "/":
      case "%":
        if (b.range.min <= 0n) {
          this.scope.error(
            "division-by-zero",
            rightSyntax.span,
            "the divisor could be zero or negative: bound it with `where`",
          );
          return undefined;
        }
        if (op === "/") return { ...typed, rep: a.rep, range: corners(a.range, b.range, (x, y) => x / y) };
        if (a.range.min < 0n) return this.negativeOperand(leftSyntax.span);
        return { ...typed, rep: a.rep, range: { min: 0n, max: min(a.range.max, b.range.max - 1n) } };
      case "<<":
      case ">>":
        if (b.range.min < 0n || b.range.max > 63n) {
          this.scope.error(
            "shift",
            rightSyntax.span,
            `a shift must be between 0 and 63, this can be ${b.range.max}: bound it with \`where\``,
          );
          return undefined;
        }
        if (a.range.min < 0n) return this.negativeOperand(leftSyntax.span);
        if (op === ">>")
          return {
            ...typed,
            rep: a.rep,
            range: { min: a.range.min >> b.range.max, max: a.range.max >> b.range.min },
          };
        return this.bounded(
          {
            ...typed,
            rep: a.rep,
            range: { min: a.range.min << b.range.min, max: a.range.max << b.range.max },
          },
          span,
        );
      case "&":
      case "|":
      case "^": {
        const width = a.rep === "bigint" ? 64 : 32;
        const [x, y] = [complementIn(a, leftSyntax, width), complementIn(b, rightSyntax, width)];
        if (!this.fitsBits(x, width, leftSyntax.span) || !this.fitsBits(y, width, rightSyntax.span))
          return undefined;
        const top = op === "&" ? min(x.range.max, y.range.max) : fill(x.range.max | y.range.max);
        return { ...typed, left: x, right: y, rep: a.rep, range: { min: 0n, max: top } };
      }
    }
  }

  /** Constants stay within 64 bits: powers of powers would otherwise take all the memory there is. */
  private constant(value: bigint, span: Span): Expr | undefined {
    if (value >= -(1n << 64n) && value <= 1n << 64n) return literal(value);
    this.scope.error("arithmetic-overflow", span, "this constant takes more than 64 bits");
    return undefined;
  }

  private fold(op: BinaryOperator, a: bigint, b: bigint, span: Span): Expr | undefined {
    switch (op) {
      case "+":
        return this.constant(a + b, span);
      case "-":
        return this.constant(a - b, span);
      case "*":
        return this.constant(a * b, span);
      case "/":
      case "%":
        if (b === 0n) {
          this.scope.error("division-by-zero", span, "division by zero");
          return undefined;
        }
        return literal(op === "/" ? a / b : a % b);
      case "<<":
      case ">>":
        if (b < 0n || b > 63n) {
          this.scope.error("shift", span, `a shift must be between 0 and 63, this is ${b}`);
          return undefined;
        }
        return this.constant(op === "<<" ? a << b : a >> b, span);
      case "&":
        return literal(a & b);
      case "|":
        return literal(a | b);
      case "^":
        return literal(a ^ b);
      default:
        return { kind: "bool", value: compare(op, a, b), rep: "bool" };
    }
  }

  private isInteger(expr: Expr, span: Span): expr is Operand {
    if (expr.rep !== "bool") return true;
    this.scope.error("not-a-number", span, "this is a condition, not an integer");
    return false;
  }

  /** Gives both sides the same representation. Literals take that of the other side. */
  private unify(left: Expr, right: Expr, span: Span): readonly [Expr, Expr] | undefined {
    if (left.rep === right.rep) return [left, right];
    if (isLiteral(left) && right.rep !== "bool") return [withRep(left, right.rep), right];
    if (isLiteral(right) && left.rep !== "bool") return [left, withRep(right, left.rep)];
    const message =
      left.rep === "bool" || right.rep === "bool"
        ? "one side is a condition and the other an integer"
        : "one side is a number and the other an exact 64-bit integer: declare the 64-bit field `as number`";
    this.scope.error("mixed-representation", span, message);
    return undefined;
  }

  private fitsBits(expr: Operand, width: number, span: Span): boolean {
    const top = rawRange(width, false).max;
    if (expr.range.min >= 0n && expr.range.max <= top) return true;
    this.scope.error("bit-operation", span, `bit operators need ${width} bits or less here, and no sign`);
    return false;
  }

  private bounded<T extends Operand>(expr: T, span: Span): T | undefined {
    if (expr.rep !== "number" || (expr.range.min >= -MAX_SAFE && expr.range.max <= MAX_SAFE)) return expr;
    this.scope.error(
      "arithmetic-overflow",
      span,
      `this can reach ${expr.range.max}, beyond 2^53: bound its operands with \`where\``,
    );
    return undefined;
  }

  private negativeOperand(span: Span): undefined {
    this.scope.error("bit-operation", span, "the left side could be negative");
    return undefined;
  }

  /** Whether the result of a comparison follows from what its sides can be. */
  private isConstant(comparison: Expr & { readonly kind: "binary" }): boolean {
    const { op, left, right } = comparison;
    return !canDiffer(op, intervalOf(left), intervalOf(right)) || isSettled(this.facts, comparison);
  }
}
