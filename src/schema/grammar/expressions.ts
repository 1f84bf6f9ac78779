/** Expressions, with C's operators and precedence. */
import type { IToken } from "chevrotain";
import { tokenMatcher } from "chevrotain";
import * as t from "../lexer.js";
import type { BinaryOperator, ExprSyntax, Name, UnaryOperator } from "../syntax.js";
import { GivingUp } from "./expectations.js";
import { NO_RESYNC, nameOf, RecoveringParser, type Rule } from "./recovery.js";

/** A chain of operators becomes a tree as deep as the chain is long, which others walk recursively. */
const MAX_OPERATORS = 500;

const precedence: Readonly<Record<BinaryOperator, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "^": 4,
  "&": 5,
  "==": 6,
  "!=": 6,
  "<": 7,
  "<=": 7,
  ">": 7,
  ">=": 7,
  "<<": 8,
  ">>": 8,
  "+": 9,
  "-": 9,
  "*": 10,
  "/": 10,
  "%": 10,
};
export class ExpressionParser extends RecoveringParser {
  private operators = 0;

  protected readonly argument: Rule<Name, [wanted: string]> = this.RULE(
    "argument",
    (wanted: string): Name => {
      this.CONSUME(t.LParen);
      const name = nameOf(this.CONSUME(t.Name, { ERR_MSG: wanted }));
      this.CONSUME(t.RParen);
      return name;
    },
    NO_RESYNC,
  );

  protected readonly parenthesized: Rule<ExprSyntax> = this.RULE(
    "parenthesized",
    (): ExprSyntax => {
      this.CONSUME(t.LParen);
      const expr = this.SUBRULE(this.expr);
      this.CONSUME(t.RParen);
      return expr;
    },
    NO_RESYNC,
  );

  protected readonly expr: Rule<ExprSyntax> = this.RULE(
    "expr",
    (): ExprSyntax => {
      this.operators = 0;
      return this.SUBRULE(this.conditional);
    },
    NO_RESYNC,
  );

  private readonly conditional = this.RULE(
    "conditional",
    (): ExprSyntax =>
      this.deeper(() => {
        const operands = [this.SUBRULE(this.operand)];
        const operators: BinaryOperator[] = [];
        this.MANY(() => {
          const token = this.CONSUME(t.BinaryOperator);
          this.countOperator(token);
          // The category holds exactly the operators of the type.
          operators.push(token.image as BinaryOperator);
          operands.push(this.SUBRULE1(this.operand));
        });
        const test = this.ACTION(() => byPrecedence(operands, operators));
        const branches = this.OPTION(() => {
          this.countOperator(this.CONSUME(t.Question));
          const then = this.SUBRULE(this.conditional);
          this.CONSUME(t.Colon);
          return { then, else: this.SUBRULE1(this.conditional) };
        });
        if (!branches) return test;
        return this.ACTION(() => ({
          kind: "conditional",
          test,
          ...branches,
          span: { start: test.span.start, end: branches.else.span.end },
        }));
      }),
    NO_RESYNC,
  );

  private readonly operand = this.RULE(
    "operand",
    (): ExprSyntax => {
      const signs: IToken[] = [];
      this.MANY(() => {
        const sign = this.CONSUME(t.UnaryOperator);
        this.countOperator(sign);
        signs.push(sign);
      });
      const start = this.start();
      const value = this.OR<ExprSyntax>({
        ERR_MSG: "an expression",
        DEF: [
          {
            GATE: () => this.LA(2).tokenType === t.LParen,
            IGNORE_AMBIGUITIES: true,
            ALT: () => {
              this.CONSUME(t.SizeOf);
              const type = this.SUBRULE(this.argument, { ARGS: ["a type"] });
              return { kind: "sizeof", type, span: this.spanFrom(start) };
            },
          },
          {
            GATE: () => this.LA(2).tokenType === t.LParen,
            IGNORE_AMBIGUITIES: true,
            ALT: () => {
              this.CONSUME(t.Peek);
              const type = this.SUBRULE1(this.argument, { ARGS: ["an integer type"] });
              return { kind: "peek", type, span: this.spanFrom(start) };
            },
          },
          {
            ALT: () => {
              const path = [nameOf(this.CONSUME(t.Name))];
              this.MANY1(() => {
                this.CONSUME(t.Dot);
                path.push(nameOf(this.CONSUME1(t.Name)));
              });
              return { kind: "name", path, span: this.spanFrom(start) };
            },
          },
          {
            ALT: () => {
              const token = this.CONSUME(t.Integer);
              const integer = this.ACTION(() => t.integerValue(token));
              return { kind: "int", value: integer, span: t.spanOf(token) };
            },
          },
          { ALT: () => ({ kind: "bool", value: true, span: t.spanOf(this.CONSUME(t.True)) }) },
          { ALT: () => ({ kind: "bool", value: false, span: t.spanOf(this.CONSUME(t.False)) }) },
          {
            ALT: () => {
              this.CONSUME(t.LParen);
              const inner = this.SUBRULE(this.conditional);
              this.CONSUME(t.RParen);
              // With its parentheses: the text of `(a) == b` begins with one.
              return { ...inner, span: this.spanFrom(start) };
            },
          },
        ],
      });
      return this.ACTION(() => signs.reduceRight(applySign, value));
    },
    NO_RESYNC,
  );

  /** Not for `-`, which follows an operand more often than it begins one. */
  protected startsOperand(token: IToken): boolean {
    return (
      tokenMatcher(token, t.Name) ||
      tokenMatcher(token, t.Integer) ||
      token.tokenType === t.LParen ||
      token.tokenType === t.True ||
      token.tokenType === t.False ||
      (tokenMatcher(token, t.UnaryOperator) && token.tokenType !== t.Minus)
    );
  }

  private countOperator(token: IToken): void {
    if (++this.operators > MAX_OPERATORS) {
      throw new GivingUp(`an expression may have at most ${MAX_OPERATORS} operators`, token);
    }
  }
}

function applySign(arg: ExprSyntax, sign: IToken): ExprSyntax {
  // The category holds exactly the operators of the type.
  const op = sign.image as UnaryOperator;
  return { kind: "unary", op, arg, span: { start: sign.startOffset, end: arg.span.end } };
}

/** `a + b * c` as a tree. Operators of the same level group to the left, as in C. */
function byPrecedence(operands: readonly ExprSyntax[], operators: readonly BinaryOperator[]): ExprSyntax {
  const values: ExprSyntax[] = [];
  const waiting: BinaryOperator[] = [];
  const join = (): void => {
    const op = waiting.pop();
    const right = values.pop();
    const left = values.pop();
    if (op === undefined || left === undefined || right === undefined) {
      throw new Error("an expression has one operand more than operators");
    }
    values.push({ kind: "binary", op, left, right, span: { start: left.span.start, end: right.span.end } });
  };
  operands.forEach((operand, index) => {
    values.push(operand);
    const op = operators[index];
    const level = op === undefined ? 0 : precedence[op];
    for (let top = waiting.at(-1); top !== undefined && precedence[top] >= level; top = waiting.at(-1))
      join();
    if (op !== undefined) waiting.push(op);
  });
  const [value] = values;
  if (value === undefined) throw new Error("an expression has at least one operand");
  return value;
}
