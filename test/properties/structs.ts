/** Structs of random schemas: what they are made of, their parameters, and how one holds another. */
import fc from "fast-check";
import {
  constantArray,
  constantArrays,
  counted,
  countedInBytes,
  elementOf,
  restArray,
  single,
  whileArray,
} from "./arrays.js";
import {
  branchCount,
  conditional,
  exactRange,
  keptToTheEnd,
  limitedRange,
  optionals,
  restSwitch,
  switched,
} from "./blocks.js";
import { type Condition, condition } from "./conditions.js";
import {
  between,
  bitFields,
  bounded,
  constant,
  integer,
  integerType,
  ordered,
  reservedBytes,
  reservedInteger,
  scalar,
  scalarText,
} from "./integers.js";
import {
  type Construct,
  type Endian,
  field,
  type Integer,
  known,
  type Member,
  type Message,
  type ModuleScope,
  Names,
  type OrderName,
  type Part,
  pick,
  Scope,
  sequence,
  type Type,
  type TypeConstruct,
  textOf,
} from "./model.js";

/** What is given for a parameter; integers and conditions as bigints. */
type Argument = bigint | Endian;

interface Param {
  readonly name: string;
  readonly text: string;
  /** What expressions see of it: nothing of a byte order. */
  readonly integer: Omit<Integer, "of"> | undefined;
  readonly values: fc.Arbitrary<Argument>;
  /** As a function of generated code takes it. */
  passed(argument: Argument): unknown;
}

export interface StructModel {
  readonly name: string;
  readonly params: readonly Param[];
  /** Takes the order of its native scalars from whoever reads it. */
  readonly native: boolean;
  /** Its end is that of what it is read from. */
  readonly greedy: boolean;
  /** Integers at constant places, which others may refer to. */
  readonly reachable: readonly Omit<Integer, "of">[];
  part(args: readonly Argument[], order: Endian): fc.Arbitrary<Part>;
}

type ParamConstruct = fc.Arbitrary<(module: ModuleScope, name: string) => Param>;

const endian = fc.constantFrom<Endian[]>("little", "big");

const orderParam: ParamConstruct = fc.constant((_module, name) => ({
  name,
  text: `order ${name}`,
  integer: undefined,
  values: endian,
  passed: (argument) => argument === "little",
}));

const boolParam: ParamConstruct = fc.constant((_module, name) => ({
  name,
  text: `bool ${name}`,
  integer: { text: name, min: 0n, max: 1n, exact: false, truth: true },
  values: between(0n, 1n),
  passed: (argument) => argument === 1n,
}));

/** An integer, or the name of an enum or a flag set. Its order on the wire does not matter: it is never there. */
const integerParam: ParamConstruct = fc
  .record({ scalar, meaning: fc.constantFrom("", "", "enum", "flags") })
  .map(({ scalar: drawn, meaning }) => (module, name) => {
    const of = meaning === "" ? drawn : { ...drawn, signed: false };
    let type = scalarText(of);
    if (meaning !== "") {
      type = module.name("param");
      module.declare(`${meaning} ${type} : ${scalarText(of)} { ${type.toUpperCase()}_ONE = 1 }`);
    }
    const { min, max, exact } = integerType(new Scope(module, "little", new Names(0), [], []), {
      scalar: of,
    });
    return {
      name,
      text: `${type} ${name}`,
      integer: { text: name, min, max, exact },
      values: between(min, max),
      passed: (argument) => (exact ? argument : Number(argument)),
    };
  });

const params: fc.Arbitrary<((module: ModuleScope, name: string) => Param)[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<((module: ModuleScope, name: string) => Param)[]>([]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.oneof({ weight: 3, arbitrary: integerParam }, boolParam, orderParam), {
      minLength: 1,
      maxLength: 3,
    }),
  },
);

const plainField: Construct = single.map((make) => (scope) => [field(scope, make(scope))]);

