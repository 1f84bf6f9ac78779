/** Members of a struct, and the blocks that hold them. */
import { tokenMatcher } from "chevrotain";
import * as t from "../lexer.js";
import type {
  BitFieldSyntax,
  BitsSyntax,
  CaseSyntax,
  DefaultSyntax,
  FieldSyntax,
  IfSyntax,
  MemberSyntax,
  Name,
  OptionalSyntax,
  SwitchSyntax,
  WhereSyntax,
  WithinSyntax,
} from "../syntax.js";
import { SCALAR } from "./expectations.js";
import { FieldParser } from "./fields.js";
import { NO_RESYNC, nameOf, type Rule, type Unplaced } from "./recovery.js";

export class MemberParser extends FieldParser {
  protected readonly block: Rule<MemberSyntax[]> = this.RULE(
    "block",
    (): MemberSyntax[] => {
      const members: MemberSyntax[] = [];
      this.CONSUME(t.LCurly);
      this.MANY(() =>
        this.OR([
          {
            ALT: () => {
              const member = this.guarded(() => this.SUBRULE(this.member), this.skipStatement);
              if (member) members.push(member);
            },
          },
          {
            ALT: () => {
              const semicolon = this.CONSUME(t.Semicolon);
              this.find(
                "syntax",
                "a block is not followed by `;`, and there are no empty members",
                t.spanOf(semicolon),
              );
            },
          },
        ]),
      );
      this.CONSUME(t.RCurly);
      return members;
    },
    NO_RESYNC,
  );

  /** A block, or one member without braces. `start` is where the statement that it belongs to begins. */
  private readonly body = this.RULE(
    "body",
    (start: number): MemberSyntax[] =>
      this.OR<MemberSyntax[]>({
        ERR_MSG: "a field or `{`",
        DEF: [
          { ALT: () => this.SUBRULE(this.block) },
          {
            ALT: () => {
              this.carryDoc(start);
              return [this.SUBRULE(this.member)];
            },
          },
        ],
      }),
    NO_RESYNC,
  );

  private readonly member = this.RULE(
    "member",
    (): MemberSyntax =>
      this.deeper(() =>
        this.OR<MemberSyntax>({
          ERR_MSG: "a field",
          DEF: [
            { ALT: () => this.SUBRULE(this.field) },
            { ALT: () => this.SUBRULE(this.bits) },
            { ALT: () => this.SUBRULE(this.within) },
            { ALT: () => this.SUBRULE(this.if) },
            { ALT: () => this.SUBRULE(this.optional) },
            { ALT: () => this.SUBRULE(this.switch) },
            { ALT: () => this.SUBRULE(this.where) },
          ],
        }),
      ),
    NO_RESYNC,
  );

