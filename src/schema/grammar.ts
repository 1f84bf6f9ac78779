/**
 * The grammar: tokens → syntax tree. One chevrotain parser whose actions build the tree directly.
 *
 * Recovery has two layers. Chevrotain inserts a missing `;` or bracket, drops a single stray token, and steps over what
 * cannot begin a member. Everything else ends the statement: `guarded` skips to the end of it and goes on with the
 * next, because the follow sets that chevrotain would resynchronise on contain every name.
 */
import type { IParserErrorMessageProvider, IToken, TokenType } from "chevrotain";
import { EmbeddedActionsParser, EOF, isRecognitionException, tokenMatcher } from "chevrotain";
import { DocComments } from "./doc.js";
import * as t from "./lexer.js";
import type {
  AttributeSyntax,
  BinaryOperator,
  BitFieldSyntax,
  BitsSyntax,
  CaseSyntax,
  ConstSyntax,
  DeclSyntax,
  DefaultSyntax,
  DimSyntax,
  DocSyntax,
  EnumMemberSyntax,
  EnumSyntax,
  ExprSyntax,
  FieldSyntax,
  FlagSyntax,
  FlagsSyntax,
  IfSyntax,
  ImportSyntax,
  MemberSyntax,
  ModuleSyntax,
  Name,
  OptionalSyntax,
  OrderName,
  ParamSyntax,
  PayloadSyntax,
  RowSyntax,
  Span,
  StructSyntax,
  SwitchSyntax,
  TableSyntax,
  TypeSyntax,
  UnaryOperator,
  WhereSyntax,
  WithinSyntax,
} from "./syntax.js";

/** A mistake that the grammar can read past, but must not accept. */
export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly span: Span;
}

/** Thrown to give up on a file: its nesting would exhaust the stack, or there is no sense in reading on. */
export class GivingUp extends Error {
  readonly token: IToken;

  constructor(message: string, token: IToken) {
    super(message);
    this.token = token;
  }
}

/** Members and parentheses inside each other. Each level costs the parser, and all that follows it, some stack. */
const MAX_DEPTH = 64;
/** A chain of operators becomes a tree as deep as the chain is long, which others walk recursively. */
const MAX_OPERATORS = 500;
const MAX_ERRORS = 100;

const DECLARATION = "a declaration (`const`, `enum`, `flags`, `struct`, `stream`, `commands` or `messages`)";
const EXPRESSION = "an expression";
const SCALAR = "a scalar type, e.g. `le16`";

const declarationWords = new Set([
  t.Const,
  t.Closed,
  t.Enum,
  t.Flags,
  t.Struct,
  t.Stream,
  t.Commands,
  t.Messages,
  t.Import,
]);

/** Punctuation that stands for nothing in the tree. A name must not be made up. */
const insertable = new Set([t.Semicolon, t.Comma, t.Colon, t.RParen, t.RSquare]);

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

/**
 * Says what was expected and leaves the rest of the sentence to whoever reports it. It is asked once per error, which
 * is what keeps chevrotain from recovering for ever: its recovery inside repetitions recurses.
 */
class Expectations implements IParserErrorMessageProvider {
  private left = MAX_ERRORS;

  reset(): void {
    this.left = MAX_ERRORS;
  }

  spend(token: IToken): void {
    if (--this.left < 0) throw new GivingUp("too many errors: the rest of the file was not read", token);
  }

  buildMismatchTokenMessage({ expected, actual, ruleName }: MismatchOptions): string {
    this.spend(actual);
    if (expected === EOF) return DECLARATION;
    if (expected === t.Semicolon && ruleName === "row") return "`->`, an attribute of the row, or `;`";
    if (expected === t.RCurly) return blockContents[ruleName] ?? "`}`";
    return expected.LABEL ?? expected.name;
  }

  buildNotAllInputParsedMessage(): string {
    return DECLARATION;
  }

  buildNoViableAltMessage({ actual, customUserDescription }: NoViableAltOptions): string {
    const [first] = actual;
    if (first) this.spend(first);
    return customUserDescription ?? "something else";
  }

  buildEarlyExitMessage({ customUserDescription }: EarlyExitOptions): string {
    return customUserDescription ?? "something else";
  }
}

type MismatchOptions = Parameters<IParserErrorMessageProvider["buildMismatchTokenMessage"]>[0];
type NoViableAltOptions = Parameters<IParserErrorMessageProvider["buildNoViableAltMessage"]>[0];
type EarlyExitOptions = Parameters<IParserErrorMessageProvider["buildEarlyExitMessage"]>[0];

/** What may stand before the `}` that a rule ends with. */
const blockContents: Readonly<Record<string, string>> = {
  block: "a field or `}`",
  bits: "a bit field or `}`",
  switch: "`case`, `default` or `}`",
  enum: "a member or `}`",
  flags: "a member or `}`",
  table: "a row (`NUMBER NAME (…);`) or `}`",
  import: "a name or `}`",
};

