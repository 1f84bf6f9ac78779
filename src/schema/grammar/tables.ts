/** Command and message tables: their rows, and what those may say. */
import * as t from "../lexer.js";
import type {
  AttributeSyntax,
  ExprSyntax,
  FieldSyntax,
  Name,
  PayloadSyntax,
  RowSyntax,
  TableSyntax,
} from "../syntax.js";
import { DeclarationParser } from "./declarations.js";
import { SCALAR } from "./expectations.js";
import { NO_RESYNC, nameOf, type Rule } from "./recovery.js";

export class TableParser extends DeclarationParser {
  protected readonly table: Rule<TableSyntax> = this.RULE(
    "table",
    (): TableSyntax => {
      const doc = this.takeDoc();
      const rows: RowSyntax[] = [];
      const kind = this.OR<TableSyntax["kind"]>([
        {
          ALT: () => {
            this.CONSUME(t.Commands);
            return "commands";
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Messages);
            return "messages";
          },
        },
      ]);
      const name = nameOf(this.CONSUME(t.TypeName, { ERR_MSG: "a name for the table" }));
      const params = this.SUBRULE(this.params);
      this.CONSUME(t.Colon);
      const scalar = nameOf(this.CONSUME1(t.TypeName, { ERR_MSG: SCALAR }));
      this.CONSUME(t.LCurly);
      this.MANY(() => {
        const row = this.guarded(() => this.SUBRULE(this.row), this.skipStatement);
        if (row) rows.push(row);
      });
      this.CONSUME(t.RCurly);
      return { kind, name, params, scalar, rows, doc };
    },
    NO_RESYNC,
  );

  private readonly row = this.RULE(
    "row",
    (): RowSyntax => {
      const doc = this.takeDoc();
      const start = this.start();
      const attributes: AttributeSyntax[] = [];
      let reply: PayloadSyntax | undefined;
      const number = this.SUBRULE(this.expr);
      const name = nameOf(this.CONSUME(t.Name, { ERR_MSG: "the name of the row" }));
      const payload = this.SUBRULE(this.payload);
      this.MANY(() =>
        this.OR([
          {
            ALT: () => {
              const arrow = this.CONSUME(t.Arrow);
              if (reply) this.find("duplicate-reply", "a row has one `->`", t.spanOf(arrow));
              reply = this.SUBRULE1(this.payload);
            },
          },
          { ALT: () => attributes.push(this.SUBRULE(this.attribute)) },
        ]),
      );
      this.CONSUME(t.Semicolon);
      return { number, name, payload, reply, attributes, doc, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly attribute = this.RULE(
    "attribute",
    (): AttributeSyntax =>
      this.OR<AttributeSyntax>([
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.Output));
            return { kind: "output", name, payload: this.SUBRULE(this.payload) };
          },
        },
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.Fds));
            return { kind: "fds", name, ...this.SUBRULE(this.descriptors) };
          },
        },
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.ReplyFds));
            return { kind: "reply_fds", name, ...this.SUBRULE1(this.descriptors) };
          },
        },
        { ALT: () => ({ kind: "flag", name: nameOf(this.CONSUME(t.Ack)) }) },
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.Always));
            return { kind: "always", name, flags: this.SUBRULE(this.flagList) };
          },
        },
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.Needs));
            return { kind: "needs", name, flags: this.SUBRULE1(this.flagList) };
          },
        },
        {
          ALT: () => {
            const name = nameOf(this.CONSUME(t.Group));
            return {
              kind: "group",
              name,
              argument: this.SUBRULE(this.argument, { ARGS: ["a group type"] }),
            };
          },
        },
      ]),
    NO_RESYNC,
  );

  private readonly descriptors = this.RULE(
    "descriptors",
    (): { from: ExprSyntax; to: ExprSyntax | undefined } => {
      this.CONSUME(t.LParen);
      const from = this.SUBRULE(this.expr);
      const to = this.OPTION(() => {
        this.CONSUME(t.DotDot);
        return this.SUBRULE1(this.expr);
      });
      this.CONSUME(t.RParen);
      return { from, to };
    },
    NO_RESYNC,
  );

  private readonly flagList = this.RULE(
    "flagList",
    (): Name[] => {
      const names: Name[] = [];
      this.CONSUME(t.LParen);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        ERR_MSG: "the name of a flag",
        DEF: () => names.push(nameOf(this.CONSUME(t.Name, { ERR_MSG: "the name of a flag" }))),
      });
      this.CONSUME(t.RParen);
      return names;
    },
    NO_RESYNC,
  );

  private readonly payload = this.RULE(
    "payload",
    (): PayloadSyntax => {
      const start = this.start();
      const fields: FieldSyntax[] = [];
      this.CONSUME(t.LParen);
      this.MANY_SEP({
        SEP: t.Comma,
        // Only the first can turn out to be a type on its own.
        DEF: () => fields.push(this.SUBRULE(this.fieldBody, { ARGS: [fields.length === 0] })),
      });
      this.CONSUME(t.RParen);
      const span = this.spanFrom(start);
      const [first] = fields;
      if (first === undefined) return { kind: "none", span };
      if (first.name === undefined && !first.reserved) return { kind: "type", type: first.type, span };
      return { kind: "fields", fields, span };
    },
    NO_RESYNC,
  );
}
