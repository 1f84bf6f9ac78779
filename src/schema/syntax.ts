/**
 * The syntax tree of one `.wire` file: what the author wrote, with the place of every name, and nothing resolved.
 * `parse.ts` makes it, `compile.ts` turns it into the IR (`ir.ts`). The language is described in docs/language.md.
 */

/** A half-open range of UTF-16 offsets into the text of the file. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** A `///` comment: its prose, and the lines that begin with `@`. */
export interface DocSyntax {
  readonly text: string;
  readonly notes: readonly { readonly tag: string; readonly text: string }[];
}

export type OrderName = "little" | "big" | "native";

export interface ModuleSyntax {
  /** The path of the file relative to the schema root, with `/`. */
  readonly file: string;
  readonly text: string;
  /** Dotted, e.g. `virtio.device_context`. */
  readonly name: Name;
  readonly order: OrderName;
  readonly doc: DocSyntax;
  readonly imports: readonly ImportSyntax[];
  readonly decls: readonly DeclSyntax[];
}

export interface ImportSyntax {
  readonly module: Name;
  readonly names: readonly Name[];
  readonly span: Span;
}

export type DeclSyntax = ConstSyntax | EnumSyntax | FlagsSyntax | StructSyntax | TableSyntax;

export interface ConstSyntax {
  readonly kind: "const";
  readonly name: Name;
  readonly value: ExprSyntax;
  readonly doc: DocSyntax;
}

export interface EnumSyntax {
  readonly kind: "enum";
  readonly name: Name;
  readonly closed: boolean;
  /** The text of a scalar type, e.g. `le16`. */
  readonly scalar: Name;
  readonly members: readonly EnumMemberSyntax[];
  readonly doc: DocSyntax;
}

export interface EnumMemberSyntax {
  readonly name: Name;
  readonly value: ExprSyntax;
  /** The inclusive end of a named range. */
  readonly to: ExprSyntax | undefined;
  readonly doc: DocSyntax;
}

export interface FlagsSyntax {
  readonly kind: "flags";
  readonly name: Name;
  readonly scalar: Name;
  readonly extends: Name | undefined;
  readonly members: readonly FlagSyntax[];
  readonly doc: DocSyntax;
}

export interface FlagSyntax {
  readonly name: Name;
  readonly value: ExprSyntax;
  readonly doc: DocSyntax;
}

export interface StructSyntax {
  readonly kind: "struct";
  readonly name: Name;
  /** Declared with `stream`. */
  readonly stream: boolean;
  readonly params: readonly ParamSyntax[];
  readonly order: OrderName | undefined;
  readonly members: readonly MemberSyntax[];
  readonly doc: DocSyntax;
}

export interface ParamSyntax {
  /** A scalar, `bool`, `order`, or the name of an enum or a flag set. */
  readonly type: Name;
  readonly name: Name;
}

export type MemberSyntax =
  | FieldSyntax
  | BitsSyntax
  | WithinSyntax
  | IfSyntax
  | OptionalSyntax
  | SwitchSyntax
  | WhereSyntax;

/** A scalar, `char`, or the name of an enum, a flag set or a struct, with arguments for a struct that has parameters. */
export interface TypeSyntax {
  readonly name: Name;
  readonly args: readonly ExprSyntax[];
}

export interface FieldSyntax {
  readonly kind: "field";
  readonly reserved: boolean;
  readonly type: TypeSyntax;
  /** `in little`, `in guest`. */
  readonly order: Name | undefined;
  /** Only a reserved field may lack a name. */
  readonly name: Name | undefined;
  /** Outermost dimension first. */
  readonly dims: readonly DimSyntax[];
  /** `number`, `bigint`, or the name of an enum or a flag set. May stand twice: `as number as some_enum`. */
  readonly as: readonly Name[];
  readonly value: ExprSyntax | undefined;
  readonly where: ExprSyntax | undefined;
  readonly doc: DocSyntax;
  readonly span: Span;
}

export type DimSyntax =
  | { readonly kind: "count"; readonly value: ExprSyntax; readonly span: Span }
  | { readonly kind: "rest"; readonly span: Span }
  | { readonly kind: "bytes"; readonly value: ExprSyntax; readonly span: Span }
  | { readonly kind: "while"; readonly condition: ExprSyntax; readonly span: Span };

export interface BitsSyntax {
  readonly kind: "bits";
  readonly scalar: Name;
  readonly msb: boolean;
  readonly members: readonly BitFieldSyntax[];
  readonly span: Span;
}

export interface BitFieldSyntax {
  readonly reserved: boolean;
  /** The name of an enum, if the bits have a meaning. */
  readonly type: Name | undefined;
  readonly name: Name | undefined;
  readonly width: ExprSyntax;
  readonly doc: DocSyntax;
  readonly span: Span;
}