const NO_RESYNC = { resyncEnabled: false };

export class WireParser extends EmbeddedActionsParser {
  private readonly expectations: Expectations;
  private docs: DocComments = new DocComments("", [], []);
  private text = "";
  private tokens: readonly IToken[] = [];
  private found: Finding[] = [];
  private name: string | undefined;
  private depth = 0;
  private operators = 0;

  /** Checks its own grammar only when told to: the tests do, programs save the time. */
  constructor(skipValidations: boolean) {
    const expectations = new Expectations();
    super([...t.allTokens], {
      recoveryEnabled: true,
      maxLookahead: 1,
      errorMessageProvider: expectations,
      skipValidations,
    });
    this.expectations = expectations;
    this.performSelfAnalysis();
  }

  /** The tree as far as it could be made; mistakes are in `errors` and `findings`. Throws `GivingUp`. */
  read(file: string, text: string, tokens: IToken[], docs: DocComments): ModuleSyntax | undefined {
    this.expectations.reset();
    this.docs = docs;
    this.text = text;
    this.tokens = tokens;
    this.found = [];
    this.name = undefined;
    this.depth = 0;
    this.input = tokens;
    try {
      const module = this.module();
      return module && { ...module, file, text };
    } finally {
      // Only the parser stays: a file and its tokens must not be kept alive by it.
      this.docs = new DocComments("", [], []);
      this.text = "";
      this.tokens = [];
    }
  }

  /** As soon as it has been read, whatever happens to the rest. */
  get moduleName(): string | undefined {
    return this.name;
  }

  get findings(): readonly Finding[] {
    return this.found;
  }

  private readonly module = this.RULE(
    "module",
    (): Omit<ModuleSyntax, "file" | "text"> | undefined => {
      const doc = this.takeDoc();
      const header = this.guarded(() => this.SUBRULE(this.header), this.skipDeclaration);
      this.ACTION(() => {
        this.name = header?.name.text;
      });
      const imports: ImportSyntax[] = [];
      const decls: DeclSyntax[] = [];
      this.MANY(() => {
        const item = this.guarded(() => this.SUBRULE(this.item), this.skipDeclaration);
        if (item?.kind === "import") {
          if (decls.length > 0) {
            this.find("late-import", "imports stand before the first declaration", item.import.span);
          }
          imports.push(item.import);
        } else if (item?.kind === "decl") {
          decls.push(item.decl);
        }
        this.OPTION(() => {
          const semicolon = this.CONSUME(t.Semicolon);
          this.find("syntax", "a declaration is not followed by `;`", t.spanOf(semicolon));
        });
      });
      return header && { ...header, doc, imports, decls };
    },
    NO_RESYNC,
  );

  private readonly header = this.RULE(
    "header",
    (): { name: Name; order: OrderName } => {
      this.CONSUME(t.Module);
      const name = this.SUBRULE(this.dotted, { ARGS: ["the name of the module"] });
      const order = this.SUBRULE(this.order);
      this.CONSUME(t.Semicolon);
      return { name, order };
    },
    NO_RESYNC,
  );

  private readonly order = this.RULE(
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

  private readonly dotted = this.RULE(
    "dotted",
    (wanted: string): Name => {
      const start = this.start();
      let text = this.CONSUME(t.Name, { ERR_MSG: wanted }).image;
      this.MANY(() => {
        this.CONSUME(t.Dot);
        text += `.${this.CONSUME1(t.Name).image}`;
      });
      return { text, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly item = this.RULE(
    "item",
    (): Item =>
      this.OR<Item>({
        ERR_MSG: DECLARATION,
        DEF: [
          { ALT: () => ({ kind: "import", import: this.SUBRULE(this.import) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.const) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.enum) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.flags) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.struct) }) },
          { ALT: () => ({ kind: "decl", decl: this.SUBRULE(this.table) }) },
        ],
      }),
    NO_RESYNC,
  );

  private readonly import = this.RULE(
    "import",
    (): ImportSyntax => {
      const start = this.start();
      const names: Name[] = [];
      this.CONSUME(t.Import);
      const module = this.SUBRULE(this.dotted, { ARGS: ["the name of a module"] });
      this.CONSUME(t.LCurly);
      this.AT_LEAST_ONE({
        ERR_MSG: "a name",
        DEF: () => {
          names.push(nameOf(this.CONSUME(t.Name)));
          if (!this.at(t.RCurly)) this.CONSUME(t.Comma);
        },
      });
      this.CONSUME(t.RCurly);
      this.CONSUME(t.Semicolon);
      return { module, names, span: this.spanFrom(start) };
    },
    NO_RESYNC,
  );

