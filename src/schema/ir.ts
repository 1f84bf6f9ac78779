/**
 * The intermediate representation: a schema, checked and fully laid out. It is what every target prints from, and it
 * knows no output language. Offsets, sizes, bounds, byte orders and conditions are resolved here once: a target that
 * finds itself adding up field sizes is wrong.
 *
 * Everything in it refers to declarations by object, so a target never looks a name up. Names are the source
 * document's own; each target maps them to its own style.
 */

export interface Program {
  /** In the order of their dependencies: a module imports only from modules before it. */
  readonly modules: readonly Module[];
}

export interface Module {
  /** Dotted, e.g. `virtio.device_context`. */
  readonly name: string;
  /** Relative to the schema root, with `/`, e.g. `virtio/device-context.wire`. Generated files mirror it. */
  readonly file: string;
  readonly doc: Doc;
  readonly imports: readonly { readonly module: Module; readonly names: readonly string[] }[];
  /** In the order of the file; what a table declares stands just before the table. */
  readonly decls: readonly Decl[];
}

export interface Doc {
  /** Prose without the comment markers; may be empty. */
  readonly text: string;
  /** `@source`, `@since`, `@unit`, …, in the order written. */
  readonly notes: readonly { readonly tag: string; readonly text: string }[];
}

export type Decl = Const | Enum | Flags | Struct | Table;

interface DeclBase {
  readonly name: string;
  readonly module: Module;
  readonly doc: Doc;
  /** One-based line of the name in the schema. */
  readonly line: number;
}

export interface Const extends DeclBase {
  readonly kind: "const";
  readonly value: bigint;
}

export interface Enum extends DeclBase {
  readonly kind: "enum";
  /** The scalar as written, e.g. `le16`. */
  readonly scalar: string;
  /** Width and sign. The order is that of a field, which carries its own. */
  readonly int: IntType;
  /** A value that is not listed is refused. */
  readonly closed: boolean;
  readonly members: readonly EnumMember[];
}

export interface EnumMember {
  readonly name: string;
  readonly value: bigint;
  /** The inclusive end of a named range; equals `value` for an ordinary member. */
  readonly to: bigint;
  readonly doc: Doc;
  readonly line: number;
}

export interface Flags extends DeclBase {
  readonly kind: "flags";
  /** `scalar` and `int`: as for enums. */
  readonly scalar: string;
  readonly int: IntType;
  readonly extends: Flags | undefined;
  /** Own members first come those of `extends`, already merged in. */
  readonly members: readonly Flag[];
}

export interface Flag {
  readonly name: string;
  readonly mask: bigint;
  readonly doc: Doc;
  readonly line: number;
}

/** Number of bytes. `max` is undefined when the schema sets no bound. */
export interface Size {
  readonly min: number;
  readonly max: number | undefined;
}

export interface Struct extends DeclBase {
  readonly kind: "struct";
  /** Declared with `stream`: gets a push parser. */
  readonly stream: boolean;
  /** As declared; then, if anything in it is in native order, one implicit parameter of type `order` named `order`. */
  readonly params: readonly Param[];
  readonly size: Size;
  /** The size in bytes when it is the same for every value, else undefined. */
  readonly fixed: number | undefined;
  /**
   * The end cannot be found without knowing where the enclosing range ends (`[..]`, `[while]`, `optional`, …). Such a
   * struct has prefixes that are complete values.
   */
  readonly greedy: boolean;
  /**
   * There is something to check besides bounds: a constraint, a constant, a closed enum, a reserved field, a 64-bit
   * number, a refusing switch, an exact range; in it or in a struct that it holds.
   */
  readonly checked: boolean;
  /**
   * `nodes` is one run, perhaps followed by constraints. Only structs of this kind lie in the runs of others; a struct
   * that has a switch is a field node where it is used, even when its size is constant.
   */
  readonly flat: boolean;
  /** How to read it from start to end. */
  readonly nodes: readonly Node[];
  /**
   * Every field, however deep in ranges and conditions, in the order of the schema; not the arms of switches and not
   * what nested structs hold.
   */
  readonly fields: readonly Field[];
  /** Where the struct was made by a table, the table. */
  readonly table: Table | undefined;
}