/** Constructs of constant size: what they declare lies at a constant place while nothing else comes before. */
const fixed: Construct = fc.oneof(
  { weight: 4, arbitrary: plainField },
  { weight: 2, arbitrary: bitFields },
  { weight: 1, arbitrary: constant },
  { weight: 1, arbitrary: reservedInteger },
  { weight: 1, arbitrary: reservedBytes },
  { weight: 1, arbitrary: bounded },
  { weight: 1, arbitrary: ordered },
);

interface Level {
  /** Members whose end is known. */
  readonly inner: Construct;
  /** The last member of a struct or range, which reads to its end. */
  readonly tail: Construct;
}

/** Nesting goes no deeper than `depth`. */
function level(depth: number): Level {
  if (depth === 0) {
    const inner = fc.oneof(
      { weight: 3, arbitrary: fixed },
      constantArrays(single),
      counted(single, fixed),
      countedInBytes(single),
    );
    return { inner, tail: fc.oneof(restArray(single), whileArray(single), restSwitch) };
  }
  const { inner: below, tail: tailBelow } = level(depth - 1);
  const nested = structType(structOf(below, fc.constant(null)));
  const nestedField: Construct = nested.map((make) => (scope) => [field(scope, make(scope))]);
  const element = elementOf(nested);
  const arm: TypeConstruct = fc
    .record({ element, count: fc.nat(3) })
    .map(({ element: make, count }) => (scope) => {
      const type = make(scope);
      return type.unit === "char" || count > 0 ? constantArray(type, count + 1) : type;
    });
  const inner = fc.oneof(
    { weight: 6, arbitrary: fixed },
    { weight: 2, arbitrary: constantArrays(nested) },
    { weight: 3, arbitrary: counted(nested, below) },
    { weight: 2, arbitrary: countedInBytes(nested) },
    { weight: 2, arbitrary: nestedField },
    { weight: 2, arbitrary: conditional(below) },
    { weight: 1, arbitrary: branchCount },
    { weight: 2, arbitrary: exactRange(below, tailBelow) },
    { weight: 2, arbitrary: limitedRange(below) },
    { weight: 2, arbitrary: switched(below, arm) },
  );
  const greedy = structType(structOf(below, tailBelow));
  const tail = fc.oneof(
    restArray(nested),
    whileArray(nested),
    optionals(below, counted(nested, fixed)),
    restSwitch,
    switched(below, arm, keptToTheEnd),
    conditional(below, tailBelow),
    greedy.map((make) => (scope: Scope) => [field(scope, make(scope))]),
  );
  return { inner, tail };
}

type StructConstruct = fc.Arbitrary<(module: ModuleScope) => StructModel>;

/** `tail` gives null for a struct that knows where it ends. */
function structOf(
  inner: Construct,
  tail: fc.Arbitrary<((scope: Scope) => readonly Member[]) | null>,
  keyword = "struct",
): StructConstruct {
  return fc
    .record({
      params,
      order: fc.constantFrom<(OrderName | undefined)[]>(undefined, undefined, "little", "big", "native"),
      first: integer,
      start: fc.array(fixed, { maxLength: 2 }),
      members: fc.array(inner, { maxLength: 3 }),
      tail,
      names: fc.nat(100),
    })
    .map((draw) => (module) => {
      const declared = draw.params.map((make, i) => make(module, `given_${i}`));
      const visible = declared.flatMap(({ integer: seen }) => (seen === undefined ? [] : [seen]));
      const orders = declared.flatMap((param) => (param.integer === undefined ? [param.name] : []));
      const order = draw.order ?? module.order;
      const scope = new Scope(module, order, new Names(draw.names), [], orders);
      for (const integer of visible) scope.see(integer);
      // An element of an array takes at least one byte, so every struct begins with something that does.
      const head = [field(scope, draw.first(scope)), ...draw.start.flatMap((make) => make(scope))];
      const reachable = scope.integers.slice(visible.length).filter(({ narrowed }) => narrowed !== true);
      const members = [
        ...head,
        ...draw.members.flatMap((make) => make(scope)),
        ...(draw.tail?.(scope) ?? []),
      ];
      const name = module.name("msg");
      const head2 = declared.length === 0 ? "" : ` (${declared.map(({ text }) => text).join(", ")})`;
      module.declare(
        `${keyword} ${name}${head2}${draw.order === undefined ? "" : ` ${draw.order}`} {\n${textOf(members)}\n}`,
      );
      return {
        name,
        params: declared,
        native: scope.usesOrder,
        greedy: draw.tail !== null,
        reachable,
        part: (args, given) => {
          const bound = declared.map((param, i) => [param.name, known(args[i], param.name)] as const);
          const message: Message = {
            integers: new Map(
              bound.flatMap(([key, value]) => (typeof value === "bigint" ? [[key, value] as const] : [])),
            ),
            orders: new Map(
              bound.flatMap(([key, value]) => (typeof value === "bigint" ? [] : [[key, value] as const])),
            ),
            order: order === "native" ? given : order,
          };
          return sequence(members, message);
        },
      };
    });
}

