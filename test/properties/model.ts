/**
 * What random schemas are made of. A construct of the language is drawn as a function that adds itself to a scope and
 * gives back members; a member knows its text, and how to draw what it is in one message: the value that a decoder must
 * give, the bytes that an encoder must give, and ways to spoil them. All of it works from what has been drawn and from
 * docs/language.md alone: nothing here may look at the compiler, its IR or generated code, which it is there to judge.
 */
import fc from "fast-check";

export type Endian = "little" | "big";

/** What a scalar without a prefix means in a module or struct. */
export type OrderName = Endian | "native";

/** What is known at some place of one message. */
export interface Message {
  /** Earlier integers and parameters, by the text that an expression refers to them with. */
  readonly integers: ReadonlyMap<string, bigint>;
  /** What a scalar without a prefix means here. */
  readonly order: Endian;
  /** Parameters of type `order`. */
  readonly orders: ReadonlyMap<string, Endian>;
}

/** An integer expression of the schema. */
export interface Integer {
  readonly text: string;
  readonly min: bigint;
  readonly max: bigint;
  /** Held as a bigint. */
  readonly exact: boolean;
  /** The bounds are tighter than those of its width, which is something that only its own struct knows. */
  readonly narrowed?: boolean;
  /** A parameter of type `bool`: 0 or 1 here, a condition for the language. */
  readonly truth?: boolean;
  of(message: Message): bigint;
}

/** Bytes that make a valid message a bad one, and what must be said about it. */
export interface Flaw {
  /** Where the bytes go. */
  readonly at: number;
  readonly bytes: readonly number[];
  /**
   * `count`: far more is claimed to follow than there is, which shows in whatever is missing first. `reserved`: nothing
   * needs to be changed for a strict reader to refuse it.
   */
  readonly code: string;
  readonly path: string;
  /** Where the error is, when that is another place than `at`. */
  readonly offset?: number;
}

/** One value with its bytes. */
export interface Item {
  readonly value: unknown;
  readonly bytes: readonly number[];
  /** What expressions can refer to, behind the name of the field: `""` for the field itself, `.length` for a member. */
  readonly integers: ReadonlyMap<string, bigint>;
  /** Paths are behind the name of the field, too. */
  readonly flaws: readonly Flaw[];
}

/** What members are in one message. */
export interface Part {
  /** Properties of the decoded value. What is undefined is left out. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly bytes: readonly number[];
  readonly integers: ReadonlyMap<string, bigint>;
  readonly flaws: readonly Flaw[];
}

export interface Member {
  readonly text: string;
  part(message: Message): fc.Arbitrary<Part>;
}

export type Construct = fc.Arbitrary<(scope: Scope) => readonly Member[]>;

/** A type as a declaration writes it: `le64 x[3] as number` is `before` `le64`, `dims` `[3]` and `after` ` as number`. */
export interface Type {
  readonly before: string;
  readonly dims: string;
  readonly after: string;
  /** An array of these is bytes or text. */
  readonly unit: "u8" | "char" | undefined;
  /** What expressions may refer to, behind the name of the field. */
  readonly integers: readonly Omit<Integer, "of">[];
  item(message: Message): fc.Arbitrary<Item>;
}

export type TypeConstruct = fc.Arbitrary<(scope: Scope) => Type>;

const NOTHING: Part = { value: {}, bytes: [], integers: new Map(), flaws: [] };

/** One after the other; each sees the integers of those before it. */
export function sequence(members: readonly Member[], message: Message): fc.Arbitrary<Part> {
  return members.reduce<fc.Arbitrary<Part>>(
    (parts, member) =>
      parts.chain((before) => member.part(after(message, before)).map((part) => joined(before, part))),
    fc.constant(NOTHING),
  );
}

function after(message: Message, part: Part): Message {
  return { ...message, integers: new Map([...message.integers, ...part.integers]) };
}

export function joined(a: Part, b: Part): Part {
  return {
    value: { ...a.value, ...b.value },
    bytes: [...a.bytes, ...b.bytes],
    integers: new Map([...a.integers, ...b.integers]),
    flaws: [...a.flaws, ...moved(b.flaws, a.bytes.length)],
  };
}

export function moved(flaws: readonly Flaw[], by: number, path = ""): Flaw[] {
  return flaws.map(({ at, bytes, code, path: inner, offset = at }) => ({
    at: at + by,
    bytes,
    code,
    path: pathIn(path, inner),
    offset: offset + by,
  }));
}

function pathIn(outer: string, inner: string): string {
  return inner === "" || inner.startsWith("[") || outer === "" ? outer + inner : `${outer}.${inner}`;
}

/** A field: its type's item under its name. */
export function fieldPart(name: string, item: Item): Part {
  return {
    value: { [camelCase(name)]: item.value },
    bytes: item.bytes,
    integers: new Map([...item.integers].map(([suffix, value]) => [name + suffix, value])),
    flaws: moved(item.flaws, 0, name),
  };
}

export function field(scope: Scope, type: Type, name: string = scope.names.next()): Member {
  for (const integer of type.integers) scope.see({ ...integer, text: name + integer.text });
  return {
    text: `${type.before} ${name}${type.dims}${type.after};`,
    part: (message) => type.item(message).map((item) => fieldPart(name, item)),
  };
}

export function textOf(members: readonly Member[]): string {
  return members.map(({ text }) => text).join("\n");
}

/** `queue_size` → `queueSize`: the rule for names of properties, as far as the names drawn here need it. */
export function camelCase(name: string): string {
  return name
    .split("_")
    .map((word) => (word === word.toUpperCase() ? word.toLowerCase() : word))
    .map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join("");
}

/** Words of the language and of its generated code: every one of them is a fair name for a field. */
const WORDS = (
  "value at reader view end type length class size source writer new i next index list count bits low high tag left " +
  "from outer member need start back item input result path code data offset target visitor name kind state order in " +
  "as within case default switch where bytes while queue_size b_64 delete this function let little_endian keep handler"
).split(" ");

/** Names that are all different. */
export class Names {
  private at: number;
  private readonly first: number;

