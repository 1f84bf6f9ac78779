/**
 * Expressions of the schema as TypeScript. Numbers must come out as if they had no upper bound: JavaScript's bit
 * operators work on 32 signed bits, so each is used only where the ranges of the operands make it exact.
 */
import type { BinaryOp, Expr, Field, Interval, IntType, Param } from "../../schema/ir.js";
import { intervalOf } from "../../schema/ranges.js";
import { peekedBytes } from "../../schema/reads.js";
import type { Part } from "../printer.js";

/** How the place where an expression is printed gets at what the expression refers to. */
export interface Environment {
  field(path: readonly Field[]): Part;
  param(param: Param): Part;
  remaining(): Part;
  /** The integer at the cursor, where there is one to look from: never on encode. */
  peek?(int: IntType): Part;
}

/** Precedence of JavaScript's operators; a tighter one is larger. */
const LEVEL = {
  conditional: 1,
  "||": 2,
  "&&": 3,
  "|": 4,
  "^": 5,
  "&": 6,
  equality: 7,
  relational: 8,
  shift: 9,
  additive: 10,
  multiplicative: 11,
  unary: 12,
  primary: 14,
} as const;

type Binary = Expr & { readonly kind: "binary" };
type Unary = Expr & { readonly kind: "unary" };

interface Printed {
  readonly part: Part;
  readonly level: number;
}

/** The expression with an operand's parentheses: it can stand next to any operator. */
export function operand(expr: Expr, env: Environment): Part {
  return wrapped(print(expr, env), LEVEL.unary);
}

/** The expression as it stands alone: in an argument list, behind `=`, in the parentheses of an `if`. */
export function expression(expr: Expr, env: Environment): Part {
  return print(expr, env).part;
}

/** `!(expr)`, simplified. */
export function negation(expr: Expr, env: Environment): Part {
  if (expr.kind === "bool") return String(!expr.value);
  if (expr.kind === "unary" && expr.op === "!") return expression(expr.arg, env);
  if (expr.kind === "binary") {
    const opposite = OPPOSITE[expr.op];
    if (opposite !== undefined) return expression({ ...expr, op: opposite }, env);
  }
  return ["!", wrapped(print(expr, env), LEVEL.unary)];
}

/** The test before each element of an array that goes on while a condition holds. */
export function goesOn(condition: Expr, env: Environment): Part {
  const peeked = peekedBytes(condition);
  const there = peeked > 1 ? `reader.end - reader.at >= ${peeked}` : "reader.at < reader.end";
  const loose = condition.kind === "conditional" || (condition.kind === "binary" && condition.op === "||");
  const test = expression(condition, env);
  return [there, " && ", loose ? ["(", test, ")"] : test];
}

/** Sizes and limits that are round in hexadecimal read better there. */
export function isRound(value: bigint): boolean {
  return value >= 0x1000n && (value & 0xffn) === 0n;
}

/** The text is a variable or a number: cheap and safe to repeat. */
export function isVariable(text: string): boolean {
  return /^[\w$]+$/.test(text);
}

/** `0x1f`, `31`, `-1`; bigints with their `n`. */
export function literal(value: bigint, rep: "number" | "bigint", radix: 10 | 16 = 10): string {
  const digits =
    radix === 16
      ? `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}`
      : value.toString();
  return rep === "bigint" ? `${digits}n` : digits;
}

const OPPOSITE: Partial<Record<BinaryOp, BinaryOp>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
};

function print(expr: Expr, env: Environment, radix: 10 | 16 = 10): Printed {
  switch (expr.kind) {
    case "int": {
      const text = literal(
        expr.value,
        expr.rep,
        expr.hint === undefined && !isRound(expr.value) ? radix : 16,
      );
      const part = expr.hint === undefined ? text : `${text} /* ${expr.hint} */`;
      return { part, level: expr.value < 0n ? LEVEL.unary : LEVEL.primary };
    }
    case "bool":
      return { part: String(expr.value), level: LEVEL.primary };
    case "field":
      return { part: env.field(expr.path), level: LEVEL.primary };
    case "param":
      return { part: env.param(expr.param), level: LEVEL.primary };
    case "remaining":
      return { part: env.remaining(), level: LEVEL.additive };
    case "peek":
      if (env.peek === undefined) throw new Error("what follows is not known here");
      return { part: env.peek(expr.int), level: LEVEL.primary };
    case "unary":
      return unary(expr, env);
    case "binary":
      return binary(expr, env);
    case "conditional":
      return {
        part: [
          wrapped(print(expr.test, env), LEVEL["||"]),
          " ? ",
          wrapped(print(expr.then, env), LEVEL["||"]),
          " : ",
          wrapped(print(expr.else, env), LEVEL.conditional),
        ],
        level: LEVEL.conditional,
      };
  }
}

function unary(expr: Unary, env: Environment): Printed {
  const arg = print(expr.arg, env);
  if (expr.op === "~" && expr.rep === "number" && !isInt32(intervalOf(expr.arg))) {
    return { part: ["-1 - ", wrapped(arg, LEVEL.multiplicative)], level: LEVEL.additive };
  }
  // A minus before a minus would read as a decrement.
  return { part: [expr.op, wrapped(arg, LEVEL.primary)], level: LEVEL.unary };
}