/** What stands for a parameter where a struct is used. */
interface Given {
  readonly text: string;
  of(message: Message): Argument;
}

function given(
  param: Param,
  scope: Scope,
  draw: number,
  literal: bigint,
  test: Condition | undefined,
): Given {
  if (param.integer === undefined) {
    const choices = ["little", "big", ...scope.orders];
    const text = pick(choices, draw) ?? "little";
    return {
      text,
      of: (message) => (text === "little" || text === "big" ? text : known(message.orders.get(text), text)),
    };
  }
  if (param.text.startsWith("bool ")) {
    if (test === undefined) return { text: String(literal % 2n === 1n), of: () => literal % 2n };
    return { text: test.text, of: (message) => (test.test(message) ? 1n : 0n) };
  }
  const { min, max, exact } = param.integer;
  const fitting = scope.integers.filter(
    (each) => each.truth !== true && each.exact === exact && each.min >= min && each.max <= max,
  );
  const chosen = draw % 3 === 0 ? undefined : pick(fitting, draw);
  if (chosen !== undefined) return chosen;
  const value = min + (literal % (max - min + 1n));
  return { text: String(value), of: () => value };
}

/** A struct inside another: its arguments and the order of what is native in it. */
function structType(construct: StructConstruct): TypeConstruct {
  return fc
    .record({
      construct,
      draws: fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)),
      literals: fc.tuple(fc.bigInt(0n, 1n << 64n), fc.bigInt(0n, 9n), fc.bigInt(0n, 1n << 32n)),
      test: condition,
      inOrder: fc.nat(20),
    })
    .map(({ construct: make, draws, literals, test: makeTest, inOrder }) => (scope): Type => {
      const model = make(scope.module);
      const test = makeTest(scope);
      const args = model.params.map((param, i) =>
        given(param, scope, draws[i] ?? 0, literals[i] ?? 0n, test),
      );
      const orders = model.native ? [undefined, "little", "big", ...scope.orders] : [undefined];
      const chosen = pick(orders, inOrder);
      if (model.native && chosen === undefined) scope.useOrder();
      const orderIn = (message: Message): Endian => {
        if (chosen === undefined) return message.order;
        return chosen === "little" || chosen === "big" ? chosen : known(message.orders.get(chosen), chosen);
      };
      const brackets = args.length === 0 ? "" : `(${args.map(({ text }) => text).join(", ")})`;
      return {
        before: `${model.name}${brackets}${chosen === undefined ? "" : ` in ${chosen}`}`,
        dims: "",
        after: "",
        unit: undefined,
        integers: model.reachable.map((each) => ({ ...each, text: `.${each.text}` })),
        item: (message) =>
          model
            .part(
              args.map(({ of }) => of(message)),
              orderIn(message),
            )
            .map((part) => ({
              value: part.value,
              bytes: part.bytes,
              integers: new Map([...part.integers].map(([name, value]) => [`.${name}`, value])),
              flaws: part.flaws,
            })),
      };
    });
}

const { inner, tail } = level(2);

/** A struct that is used by itself. It is a stream, so that it gets everything that can be made of a struct. */
export const message: StructConstruct = structOf(inner, fc.option(tail, { freq: 1 }), "stream");