  constructor(start: number) {
    this.first = start % WORDS.length;
    this.at = this.first;
  }

  next(): string {
    const word = WORDS[this.at % WORDS.length] ?? "";
    const round = Math.floor((this.at - this.first) / WORDS.length);
    this.at++;
    return round === 0 ? word : `${word}_${round}`;
  }
}

/** One file of schema. */
export class ModuleScope {
  readonly order: OrderName;
  private readonly declarations: string[] = [];
  private named = 0;

  constructor(order: OrderName) {
    this.order = order;
  }

  name(kind: string): string {
    return `${kind}_${this.named++}`;
  }

  declare(text: string): void {
    this.declarations.push(text);
  }

  text(): string {
    return [`module test.drawn ${this.order};`, ...this.declarations].join("\n\n");
  }
}

/** The inside of one struct. */
export class Scope {
  readonly module: ModuleScope;
  readonly order: OrderName;
  readonly names: Names;
  /** Parameters of type `order`. */
  readonly orders: readonly string[];
  /** Something in it is read in an order that the caller must give. */
  usesOrder = false;
  hasBody = false;
  private readonly visible: Integer[];
  private reserved = 0;
  private slacks = 0;

  constructor(
    module: ModuleScope,
    order: OrderName,
    names: Names,
    visible: readonly Integer[],
    orders: readonly string[],
  ) {
    this.module = module;
    this.order = order;
    this.names = names;
    this.visible = [...visible];
    this.orders = orders;
  }

  see(integer: Omit<Integer, "of">): void {
    this.visible.push({ ...integer, of: ({ integers }) => known(integers.get(integer.text), integer.text) });
  }

  get integers(): readonly Integer[] {
    return this.visible;
  }

  /** What `build` declares cannot be seen after it. */
  block<T>(build: () => T): T {
    const before = this.visible.length;
    const built = build();
    this.visible.length = before;
    return built;
  }

  /** What a reserved field without a name is called. */
  reservedName(): string {
    const name = this.reserved === 0 ? "reserved" : `reserved${this.reserved}`;
    this.reserved++;
    return name;
  }

  /** What the bytes that are left over of a range are called. */
  slackName(): string {
    const name = this.slacks === 0 ? "slack" : `slack${this.slacks}`;
    this.slacks++;
    return name;
  }

  /** The order of a scalar without a prefix. */
  useOrder(): void {
    if (this.order === "native") this.usesOrder = true;
  }
}

export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is not known here`);
  return value;
}

/** One of a list that is known only when the construct is built. */
export function pick<T>(list: readonly T[], draw: number): T | undefined {
  return list.length === 0 ? undefined : list[draw % list.length];
}
