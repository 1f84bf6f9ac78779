/** Fields: their types, dimensions and modifiers. In a struct they are members, in a row of a table payload. */
import { tokenMatcher } from "chevrotain";
import * as t from "../lexer.js";
import type { DimSyntax, ExprSyntax, FieldSyntax, Name, TypeSyntax } from "../syntax.js";
import { ExpressionParser } from "./expressions.js";
import { NO_RESYNC, nameOf, type Rule, type Unplaced } from "./recovery.js";

export class FieldParser extends ExpressionParser {
  protected readonly field: Rule<FieldSyntax> = this.RULE(
    "field",
    (): FieldSyntax => {
      const start = this.start();
      const field = this.SUBRULE(this.fieldBody, { ARGS: [false] });
      this.CONSUME(t.Semicolon);
      return { ...field, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  /** A field without its `;`. With `bare`, a type alone may stand in the place of a field: `(struct_name)` in a row. */
  protected readonly fieldBody: Rule<FieldSyntax, [bare: boolean]> = this.RULE(
    "fieldBody",
    (bare: boolean): FieldSyntax => {
      const doc = this.takeDoc();
      const start = this.start();
      const dims: DimSyntax[] = [];
      const as: Name[] = [];
      let reserved = false;
      this.OPTION(() => {
        this.CONSUME(t.Reserved);
        reserved = true;
      });
      const type = this.SUBRULE(this.type);
      const order = this.OPTION1({
        GATE: () => this.atOrder(),
        DEF: () => {
          this.CONSUME(t.In);
          return nameOf(this.CONSUME(t.Name));
        },
      });
      const name = this.OR<Name | undefined>({
        ERR_MSG: "a field name",
        DEF: [
          { GATE: () => !this.atModifier(), ALT: () => nameOf(this.CONSUME1(t.Name)) },
          { GATE: () => reserved || (bare && this.at(t.RParen)), ALT: () => undefined },
        ],
      });
      this.MANY(() => dims.push(this.SUBRULE(this.dim)));
      this.MANY1(() => {
        this.CONSUME(t.As);
        as.push(
          nameOf(
            this.CONSUME2(t.Name, { ERR_MSG: "`number`, `bigint` or the name of an enum or a flag set" }),
          ),
        );
      });
      const value = this.OPTION2(() => {
        this.CONSUME(t.Assign);
        return this.SUBRULE(this.expr);
      });
      const where = this.OPTION3(() => {
        this.CONSUME(t.Where);
        return this.SUBRULE1(this.expr);
      });
      return {
        kind: "field",
        reserved,
        type,
        order,
        name,
        dims,
        as,
        value,
        where,
        doc,
        span: this.spanFrom(start),
      };
    },
    NO_RESYNC,
  );

  private readonly type = this.RULE(
    "type",
    (): TypeSyntax => {
      const name = nameOf(this.CONSUME(t.TypeName));
      const args: ExprSyntax[] = [];
      this.OPTION(() => {
        this.CONSUME(t.LParen);
        this.MANY_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE(this.expr)) });
        this.CONSUME(t.RParen);
      });
      return { name, args };
    },
    NO_RESYNC,
  );

  private readonly dim = this.RULE(
    "dim",
    (): DimSyntax => {
      const start = this.start();
      this.CONSUME(t.LSquare);
      const dim = this.OR<Unplaced<DimSyntax>>({
        ERR_MSG: "a number of elements, `bytes`, `while` or `..`",
        DEF: [
          {
            ALT: () => {
              this.CONSUME(t.DotDot);
              return { kind: "rest" };
            },
          },
          {
            GATE: () => this.startsOperand(this.LA(2)),
            IGNORE_AMBIGUITIES: true,
            ALT: () => {
              this.CONSUME(t.Bytes);
              return { kind: "bytes", value: this.SUBRULE(this.expr) };
            },
          },
          {
            GATE: () => this.startsOperand(this.LA(2)),
            IGNORE_AMBIGUITIES: true,
            ALT: () => {
              this.CONSUME(t.While);
              return { kind: "while", condition: this.SUBRULE1(this.expr) };
            },
          },
          { ALT: () => ({ kind: "count", value: this.SUBRULE2(this.expr) }) },
        ],
      });
      this.CONSUME(t.RSquare);
      return { ...dim, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  /** `in` is a field name in `le16 in;` and `le16 in as number;`, and a keyword in `header in guest h;`. */
  private atOrder(): boolean {
    return this.at(t.In) && tokenMatcher(this.LA(2), t.Name) && !this.isModifier(2);
  }

  /** `as` and `where` are modifiers when something follows that they could modify with, else names of fields. */
  private atModifier(): boolean {
    return this.isModifier(1);
  }

  private isModifier(at: number): boolean {
    const type = this.LA(at).tokenType;
    const next = this.LA(at + 1);
    if (type === t.As) {
      return tokenMatcher(next, t.Name) && next.tokenType !== t.As && next.tokenType !== t.Where;
    }
    if (type === t.Where) {
      if (next.tokenType === t.As) return false;
      if (next.tokenType === t.Where) return !this.startsOperand(this.LA(at + 2));
      return this.startsOperand(next) || next.tokenType === t.Minus;
    }
    return false;
  }
}