export interface WithinSyntax {
  readonly kind: "within";
  readonly atMost: boolean;
  readonly length: ExprSyntax;
  readonly members: readonly MemberSyntax[];
  readonly span: Span;
}

export interface IfSyntax {
  readonly kind: "if";
  readonly condition: ExprSyntax;
  readonly then: readonly MemberSyntax[];
  readonly else: readonly MemberSyntax[];
  readonly span: Span;
}

export interface OptionalSyntax {
  readonly kind: "optional";
  readonly members: readonly MemberSyntax[];
  readonly span: Span;
}

export interface SwitchSyntax {
  readonly kind: "switch";
  readonly on: ExprSyntax;
  readonly name: Name | undefined;
  readonly cases: readonly CaseSyntax[];
  readonly default: DefaultSyntax | undefined;
  readonly doc: DocSyntax;
  readonly span: Span;
}

export interface CaseSyntax {
  readonly labels: readonly { readonly from: ExprSyntax; readonly to: ExprSyntax | undefined }[];
  /** Nothing for `case X: ;`. */
  readonly arm: FieldSyntax | undefined;
  readonly span: Span;
}

export type DefaultSyntax =
  | { readonly kind: "keep"; readonly arm: FieldSyntax; readonly span: Span }
  | { readonly kind: "skip"; readonly condition: ExprSyntax; readonly arm: FieldSyntax; readonly span: Span }
  | { readonly kind: "refuse"; readonly span: Span };

export interface WhereSyntax {
  readonly kind: "where";
  readonly condition: ExprSyntax;
  readonly span: Span;
}

export interface TableSyntax {
  readonly kind: "commands" | "messages";
  readonly name: Name;
  readonly params: readonly ParamSyntax[];
  readonly scalar: Name;
  readonly rows: readonly RowSyntax[];
  readonly doc: DocSyntax;
}

export interface RowSyntax {
  readonly number: ExprSyntax;
  readonly name: Name;
  /** What is sent. */
  readonly payload: PayloadSyntax;
  /** `-> (…)`; undefined where the row has no arrow. */
  readonly reply: PayloadSyntax | undefined;
  /** `output`, `fds`, `reply_fds`, `ack`, `always`, `needs`, `group`, in the order written. */
  readonly attributes: readonly AttributeSyntax[];
  readonly doc: DocSyntax;
  readonly span: Span;
}

/** `()`, `(struct_name)`, `(struct_name(arg))` or a list of fields. */
export type PayloadSyntax =
  | { readonly kind: "none"; readonly span: Span }
  | { readonly kind: "type"; readonly type: TypeSyntax; readonly span: Span }
  | { readonly kind: "fields"; readonly fields: readonly FieldSyntax[]; readonly span: Span };

export type AttributeSyntax =
  | { readonly kind: "output"; readonly name: Name; readonly payload: PayloadSyntax }
  | {
      readonly kind: "fds" | "reply_fds";
      readonly name: Name;
      readonly from: ExprSyntax;
      readonly to: ExprSyntax | undefined;
    }
  | { readonly kind: "flag"; readonly name: Name }
  | { readonly kind: "always" | "needs"; readonly name: Name; readonly flags: readonly Name[] }
  | { readonly kind: "group"; readonly name: Name; readonly argument: Name };

export type UnaryOperator = "-" | "~" | "!";
export type BinaryOperator =
  | "*"
  | "/"
  | "%"
  | "+"
  | "-"
  | "<<"
  | ">>"
  | "<"
  | "<="
  | ">"
  | ">="
  | "=="
  | "!="
  | "&"
  | "^"
  | "|"
  | "&&"
  | "||";

export type ExprSyntax =
  | { readonly kind: "int"; readonly value: bigint; readonly span: Span }
  | { readonly kind: "bool"; readonly value: boolean; readonly span: Span }
  /** A dotted name: `count`, `hdr.length`, `remaining`. */
  | { readonly kind: "name"; readonly path: readonly Name[]; readonly span: Span }
  | { readonly kind: "sizeof"; readonly type: Name; readonly span: Span }
  | { readonly kind: "peek"; readonly type: Name; readonly span: Span }
  | { readonly kind: "unary"; readonly op: UnaryOperator; readonly arg: ExprSyntax; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly op: BinaryOperator;
      readonly left: ExprSyntax;
      readonly right: ExprSyntax;
      readonly span: Span;
    }
  | {
      readonly kind: "conditional";
      readonly test: ExprSyntax;
      readonly then: ExprSyntax;
      readonly else: ExprSyntax;
      readonly span: Span;
    };
