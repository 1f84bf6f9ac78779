import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Scope } from "../../../src/codegen/names.js";
import { Printer } from "../../../src/codegen/printer.js";
import { type Environment, expression, negation } from "../../../src/codegen/typescript/expressions.js";
import type { BinaryOp, Expr, Interval, Param, Rep } from "../../../src/schema/ir.js";

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Variables of several ranges, as fields of several widths have them. */
const variables: readonly { readonly param: Param; readonly range: Interval }[] = (
  [
    ["u8", 0n, 0xffn],
    ["s16", -0x8000n, 0x7fffn],
    ["s32", -0x8000_0000n, 0x7fff_ffffn],
    ["u32", 0n, 0xffff_ffffn],
    ["u53", 0n, SAFE],
    ["s53", -SAFE, SAFE],
  ] as const
).map(([name, min, max]) => ({
  param: { name, type: { kind: "bool" }, implicit: false },
  range: { min, max },
}));

const env: Environment = {
  field: () => {
    throw new Error("no fields here");
  },
  param: ({ name }) => name,
  remaining: () => {
    throw new Error("no range here");
  },
};

/** What C's operators would give if integers had no bound. Undefined: division by zero, or a shift of silly width. */
function oracle(expr: Expr, values: ReadonlyMap<Param, bigint>): bigint | undefined {
  switch (expr.kind) {
    case "int":
      return expr.value;
    case "param":
      return values.get(expr.param);
    case "unary": {
      const arg = oracle(expr.arg, values);
      if (arg === undefined) return undefined;
      return expr.op === "-" ? -arg : expr.op === "~" ? ~arg : arg === 0n ? 1n : 0n;
    }
    case "conditional": {
      const test = oracle(expr.test, values);
      return test === undefined ? undefined : oracle(test === 0n ? expr.else : expr.then, values);
    }
    case "binary": {
      const left = oracle(expr.left, values);
      const right = oracle(expr.right, values);
      return left === undefined || right === undefined ? undefined : apply(expr.op, left, right);
    }
    default:
      throw new Error(expr.kind);
  }
}

function apply(op: BinaryOp, a: bigint, b: bigint): bigint | undefined {
  const truth = (value: boolean): bigint => (value ? 1n : 0n);
  switch (op) {
    case "*":
      return a * b;
    case "/":
      return b === 0n ? undefined : a / b;
    case "%":
      return b === 0n ? undefined : a % b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "<<":
      return b < 0n || b > 63n ? undefined : a << b;
    case ">>":
      return b < 0n || b > 63n ? undefined : a >> b;
    case "<":
      return truth(a < b);
    case "<=":
      return truth(a <= b);
    case ">":
      return truth(a > b);
    case ">=":
      return truth(a >= b);
    case "==":
      return truth(a === b);
    case "!=":
      return truth(a !== b);
    case "&":
      return a & b;
    case "^":
      return a ^ b;
    case "|":
      return a | b;
    case "&&":
      return truth(a !== 0n && b !== 0n);
    case "||":
      return truth(a !== 0n || b !== 0n);
  }
}

/** A range that holds the results for all corners of the operands' ranges; wide enough for bit operators too. */
function rangeOfResult(op: BinaryOp, a: Interval, b: Interval): Interval {
  if (op === "&" || op === "|" || op === "^") {
    const bits = [a.min, a.max, b.min, b.max].map(
      (value) => (value < 0n ? ~value : value).toString(2).length,
    );
    const all = (1n << BigInt(Math.max(...bits))) - 1n;
    return { min: a.min < 0n || b.min < 0n ? ~all : 0n, max: all };
  }
  const corners = [a.min, a.max, 0n, 1n, -1n].filter((value) => value >= a.min && value <= a.max);
  const others = [b.min, b.max, 0n, 1n, -1n].filter((value) => value >= b.min && value <= b.max);
  const results = corners.flatMap((x) => others.flatMap((y) => apply(op, x, y) ?? []));
  if (op === "%") results.push(-(b.max > 0n ? b.max : -b.min), b.max > 0n ? b.max : -b.min, 0n);
  return {
    min: results.reduce((x, y) => (x < y ? x : y), 0n),
    max: results.reduce((x, y) => (x > y ? x : y), 0n),
  };
}

const ARITHMETIC: readonly BinaryOp[] = ["*", "/", "%", "+", "-", "<<", ">>", "&", "^", "|"];
const COMPARING: readonly BinaryOp[] = ["<", "<=", ">", ">=", "==", "!="];

function rangeOf(expr: Expr): Interval {
  return expr.kind === "bool" ? { min: 0n, max: 1n } : expr.range;
}