export interface Param {
  readonly name: string;
  readonly type: ParamType;
  /** Not written in the schema: the byte order of a native struct. Callers pass their own order on. */
  readonly implicit: boolean;
}

export type ParamType =
  | { readonly kind: "int"; readonly int: IntType; readonly meaning: Enum | Flags | undefined }
  | { readonly kind: "bool" }
  | { readonly kind: "order" };

/** A byte order: fixed, or the value of a parameter of type `order`. One-byte integers have "little". */
export type Order = "little" | "big" | Param;

/** How an integer is held by programs: up to 53 bits as a number, or exact. */
export type Rep = "number" | "bigint";

export interface IntType {
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
  readonly order: Order;
  /**
   * `bigint` only for 64 bits. A 64-bit integer with `number` is checked: above 2^53−1 (or below its negative) it is
   * an error of code `range`.
   */
  readonly rep: Rep;
}

export type FieldType =
  | { readonly kind: "int"; readonly int: IntType; readonly meaning: Enum | Flags | undefined }
  /** Some bits of a container: value = (container >> shift) & (2^width − 1). The container is in the slot. */
  | {
      readonly kind: "bits";
      readonly width: number;
      readonly shift: number;
      readonly int: IntType;
      readonly meaning: Enum | Flags | undefined;
    }
  /** Raw bytes. */
  | { readonly kind: "bytes"; readonly count: Count }
  /** One byte a character (Latin-1, so that any bytes survive). `padded`: constant length, trailing NULs dropped. */
  | { readonly kind: "text"; readonly count: Count; readonly padded: boolean }
  | { readonly kind: "struct"; readonly struct: Struct; readonly args: readonly Argument[] }
  /** Elements of a size that is a constant, or variable structs. Never of `u8` or `char` (see bytes and text). */
  | {
      readonly kind: "array";
      readonly element: FieldType;
      readonly elementSize: Size;
      readonly count: Count;
    };

/** One per parameter of the struct, implicit ones included. */
export type Argument =
  | { readonly kind: "expr"; readonly expr: Expr }
  | { readonly kind: "order"; readonly order: Order };

export type Count =
  | { readonly kind: "const"; readonly value: number }
  /** A number of elements. */
  | { readonly kind: "expr"; readonly expr: Expr }
  /** A number of bytes, filled exactly. */
  | { readonly kind: "bytes"; readonly expr: Expr }
  /** To the end of the range. */
  | { readonly kind: "rest" }
  | { readonly kind: "while"; readonly condition: Expr };

export interface Field {
  /** The source's name. Reserved fields without one are called `reserved`, `reserved1`, … */
  readonly name: string;
  readonly struct: Struct;
  readonly type: FieldType;
  readonly role: Role;
  readonly size: Size;
  /** From the start of the struct, when the same for every value that has the field. */
  readonly offset: number | undefined;
  /** Under an `if` or `optional`: a value may lack it. */
  readonly conditional: boolean;
  readonly doc: Doc;
  readonly line: number;
}

export type Role =
  | { readonly kind: "value" }
  /** Kept as it is; must be zero in strict mode; may be left out when encoding, and is then zero. */
  | { readonly kind: "reserved" }
  /** Always this value; not part of the decoded value. */
  | { readonly kind: "constant"; readonly value: bigint }
  /**
   * Counts something and nothing else; not part of the decoded value. Encoding computes it: take the number of
   * elements (or bytes) of `of`, then apply `steps` in order.
   */
  | { readonly kind: "derived"; readonly of: Measured; readonly steps: readonly Step[] };