  private readonly bits = this.RULE(
    "bits",
    (): BitsSyntax => {
      const start = this.start();
      const members: BitFieldSyntax[] = [];
      let msb = false;
      this.CONSUME(t.Bits);
      const scalar = nameOf(this.CONSUME(t.TypeName, { ERR_MSG: SCALAR }));
      this.OPTION(() => {
        this.CONSUME(t.Msb);
        msb = true;
      });
      this.CONSUME(t.LCurly);
      this.MANY(() => {
        const member = this.guarded(() => this.SUBRULE(this.bitField), this.skipStatement);
        if (member) members.push(member);
      });
      this.CONSUME(t.RCurly);
      return { kind: "bits", scalar, msb, members, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly bitField = this.RULE(
    "bitField",
    (): BitFieldSyntax => {
      const doc = this.takeDoc();
      const start = this.start();
      let reserved = false;
      this.OPTION({
        GATE: () => this.at(t.Reserved),
        DEF: () => {
          this.CONSUME(t.Reserved);
          reserved = true;
        },
      });
      const type = this.OPTION1({
        GATE: () => tokenMatcher(this.LA(2), t.Name),
        DEF: () => nameOf(this.CONSUME(t.TypeName)),
      });
      const name = this.OR<Name | undefined>({
        ERR_MSG: "a name for the bits",
        DEF: [{ ALT: () => nameOf(this.CONSUME(t.Name)) }, { GATE: () => reserved, ALT: () => undefined }],
      });
      this.CONSUME(t.Colon);
      const width = this.SUBRULE(this.expr);
      this.CONSUME(t.Semicolon);
      return { reserved, type, name, width, doc, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly within = this.RULE(
    "within",
    (): WithinSyntax => {
      const start = this.start();
      let atMost = false;
      this.CONSUME(t.Within);
      this.OPTION(() => {
        this.CONSUME(t.AtMost);
        atMost = true;
      });
      const length = this.SUBRULE(this.parenthesized);
      const members = this.SUBRULE(this.body, { ARGS: [start] });
      return { kind: "within", atMost, length, members, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly if = this.RULE(
    "if",
    (): IfSyntax => {
      const start = this.start();
      this.CONSUME(t.If);
      const condition = this.SUBRULE(this.parenthesized);
      const then = this.SUBRULE(this.body, { ARGS: [start] });
      const otherwise = this.OPTION(() => {
        const from = this.start();
        this.CONSUME(t.Else);
        return this.SUBRULE1(this.body, { ARGS: [from] });
      });
      return { kind: "if", condition, then, else: otherwise ?? [], span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly optional = this.RULE(
    "optional",
    (): OptionalSyntax => {
      const start = this.start();
      this.CONSUME(t.Optional);
      const members = this.SUBRULE(this.body, { ARGS: [start] });
      return { kind: "optional", members, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly where = this.RULE(
    "where",
    (): WhereSyntax => {
      const start = this.start();
      this.CONSUME(t.Where);
      const condition = this.SUBRULE(this.expr);
      this.CONSUME(t.Semicolon);
      return { kind: "where", condition, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly switch = this.RULE(
    "switch",
    (): SwitchSyntax => {
      const doc = this.takeDoc();
      const start = this.start();
      const cases: CaseSyntax[] = [];
      let fallback: DefaultSyntax | undefined;
      this.CONSUME(t.Switch);
      const on = this.SUBRULE(this.parenthesized);
      const name = this.OPTION(() => nameOf(this.CONSUME(t.Name)));
      this.CONSUME(t.LCurly);
      this.MANY(() =>
        this.OR([
          {
            ALT: () => {
              const found = this.guarded(() => this.SUBRULE(this.case), this.skipStatement);
              if (!found) return;
              if (fallback) this.find("late-case", "`default` is the last case of a switch", fallback.span);
              cases.push(found);
            },
          },
          {
            ALT: () => {
              const found = this.guarded(() => this.SUBRULE(this.default), this.skipStatement);
              if (!found) return;
              if (fallback) this.find("duplicate-default", "a switch has one `default`", found.span);
              fallback = found;
            },
          },
        ]),
      );
      this.CONSUME(t.RCurly);
      return { kind: "switch", on, name, cases, default: fallback, doc, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly case = this.RULE(
    "case",
    (): CaseSyntax => {
      const start = this.start();
      const labels: CaseSyntax["labels"][number][] = [];
      this.CONSUME(t.Case);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        ERR_MSG: "a value",
        DEF: () => {
          const from = this.SUBRULE(this.expr);
          const to = this.OPTION(() => {
            this.CONSUME(t.DotDot);
            return this.SUBRULE1(this.expr);
          });
          labels.push({ from, to });
        },
      });
      this.CONSUME(t.Colon);
      const arm = this.OR<FieldSyntax | undefined>({
        ERR_MSG: "a field or `;`",
        DEF: [
          {
            ALT: () => {
              this.CONSUME(t.Semicolon);
              return undefined;
            },
          },
          { ALT: () => this.SUBRULE(this.arm, { ARGS: [start] }) },
        ],
      });
      return { labels, arm, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly default = this.RULE(
    "default",
    (): DefaultSyntax => {
      const start = this.start();
      this.CONSUME(t.Default);
      const fallback = this.OR<Unplaced<DefaultSyntax>>({
        ERR_MSG: "`keep`, `skip if (…)` or `refuse`",
        DEF: [
          {
            ALT: () => {
              this.CONSUME(t.Keep);
              this.CONSUME(t.Colon);
              return { kind: "keep", arm: this.SUBRULE(this.arm, { ARGS: [start] }) };
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.Skip);
              this.CONSUME(t.If);
              const condition = this.SUBRULE(this.parenthesized);
              this.CONSUME1(t.Colon);
              return { kind: "skip", condition, arm: this.SUBRULE1(this.arm, { ARGS: [start] }) };
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.Refuse);
              this.CONSUME(t.Semicolon);
              return { kind: "refuse" };
            },
          },
        ],
      });
      return { ...fallback, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly arm = this.RULE(
    "arm",
    (start: number): FieldSyntax => {
      this.carryDoc(start);
      return this.SUBRULE(this.field);
    },
    NO_RESYNC,
  );
}