/** Expressions as the compiler lets them through: none that could leave the exact range. */
function numbers(rep: Rep, depth: number): fc.Arbitrary<Expr> {
  const leaf: fc.Arbitrary<Expr> = fc.oneof(
    fc.constantFrom(...variables).map(({ param, range }): Expr => ({ kind: "param", param, rep, range })),
    fc
      .oneof(
        fc.bigInt(-300n, 300n),
        fc.constantFrom(0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, SAFE),
      )
      .map(
        (value): Expr => ({ kind: "int", value, rep, range: { min: value, max: value }, hint: undefined }),
      ),
  );
  if (depth === 0) return leaf;
  const inner = numbers(rep, depth - 1);
  const shifts = fc
    .bigInt(0n, 40n)
    .map((value): Expr => ({ kind: "int", value, rep, range: { min: value, max: value }, hint: undefined }));
  return fc.oneof(
    leaf,
    fc.tuple(fc.constantFrom(...ARITHMETIC), inner, inner, shifts).map(([op, left, other, by]): Expr => {
      const right = op === "<<" || op === ">>" ? by : other;
      const range = rangeOfResult(op, rangeOf(left), rangeOf(right));
      const lossy = range.min < -SAFE || range.max > SAFE;
      return rep === "number" && lossy ? left : { kind: "binary", op, left, right, rep, range };
    }),
    fc.tuple(fc.constantFrom("-" as const, "~" as const), inner).map(([op, arg]): Expr => {
      const { min, max } = rangeOf(arg);
      const range = op === "-" ? { min: -max, max: -min } : { min: ~max, max: ~min };
      const lossy = range.min < -SAFE || range.max > SAFE;
      return rep === "number" && lossy ? arg : { kind: "unary", op, arg, rep, range };
    }),
    fc.tuple(truths(rep, depth - 1), inner, inner).map(([test, yes, no]): Expr => {
      const [a, b] = [rangeOf(yes), rangeOf(no)];
      const range = { min: a.min < b.min ? a.min : b.min, max: a.max > b.max ? a.max : b.max };
      return { kind: "conditional", test, then: yes, else: no, rep, range };
    }),
  );
}

const BOOL = { rep: "bool", range: { min: 0n, max: 1n } } as const;

function truths(rep: Rep, depth: number): fc.Arbitrary<Expr> {
  const comparison = fc
    .tuple(fc.constantFrom(...COMPARING), numbers(rep, depth), numbers(rep, depth))
    .map(([op, left, right]): Expr => ({ kind: "binary", op, left, right, ...BOOL }));
  if (depth === 0) return comparison;
  const inner = truths(rep, depth - 1);
  return fc.oneof(
    comparison,
    inner.map((arg): Expr => ({ kind: "unary", op: "!", arg, ...BOOL })),
    fc
      .tuple(fc.constantFrom("&&" as const, "||" as const), inner, inner)
      .map(([op, left, right]): Expr => ({ kind: "binary", op, left, right, ...BOOL })),
  );
}

const values = fc.tuple(
  ...variables.map(({ range }) => fc.oneof(fc.bigInt(range), fc.constantFrom(range.min, range.max, 0n, 1n))),
);

function evaluate(part: ReturnType<typeof expression>, rep: Rep, given: readonly bigint[]): unknown {
  const text = new Printer(new Scope()).text(part);
  const names = variables.map(({ param }) => param.name);
  return new Function(...names, `return ${text};`)(
    ...given.map((each) => (rep === "bigint" ? each : Number(each))),
  );
}

describe.each(["number", "bigint"] as const)("an expression held as %s", (rep) => {
  it("has the value that it would have without bounds", () => {
    fc.assert(
      fc.property(numbers(rep, 4), values, (expr, given) => {
        const expected = oracle(expr, new Map(variables.map(({ param }, i) => [param, given[i] ?? 0n])));
        fc.pre(expected !== undefined);
        const actual = evaluate(expression(expr, env), rep, given);
        expect(typeof actual).toBe(rep);
        // -0 is 0: it is a number like another when it is written.
        expect(BigInt(actual as number)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("holds exactly when its negation does not", () => {
    fc.assert(
      fc.property(truths(rep, 3), values, (expr, given) => {
        const expected = oracle(expr, new Map(variables.map(({ param }, i) => [param, given[i] ?? 0n])));
        fc.pre(expected !== undefined);
        expect(evaluate(expression(expr, env), rep, given)).toBe(expected === 1n);
        expect(evaluate(negation(expr, env), rep, given)).toBe(expected === 0n);
      }),
      { numRuns: 2000 },
    );
  });
});
