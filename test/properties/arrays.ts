/** Bytes, text and arrays of random schemas: constant, counted in every way, to the end, and while a condition holds. */
import fc from "fast-check";
import {
  enumeration,
  flagSet,
  integer,
  integerType,
  lengthScalar,
  overstated,
  type Scalar,
  unsignedScalar,
} from "./integers.js";
import {
  type Construct,
  type Flaw,
  field,
  fieldPart,
  type Item,
  joined,
  known,
  type Member,
  type Message,
  moved,
  type Part,
  type Scope,
  type Type,
  type TypeConstruct,
} from "./model.js";

const byte = fc.integer({ min: 0, max: 255 });

/** `count` items of a type as one: bytes for `u8`, text for `char`. */
function items(element: Type, count: number, message: Message): fc.Arbitrary<Item> {
  const sized = { minLength: count, maxLength: count };
  if (element.unit !== undefined) {
    return fc.array(byte, sized).map((bytes) => ({
      value: element.unit === "u8" ? Uint8Array.from(bytes) : String.fromCharCode(...bytes),
      bytes,
      integers: new Map(),
      flaws: [],
    }));
  }
  return fc.array(element.item(message), sized).map(listed);
}

function listed(list: readonly Item[]): Item {
  const bytes: number[] = [];
  const flaws: Flaw[] = [];
  list.forEach((item, i) => {
    flaws.push(...moved(item.flaws, bytes.length, `[${i}]`));
    bytes.push(...item.bytes);
  });
  return { value: list.map(({ value }) => value), bytes, integers: new Map(), flaws };
}

/** `T x[DIM]`: one more dimension in front of those that the element has. */
function arrayOf(element: Type, dim: string, item: (message: Message) => fc.Arbitrary<Item>): Type {
  return { ...element, dims: `[${dim}]${element.dims}`, unit: undefined, integers: [], item };
}

/** Trailing NULs of text of constant length are padding. */
function unpadded(item: Item): Item {
  return { ...item, value: String(item.value).replace(/\0+$/, "") };
}

export function constantArray(element: Type, count: number): Type {
  return arrayOf(element, String(count), (message) => {
    const item = items(element, count, message);
    return element.unit === "char" ? item.map(unpadded) : item;
  });
}

const CHAR: Type = {
  before: "char",
  dims: "",
  after: "",
  unit: "char",
  integers: [],
  item: () => {
    throw new Error("char is for arrays");
  },
};

const char: TypeConstruct = fc.constant(() => CHAR);

/** A type that is one thing: an integer with or without a meaning. */
export const single: TypeConstruct = fc.oneof(
  { weight: 3, arbitrary: integer },
  { weight: 1, arbitrary: enumeration },
  { weight: 1, arbitrary: flagSet },
);

const innerDimensions = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });

/** What arrays are made of, which may be arrays of constant size themselves. `others`: e.g. structs. */
export function elementOf(others: TypeConstruct): TypeConstruct {
  const u8: TypeConstruct = fc.constant((scope) =>
    integerType(scope, { scalar: { bits: 8, signed: false, prefix: "" } }),
  );
  const small = fc.record({ base: fc.oneof(single, u8, char), dims: innerDimensions }).map(
    ({ base, dims }) =>
      (scope: Scope) =>
        dims.reduce<Type>(constantArray, base(scope)),
  );
  return fc.oneof({ weight: 3, arbitrary: small }, { weight: 1, arbitrary: others });
}

/** A field with one or more constant dimensions. */
export function constantArrays(others: TypeConstruct): Construct {
  return fc
    .record({ element: elementOf(others), count: fc.integer({ min: 1, max: 4 }) })
    .map(({ element, count }) => (scope) => [field(scope, constantArray(element(scope), count))]);
}

/** How a field and the count that it stands for belong together. */
interface Counting {
  /** The expression, over the name of the field. */
  readonly text: (name: string) => string;
  readonly where?: (name: string) => string;
  /** The least value of the field that the expression allows. */
  readonly from: bigint;
  /** The largest that the expression allows without overflow in a 64-bit number. */
  readonly wide: boolean;
  readonly count: (value: bigint) => bigint;
  /** Encoding can find the field from the count. */
  readonly derives: boolean;
}

const counting: fc.Arbitrary<Counting> = fc
  .record({ form: fc.nat(9), k: fc.bigInt(1n, 3n) })
  .map(({ form, k }): Counting => {
    switch (form) {
      case 0:
        return { text: (n) => `${n} + ${k}`, from: 0n, wide: false, count: (n) => n + k, derives: true };
      case 1:
        return { text: (n) => `${k} + ${n}`, from: 0n, wide: false, count: (n) => n + k, derives: true };
      case 2:
        return {
          text: (n) => `${n} - ${k}`,
          where: (n) => `${n} >= ${k}`,
          from: k,
          wide: true,
          count: (n) => n - k,
          derives: true,
        };
      case 3:
        return { text: (n) => `${n} * ${k}`, from: 0n, wide: false, count: (n) => n * k, derives: true };
      case 4:
        return {
          text: (n) => `${k} * ${n} + 1`,
          from: 0n,
          wide: false,
          count: (n) => k * n + 1n,
          derives: true,
        };
      case 5:
        return { text: (n) => `${n} << ${k}`, from: 0n, wide: false, count: (n) => n << k, derives: true };
      case 6:
        return {
          text: (n) => `${n} / ${k + 1n}`,
          from: 0n,
          wide: true,
          count: (n) => n / (k + 1n),
          derives: false,
        };
      case 7:
        return {
          text: (n) => `${n} % ${k + 1n}`,
          from: 0n,
          wide: true,
          count: (n) => n % (k + 1n),
          derives: false,
        };
      default:
        return { text: (n) => n, from: 0n, wide: true, count: (n) => n, derives: true };
    }
  });