/** What a derived field measures: the elements or the bytes of a field, or the bytes of a range. */
export type Measured =
  | { readonly kind: "count"; readonly field: Field }
  | { readonly kind: "bytes"; readonly field: Field }
  | { readonly kind: "range"; readonly range: RangeNode };

/** `div` must come out even; encoding refuses the value otherwise. */
export interface Step {
  readonly op: "add" | "sub" | "mul" | "div";
  readonly by: bigint;
}

export type Node = RunNode | FieldNode | RangeNode | IfNode | OptionalNode | SwitchNode | WhereNode;

/** Consecutive members of constant size: one bounds check, then everything lies at a constant offset. */
export interface RunNode {
  readonly kind: "run";
  readonly size: number;
  /** From the start of the struct, when the same for every value. */
  readonly offset: number | undefined;
  readonly slots: readonly Slot[];
  /**
   * The leaves of the run, nested structs opened, in order. They name the first field that does not fit when the
   * input is short.
   */
  readonly leaves: readonly Leaf[];
}

/** Offsets are from the start of the run. */
export type Slot =
  | { readonly kind: "field"; readonly field: Field; readonly offset: number; readonly size: number }
  /** One integer that holds several bit fields. `fields` from the least significant bit upwards. */
  | {
      readonly kind: "bits";
      readonly int: IntType;
      readonly offset: number;
      readonly size: number;
      readonly fields: readonly Field[];
    };

export interface Leaf {
  /** E.g. `queue_size`, `hdr.length`, `entries[3].flags`. */
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  /** Where it is declared: a nested struct may come from another file. */
  readonly file: string;
  readonly line: number;
}

/** A member whose size depends on the value. */
export interface FieldNode {
  readonly kind: "field";
  readonly field: Field;
}

/** A byte range that bounds `body` exactly. `at_most` has been turned into a trailing bytes field `slack`. */
export interface RangeNode {
  readonly kind: "range";
  readonly length: Expr;
  readonly body: readonly Node[];
  readonly size: Size;
  readonly line: number;
  /** A name for messages and trees: that of the first member inside. */
  readonly name: string;
}

export interface IfNode {
  readonly kind: "if";
  readonly condition: Expr;
  readonly then: readonly Node[];
  readonly else: readonly Node[];
  readonly line: number;
}

/** `body` is there when at least one byte of the range is left. On encode: when its first value field is given. */
export interface OptionalNode {
  readonly kind: "optional";
  readonly body: readonly Node[];
  readonly line: number;
}

export interface SwitchNode {
  readonly kind: "switch";
  /** The name of the member that holds the chosen case. */
  readonly name: string;
  readonly on: Expr;
  readonly cases: readonly Case[];
  readonly default: Default;
  readonly size: Size;
  /** Under an `if` or `optional`. */
  readonly conditional: boolean;
  readonly doc: Doc;
  readonly line: number;
}

export interface Case {
  /** Inclusive; `from` equals `to` for a single value. `hint` is the enum member or constant written in the schema. */
  readonly labels: readonly {
    readonly from: bigint;
    readonly to: bigint;
    readonly hint: string | undefined;
  }[];
  /** What names the case: the arm's name, or for an empty case that of its first label. */
  readonly name: string;
  readonly arm: Arm | undefined;
  readonly line: number;
}

/** One field as nodes: a run with one slot when its size is constant, else a field node; plus its constraint. */
export interface Arm {
  readonly field: Field;
  readonly nodes: readonly Node[];
}

export type Default =
  | { readonly kind: "keep"; readonly arm: Arm }
  | { readonly kind: "skip"; readonly condition: Expr; readonly arm: Arm }
  | { readonly kind: "refuse"; readonly line: number };

export interface WhereNode {
  readonly kind: "where";
  readonly condition: Expr;
  /** The condition as written, for the message. */
  readonly text: string;
  /** The field that it belongs to, for the path and offset of the error. Undefined for a `where` of its own. */
  readonly field: Field | undefined;
  readonly line: number;
}

/** Inclusive range of the values that an expression can take. */
export interface Interval {
  readonly min: bigint;
  readonly max: bigint;
}