function binary(expr: Binary, env: Environment): Printed {
  switch (expr.op) {
    case "&&":
    case "||": {
      // Not needed by the grammar, but nobody should have to know which of the two binds tighter.
      const side = (each: Expr): Part =>
        each.kind === "binary" && each.op !== expr.op && (each.op === "&&" || each.op === "||")
          ? ["(", print(each, env).part, ")"]
          : wrapped(print(each, env), LEVEL[expr.op as "&&" | "||"]);
      return { part: [side(expr.left), ` ${expr.op} `, side(expr.right)], level: LEVEL[expr.op] };
    }
    case "==":
    case "!=":
      return comparison(expr, `${expr.op}=`, LEVEL.equality, env);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return comparison(expr, expr.op, LEVEL.relational, env);
    case "+":
    case "-":
      return plain(expr, LEVEL.additive, env);
    case "*":
    case "%":
      return plain(expr, LEVEL.multiplicative, env);
    case "/":
      return division(expr, env);
    case "<<":
    case ">>":
      return shift(expr, env);
    case "&":
    case "|":
    case "^":
      return bitwise(expr, env);
  }
}

/** Left-associative, with an operator that does what C's does. */
function plain(
  expr: Binary,
  level: number,
  env: Environment,
  radix: 10 | 16 = 10,
  op: string = expr.op,
): Printed {
  return {
    part: [
      wrapped(print(expr.left, env, radix), level),
      ` ${op} `,
      wrapped(print(expr.right, env, radix), level + 1),
    ],
    level,
  };
}

function comparison(expr: Binary, op: string, level: number, env: Environment): Printed {
  const zero = expr.right.kind === "int" && expr.right.value === 0n && (op === "===" || op === "!==");
  // The sign of a set of bits does not matter when all that is asked is whether it is empty.
  const left =
    zero && expr.left.kind === "binary" && isBitwise(expr.left.op)
      ? bitwise(expr.left, env, true)
      : print(expr.left, env);
  return {
    part: [wrapped(left, LEVEL.shift), ` ${op} `, wrapped(print(expr.right, env), LEVEL.shift)],
    level,
  };
}

function division(expr: Binary, env: Environment): Printed {
  const quotient = plain(expr, LEVEL.multiplicative, env);
  if (expr.rep === "bigint") return quotient;
  const down = intervalOf(expr.left).min >= 0n && intervalOf(expr.right).min >= 0n;
  return { part: [down ? "Math.floor(" : "Math.trunc(", quotient.part, ")"], level: LEVEL.primary };
}

function shift(expr: Binary, env: Environment): Printed {
  if (expr.rep === "bigint") return plain(expr, LEVEL.shift, env);
  const by = intervalOf(expr.right);
  const from = intervalOf(expr.left);
  if (by.max <= 31n) {
    if (expr.op === ">>" && isInt32(from)) return plain(expr, LEVEL.shift, env);
    if (expr.op === ">>" && isUint32(from)) return plain(expr, LEVEL.shift, env, 10, ">>>");
    if (expr.op === "<<" && isInt32(from) && isInt32(intervalOf(expr))) return plain(expr, LEVEL.shift, env);
  }
  const factor =
    expr.right.kind === "int"
      ? literal(1n << expr.right.value, "number", 16)
      : ["2 ** ", wrapped(print(expr.right, env), LEVEL.primary)];
  const value = wrapped(print(expr.left, env), LEVEL.multiplicative);
  return expr.op === "<<"
    ? { part: [value, " * ", factor], level: LEVEL.multiplicative }
    : { part: ["Math.floor(", value, " / ", factor, ")"], level: LEVEL.primary };
}

/** `signless`: the caller does not mind a result of 2^31 or more coming out negative. */
function bitwise(expr: Binary, env: Environment, signless = false): Printed {
  const level = LEVEL[expr.op as "&" | "|" | "^"];
  const printed = plain(expr, level, env, 16);
  if (expr.rep === "bigint") return printed;
  const ranges = [intervalOf(expr.left), intervalOf(expr.right)];
  if (ranges.every(isInt32)) return printed;
  // JavaScript keeps the low 32 bits of an operand, which is all that an operand within them lets through an AND.
  if (expr.op === "&" && ranges.some((range) => isInt32(range) && range.min >= 0n)) return printed;
  if (expr.op === "&" ? ranges.some(isUint32) : ranges.every(isUint32)) {
    return signless ? printed : { part: ["(", printed.part, ") >>> 0"], level: LEVEL.shift };
  }
  const [left, right] = [print(expr.left, env).part, print(expr.right, env).part];
  return { part: ["Number(BigInt(", left, `) ${expr.op} BigInt(`, right, "))"], level: LEVEL.primary };
}

function isBitwise(op: BinaryOp): boolean {
  return op === "&" || op === "|" || op === "^";
}

function wrapped({ part, level }: Printed, least: number): Part {
  return level >= least ? part : ["(", part, ")"];
}

function isInt32({ min, max }: Interval): boolean {
  return min >= -0x8000_0000n && max <= 0x7fff_ffffn;
}

function isUint32({ min, max }: Interval): boolean {
  return min >= 0n && max <= 0xffff_ffffn;
}
