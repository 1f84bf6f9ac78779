/** Constants, enums, flag sets and structs. */
import * as t from "../lexer.js";
import type {
  ConstSyntax,
  EnumMemberSyntax,
  EnumSyntax,
  FlagSyntax,
  FlagsSyntax,
  OrderName,
  ParamSyntax,
  StructSyntax,
} from "../syntax.js";
import { SCALAR } from "./expectations.js";
import { MemberParser } from "./members.js";
import { NO_RESYNC, nameOf, type Rule } from "./recovery.js";

export class DeclarationParser extends MemberParser {
  protected readonly const: Rule<ConstSyntax> = this.RULE(
    "const",
    (): ConstSyntax => {
      const doc = this.takeDoc();
      this.CONSUME(t.Const);
      const name = nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name for the constant" }));
      this.CONSUME(t.Assign);
      const value = this.SUBRULE(this.expr);
      this.CONSUME(t.Semicolon);
      return { kind: "const", name, value, doc };
    },
    NO_RESYNC,
  );

  protected readonly enum: Rule<EnumSyntax> = this.RULE(
    "enum",
    (): EnumSyntax => {
      const doc = this.takeDoc();
      const members: EnumMemberSyntax[] = [];
      let closed = false;
      this.OPTION(() => {
        this.CONSUME(t.Closed);
        closed = true;
      });
      this.CONSUME(t.Enum);
      const name = nameOf(this.CONSUME(t.TypeName, { ERR_MSG: "a name for the enum" }));
      this.CONSUME(t.Colon);
      const scalar = nameOf(this.CONSUME1(t.TypeName, { ERR_MSG: SCALAR }));
      this.CONSUME(t.LCurly);
      this.MANY(() => {
        const member = this.guarded(() => this.SUBRULE(this.enumMember), this.skipMember);
        if (member) members.push(member);
      });
      this.CONSUME(t.RCurly);
      return { kind: "enum", name, closed, scalar, members, doc };
    },
    NO_RESYNC,
  );

  private readonly enumMember = this.RULE(
    "enumMember",
    (): EnumMemberSyntax => {
      const doc = this.takeDoc();
      const name = nameOf(this.CONSUME(t.Name));
      this.CONSUME(t.Assign);
      const value = this.SUBRULE(this.expr);
      const to = this.OPTION(() => {
        this.CONSUME(t.DotDot);
        return this.SUBRULE1(this.expr);
      });
      if (!this.at(t.RCurly)) this.CONSUME(t.Comma);
      return { name, value, to, doc };
    },
    NO_RESYNC,
  );

  protected readonly flags: Rule<FlagsSyntax> = this.RULE(
    "flags",
    (): FlagsSyntax => {
      const doc = this.takeDoc();
      const members: FlagSyntax[] = [];
      this.CONSUME(t.Flags);
      const name = nameOf(this.CONSUME(t.TypeName, { ERR_MSG: "a name for the flag set" }));
      this.CONSUME(t.Colon);
      const scalar = nameOf(this.CONSUME1(t.TypeName, { ERR_MSG: SCALAR }));
      const base = this.OPTION(() => {
        this.CONSUME(t.Extends);
        return nameOf(this.CONSUME2(t.TypeName, { ERR_MSG: "the name of a flag set" }));
      });
      this.CONSUME(t.LCurly);
      this.MANY(() => {
        const member = this.guarded(() => this.SUBRULE(this.flag), this.skipMember);
        if (member) members.push(member);
      });
      this.CONSUME(t.RCurly);
      return { kind: "flags", name, scalar, extends: base, members, doc };
    },
    NO_RESYNC,
  );

  private readonly flag = this.RULE(
    "flag",
    (): FlagSyntax => {
      const doc = this.takeDoc();
      const name = nameOf(this.CONSUME(t.Name));
      this.CONSUME(t.Assign);
      const value = this.SUBRULE(this.expr);
      if (!this.at(t.RCurly)) this.CONSUME(t.Comma);
      return { name, value, doc };
    },
    NO_RESYNC,
  );

  protected readonly struct: Rule<StructSyntax> = this.RULE(
    "struct",
    (): StructSyntax => {
      const doc = this.takeDoc();
      const stream = this.OR<boolean>([
        {
          ALT: () => {
            this.CONSUME(t.Struct);
            return false;
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Stream);
            return true;
          },
        },
      ]);
      const wanted = stream ? "a name for the stream" : "a name for the struct";
      const name = nameOf(this.CONSUME(t.TypeName, { ERR_MSG: wanted }));
      const params = this.SUBRULE(this.params);
      const order = this.OPTION(() => this.SUBRULE(this.order));
      const members = this.SUBRULE(this.block);
      return { kind: "struct", name, stream, params, order, members, doc };
    },
    NO_RESYNC,
  );

  protected readonly params: Rule<ParamSyntax[]> = this.RULE(
    "params",
    (): ParamSyntax[] => {
      const params: ParamSyntax[] = [];
      this.OPTION(() => {
        this.CONSUME(t.LParen);
        this.MANY_SEP({ SEP: t.Comma, DEF: () => params.push(this.SUBRULE(this.param)) });
        this.CONSUME(t.RParen);
      });
      return params;
    },
    NO_RESYNC,
  );

  private readonly param = this.RULE(
    "param",
    (): ParamSyntax => {
      const type = nameOf(this.CONSUME(t.TypeName));
      const name = nameOf(this.CONSUME(t.Name, { ERR_MSG: "a parameter name" }));
      return { type, name };
    },
    NO_RESYNC,
  );

  protected readonly order: Rule<OrderName> = this.RULE(
    "order",
    (): OrderName =>
      this.OR<OrderName>({
        ERR_MSG: "`little`, `big` or `native`",
        DEF: [
          {
            ALT: () => {
              this.CONSUME(t.Little);
              return "little";
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.Big);
              return "big";
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.Native);
              return "native";
            },
          },
        ],
      }),
    NO_RESYNC,
  );
}