  private readonly const = this.RULE(
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

  private readonly enum = this.RULE(
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

  private readonly flags = this.RULE(
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

  private readonly struct = this.RULE(
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

  private readonly params = this.RULE(
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

  private readonly block = this.RULE(
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

  private readonly field = this.RULE(
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
  private readonly fieldBody = this.RULE(
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

  private readonly table = this.RULE(
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

  private readonly argument = this.RULE(
    "argument",
    (wanted: string): Name => {
      this.CONSUME(t.LParen);
      const name = nameOf(this.CONSUME(t.Name, { ERR_MSG: wanted }));
      this.CONSUME(t.RParen);
      return name;
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

  private readonly parenthesized = this.RULE(
    "parenthesized",
    (): ExprSyntax => {
      this.CONSUME(t.LParen);
      const expr = this.SUBRULE(this.expr);
      this.CONSUME(t.RParen);
      return expr;
    },
    NO_RESYNC,
  );

  private readonly expr = this.RULE(
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
        ERR_MSG: EXPRESSION,
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

  /** Not for `-`, which follows an operand more often than it begins one. */
  private startsOperand(token: IToken): boolean {
    return (
      tokenMatcher(token, t.Name) ||
      tokenMatcher(token, t.Integer) ||
      token.tokenType === t.LParen ||
      token.tokenType === t.True ||
      token.tokenType === t.False ||
      (tokenMatcher(token, t.UnaryOperator) && token.tokenType !== t.Minus)
    );
  }

  protected override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    // A `}` is missing only where something begins that cannot stand inside the block.
    if (type === t.RCurly) return this.at(EOF) || this.atDeclaration();
    return insertable.has(type);
  }

  private at(type: TokenType): boolean {
    return this.LA(1).tokenType === type;
  }

  private start(): number {
    return this.LA(1).startOffset;
  }

  private spanFrom(start: number): Span {
    return { start, end: t.spanOf(this.LA(0)).end };
  }

  private takeDoc(): DocSyntax {
    return this.docs.take(this.start());
  }

  private carryDoc(from: number): void {
    this.docs.carry(from, this.start());
  }

  private find(code: string, message: string, span: Span): void {
    this.expectations.spend(this.LA(1));
    this.found.push({ code, message, span });
  }

  private countOperator(token: IToken): void {
    if (++this.operators > MAX_OPERATORS) {
      throw new GivingUp(`an expression may have at most ${MAX_OPERATORS} operators`, token);
    }
  }

  private deeper<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) {
      throw new GivingUp(`nested more than ${MAX_DEPTH} levels deep`, this.LA(1));
    }
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }

  /** A statement with a mistake in it is lost, and reading goes on behind it. */
  private guarded<T>(parse: () => T, skip: (open: number) => void): T | undefined {
    const start = this.start();
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof Error && isRecognitionException(error))) throw error;
      this.expectations.spend(this.LA(1));
      skip.call(this, this.openSince(start));
      return undefined;
    }
  }

  /** How many `{` the lost part of a statement has left open. Their `}` must not close what is around it. */
  private openSince(start: number): number {
    const end = this.start();
    let open = 0;
    for (let at = this.tokens.length - 1; at >= 0; at--) {
      const token = this.tokens[at];
      if (token === undefined || token.startOffset >= end) continue;
      if (token.startOffset < start) break;
      if (token.tokenType === t.LCurly) open++;
      if (token.tokenType === t.RCurly) open--;
    }
    return open;
  }

  private skipMember(open: number): void {
    this.skipPast([t.Comma, t.Semicolon], open);
  }

  private skipStatement(open: number): void {
    this.skipPast([t.Semicolon], open);
  }

  /** To behind the end of a statement: its last token, or the `}` of the first block in it. */
  private skipPast(last: readonly TokenType[], alreadyOpen: number): void {
    for (let open = alreadyOpen; !this.at(EOF) && !this.atDeclaration(); ) {
      if (this.at(t.RCurly) && open === 0) return;
      const type = this.LA(1).tokenType;
      this.SKIP_TOKEN();
      if (type === t.LCurly) open++;
      if (type === t.RCurly && --open === 0) return;
      if (last.includes(type) && open === 0) return;
    }
  }

  private skipDeclaration(): void {
    while (!this.at(EOF) && !this.atDeclaration()) this.SKIP_TOKEN();
  }

  /** Something that looks like a declaration at the beginning of a line, whatever brackets are open. */
  private atDeclaration(): boolean {
    const token = this.LA(1);
    if (!declarationWords.has(token.tokenType) || !tokenMatcher(this.LA(2), t.Name)) return false;
    const lineStart = this.text.lastIndexOf("\n", token.startOffset) + 1;
    return this.text.slice(lineStart, token.startOffset).trim() === "";
  }
}

type Item =
  | { readonly kind: "import"; readonly import: ImportSyntax }
  | { readonly kind: "decl"; readonly decl: DeclSyntax };

/** Each member of a union without its span. */
type Unplaced<T> = T extends { readonly span: Span } ? Omit<T, "span"> : never;

function nameOf(token: IToken): Name {
  return { text: token.image, span: t.spanOf(token) };
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