export type UnaryOp = "-" | "~" | "!";
export type BinaryOp =
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

/**
 * Checked expressions. Both operands of an arithmetic or comparing operator have the same representation: literals
 * take that of the other side. `bool` is the result of comparisons and of what stands where a condition is wanted:
 * an integer there has been turned into `!= 0`. No operation on numbers can leave ±(2^53−1): the compiler has
 * refused those that could.
 */
export type Expr =
  | {
      readonly kind: "int";
      readonly value: bigint;
      readonly rep: Rep;
      readonly range: Interval;
      readonly hint: string | undefined;
    }
  | { readonly kind: "bool"; readonly value: boolean; readonly rep: "bool" }
  /**
   * An earlier field of this struct (`path` has one member) or a field of an earlier nested struct (more). The last
   * one is an integer or bits.
   */
  | { readonly kind: "field"; readonly path: readonly Field[]; readonly rep: Rep; readonly range: Interval }
  | { readonly kind: "param"; readonly param: Param; readonly rep: Rep | "bool"; readonly range: Interval }
  /**
   * Bytes left in the range, before the member that the expression belongs to. Only in `while` conditions and as the
   * tag of a switch: an encoder does not know it, writes the elements or the case given, and checks nothing.
   */
  | { readonly kind: "remaining"; readonly rep: "number"; readonly range: Interval }
  /**
   * The integer that lies where the next element would begin. Only in `while` conditions: the array ends where fewer
   * bytes are left than it takes. An encoder writes the elements given and checks nothing.
   */
  | { readonly kind: "peek"; readonly int: IntType; readonly rep: "number"; readonly range: Interval }
  | {
      readonly kind: "unary";
      readonly op: UnaryOp;
      readonly arg: Expr;
      readonly rep: Rep | "bool";
      readonly range: Interval;
    }
  | {
      readonly kind: "binary";
      readonly op: BinaryOp;
      readonly left: Expr;
      readonly right: Expr;
      readonly rep: Rep | "bool";
      readonly range: Interval;
    }
  | {
      readonly kind: "conditional";
      readonly test: Expr;
      readonly then: Expr;
      readonly else: Expr;
      readonly rep: Rep | "bool";
      readonly range: Interval;
    };

export interface Table extends DeclBase {
  readonly kind: "commands" | "messages";
  /** The numbers. Its name is the table's. */
  readonly numbers: Enum;
  readonly rows: readonly Row[];
  /** `NAME_data` or `NAME_payload`; the first parameter is the number (`opcode` or `id`). */
  readonly payload: Struct;
  /** `NAME_output`, commands only. */
  readonly output: Struct | undefined;
  /** `NAME_result` or `NAME_reply`. */
  readonly reply: Struct;
}

export interface Row {
  readonly number: bigint;
  readonly name: string;
  readonly doc: Doc;
  readonly line: number;
  /** Undefined for `()`. */
  readonly payload: Struct | undefined;
  readonly output: Struct | undefined;
  readonly reply: Struct | undefined;
  /** The row has an arrow and no `ack`: a reply always comes, even an empty one. */
  readonly replies: boolean;
  /** A reply comes when that was negotiated and asked for; `reply` is what it carries. */
  readonly acknowledged: boolean;
  /** The flags that make a reply come always that otherwise is an acknowledgement: all of them. Mostly none. */
  readonly repliesWith: readonly Need[];
  readonly fds: Descriptors | undefined;
  readonly replyFds: Descriptors | undefined;
  /** The flags that must have been negotiated, all of them. */
  readonly needs: readonly Need[];
  readonly group: string | undefined;
}

/** A flag that must have been negotiated. */
export interface Need {
  readonly flags: Flags;
  readonly flag: Flag;
}

/** How many file descriptors come with a message. Expressions refer to fields of the payload. */
export interface Descriptors {
  readonly from: Expr;
  readonly to: Expr;
}