/** A field that counts, some members, and what it counts: elements or, of constant-size elements, bytes. */
export function counted(others: TypeConstruct, between: Construct): Construct {
  return fc
    .record({
      scalar: unsignedScalar,
      signed: fc.boolean(),
      counting,
      element: elementOf(others),
      between: fc.array(between, { maxLength: 1 }),
      twice: fc.boolean(),
      largest: fc.bigInt(0n, 3n),
    })
    .map(({ scalar, signed, counting: how, element: build, between: inner, twice, largest }) => (scope) => {
      const name = scope.names.next();
      const of: Scalar = { ...scalar, signed: signed && how.wide && scalar.bits < 64 };
      const type = integerType(scope, { scalar: of, asNumber: true });
      // Arithmetic that could leave 2^53 is refused: such a field is bounded first.
      const capped = of.bits === 64 && !how.wide;
      const limits = [
        how.where?.(name),
        of.signed && how.from === 0n ? `${name} >= 0` : undefined,
        capped ? `${name} <= 1000` : undefined,
      ];
      const where = limits.filter((limit) => limit !== undefined).join(" && ");
      const min = of.signed || how.from > 0n ? how.from : type.min;
      scope.see({ text: name, min, max: capped ? 1000n : type.max, exact: false });
      const counter: Member = {
        text: `${type.before} ${name}${type.after}${where === "" ? "" : ` where ${where}`};`,
        part: (message) =>
          fc.bigInt(how.from, how.from + largest).map((value): Part => {
            const part = fieldPart(name, type.encoded(value, message));
            if (!how.derives) return part;
            const flaws = of.bits < 16 || capped ? part.flaws : [...part.flaws, overstated(type, message)];
            return { ...part, value: {}, flaws };
          }),
      };
      const members = inner.flatMap((construct) => construct(scope));
      const element = build(scope);
      const countOf = (message: Message): number =>
        Number(how.count(known(message.integers.get(name), name)));
      const array = arrayOf(element, how.text(name), (message) => items(element, countOf(message), message));
      const arrays = [field(scope, array)];
      if (twice) arrays.push(field(scope, array));
      return [counter, ...members, ...arrays];
    });
}

/** A field that says how many bytes the elements take. */
export function countedInBytes(others: TypeConstruct): Construct {
  return fc
    .record({ scalar: lengthScalar, element: elementOf(others), count: fc.integer({ min: 0, max: 3 }) })
    .map(({ scalar, element: build, count }) => (scope) => {
      const name = scope.names.next();
      const type = integerType(scope, { scalar, asNumber: true });
      const element = build(scope);
      const array = field(
        scope,
        arrayOf(element, `bytes ${name}`, (message) => items(element, count, message)),
      );
      scope.see({ text: name, min: type.min, max: type.max, exact: false });
      return [
        {
          text: `${type.before} ${name}${type.after};\n${array.text}`,
          part: (message) =>
            array.part(message).map((part) => {
              const length = fieldPart(name, type.encoded(BigInt(part.bytes.length), message));
              return joined(
                { ...length, value: {}, flaws: [...length.flaws, overstated(type, message)] },
                part,
              );
            }),
        },
      ];
    });
}

/** To the end of the range. */
export function restArray(others: TypeConstruct): Construct {
  return fc
    .record({ element: elementOf(others), count: fc.integer({ min: 0, max: 3 }) })
    .map(({ element: build, count }) => (scope) => {
      const element = build(scope);
      return [
        field(
          scope,
          arrayOf(element, "..", (message) => items(element, count, message)),
        ),
      ];
    });
}

/** As long as more bytes are left than the trailer takes. */
export function whileArray(others: TypeConstruct): Construct {
  return fc
    .record({
      element: elementOf(others),
      count: fc.integer({ min: 0, max: 3 }),
      trailer: fc.array(integer, { maxLength: 2 }),
    })
    .map(({ element: build, count, trailer }) => (scope) => {
      const element = build(scope);

      const types = trailer.map((make) => make(scope));
      const size = types.reduce((sum, type) => sum + bitsOf(type.before) / 8, 0);
      const array = field(
        scope,
        arrayOf(element, `while remaining > ${size}`, (message) => items(element, count, message)),
      );
      return [array, ...types.map((type) => field(scope, type))];
    });
}

function bitsOf(scalar: string): number {
  return Number(/\d+/.exec(scalar)?.[0]);
}
