/** Evaluates the checked expressions of the IR, exactly. */
import type { BinaryOp, Expr, Field, IntType, Param } from "../schema/ir.js";

/** What an expression refers to. Truth values are 0 and 1; an order is 1 for little-endian. */
export interface Scope {
  field(path: readonly Field[]): bigint;
  param(param: Param): bigint;
  remaining(): bigint;
  peek(int: IntType): bigint;
}

export function evaluate(expr: Expr, scope: Scope): bigint {
  switch (expr.kind) {
    case "int":
      return expr.value;
    case "bool":
      return truth(expr.value);
    case "field":
      return scope.field(expr.path);
    case "param":
      return scope.param(expr.param);
    case "remaining":
      return scope.remaining();
    case "peek":
      return scope.peek(expr.int);
    case "unary": {
      const value = evaluate(expr.arg, scope);
      if (expr.op === "!") return truth(value === 0n);
      // The complement has the width of what holds the operand; see the ranges that the compiler gives it.
      return expr.op === "-" ? -value : BigInt.asUintN(expr.rep === "bigint" ? 64 : 32, ~value);
    }
    case "binary":
      return binary(expr.op, evaluate(expr.left, scope), () => evaluate(expr.right, scope));
    case "conditional":
      return evaluate(expr.test, scope) !== 0n ? evaluate(expr.then, scope) : evaluate(expr.else, scope);
  }
}

/** The right side is asked for only when it counts: it may divide by what the left side has excluded. */
function binary(op: BinaryOp, left: bigint, right: () => bigint): bigint {
  switch (op) {
    case "&&":
      return truth(left !== 0n && right() !== 0n);
    case "||":
      return truth(left !== 0n || right() !== 0n);
    case "*":
      return left * right();
    case "/":
      return left / right();
    case "%":
      return left % right();
    case "+":
      return left + right();
    case "-":
      return left - right();
    case "<<":
      return left << right();
    case ">>":
      return left >> right();
    case "<":
      return truth(left < right());
    case "<=":
      return truth(left <= right());
    case ">":
      return truth(left > right());
    case ">=":
      return truth(left >= right());
    case "==":
      return truth(left === right());
    case "!=":
      return truth(left !== right());
    case "&":
      return left & right();
    case "^":
      return left ^ right();
    case "|":
      return left | right();
  }
}

function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}
