/** Integers of random schemas: scalars, enums, flag sets, constants, reserved fields, bit fields and constraints. */
import fc from "fast-check";
import {
  type Construct,
  camelCase,
  type Endian,
  type Flaw,
  field,
  fieldPart,
  type Item,
  known,
  type Member,
  type Message,
  type Scope,
  type Type,
  type TypeConstruct,
} from "./model.js";

export interface Scalar {
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
  readonly prefix: "" | "le" | "be";
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

const bits: fc.Arbitrary<Scalar["bits"]> = fc.constantFrom(8, 16, 32, 64);
const prefix: fc.Arbitrary<Scalar["prefix"]> = fc.constantFrom("", "le", "be");
export const scalar: fc.Arbitrary<Scalar> = fc.record({ bits, signed: fc.boolean(), prefix });
export const unsignedScalar: fc.Arbitrary<Scalar> = fc.record({ bits, signed: fc.constant(false), prefix });
/** Wide enough for the length of anything that is drawn here. */
export const lengthScalar: fc.Arbitrary<Scalar> = fc.record({
  bits: fc.constantFrom<Scalar["bits"][]>(16, 32, 64),
  signed: fc.constant(false),
  prefix,
});

export function scalarText({ bits: width, signed, prefix: order }: Scalar): string {
  if (width === 8 || order === "") return `${signed ? "s" : "u"}${width}`;
  return `${signed ? "s" : ""}${order}${width}`;
}

function needsOrder(of: Scalar): boolean {
  return of.bits > 8 && of.prefix === "";
}

/** The reference encoder of integers: two's complement, one byte after the other. */
function bytesOf(value: bigint, size: number, order: Endian): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    bytes.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return order === "little" ? bytes : bytes.reverse();
}

/** The same count or length field, claiming as much as it can. */
export function overstated(type: IntegerType, message: Message, max: bigint = type.max): Flaw {
  return { at: 0, bytes: type.bytes(max, message), code: "count", path: "" };
}

/** Any integer of a range, often one of its ends. */
export function between(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const near = [min, max, 0n, 1n].filter((value) => value >= min && value <= max);
  return fc.oneof(fc.constantFrom(...near), fc.bigInt({ min, max }));
}

/** An integer field's type, and what more than that the constructs around it must know. */
export interface IntegerType extends Type {
  readonly min: bigint;
  readonly max: bigint;
  readonly exact: boolean;
  bytes(value: bigint, message: Message): number[];
  /** The value as decoders give it. */
  held(value: bigint): number | bigint;
  /** A value with its bytes. */
  encoded(value: bigint, message: Message): Item;
}

interface IntegerOptions {
  readonly scalar: Scalar;
  /** Instead of the scalar's own name, e.g. that of an enum. */
  readonly name?: string;
  readonly asNumber?: boolean;
  readonly as?: string;
  /** A fixed order, or the name of a parameter. */
  readonly inOrder?: string | undefined;
  readonly values?: (min: bigint, max: bigint) => fc.Arbitrary<bigint>;
  /** Values that are refused. */
  readonly flaw?: { readonly value: bigint; readonly code: string } | undefined;
  /** The bounds that the compiler knows for a value, when they are narrower than the width. */
  readonly bounds?: readonly [min: bigint, max: bigint];
}

export function integerType(scope: Scope, options: IntegerOptions): IntegerType {
  const { scalar: of, values = between, flaw, inOrder } = options;
  const size = of.bits / 8;
  const asNumber = of.bits === 64 && options.asNumber === true;
  const exact = of.bits === 64 && !asNumber;
  let min = of.signed ? -(1n << BigInt(of.bits - 1)) : 0n;
  let max = (1n << BigInt(of.signed ? of.bits - 1 : of.bits)) - 1n;
  if (asNumber) [min, max] = [of.signed ? -MAX_SAFE : 0n, MAX_SAFE];
  const [low, high] = options.bounds ?? [min, max];
  if (needsOrder(of) && inOrder === undefined) scope.useOrder();
  const orderIn = (message: Message): Endian => {
    if (of.prefix !== "") return of.prefix === "le" ? "little" : "big";
    if (inOrder === undefined) return message.order;
    return inOrder === "little" || inOrder === "big" ? inOrder : known(message.orders.get(inOrder), inOrder);
  };
  const bytes = (value: bigint, message: Message): number[] => bytesOf(value, size, orderIn(message));
  const held = (value: bigint): number | bigint => (exact ? value : Number(value));
  const encoded = (value: bigint, message: Message): Item => {
    const flaws: Flaw[] = [];
    if (asNumber) flaws.push({ at: 0, bytes: bytes(max + 1n, message), code: "range", path: "" });
    if (flaw !== undefined)
      flaws.push({ at: 0, bytes: bytes(flaw.value, message), code: flaw.code, path: "" });
    return { value: held(value), bytes: bytes(value, message), integers: new Map([["", value]]), flaws };
  };
  return {
    before: `${options.name ?? scalarText(of)}${inOrder === undefined ? "" : ` in ${inOrder}`}`,
    dims: "",
    after: `${asNumber ? " as number" : ""}${options.as === undefined ? "" : ` as ${options.as}`}`,
    unit:
      scalarText(of) === "u8" && options.name === undefined && options.as === undefined ? "u8" : undefined,
    integers: [{ text: "", min: low, max: high, exact, narrowed: options.bounds !== undefined }],
    min,
    max,
    exact,
    bytes,
    held,
    encoded,
    item: (message) => values(min, max).map((value) => encoded(value, message)),
  };
}

/** `in little` and the like, for scalars that have no order of their own. */
function orderFor(scope: Scope, of: Scalar, draw: number): string | undefined {
  if (!needsOrder(of)) return undefined;
  const choices = [undefined, undefined, "little", "big", ...scope.orders];
  return choices[draw % choices.length];
}

export const integer: fc.Arbitrary<(scope: Scope) => IntegerType> = fc
  .record({ scalar, asNumber: fc.boolean(), inOrder: fc.nat(20) })
  .map(
    ({ scalar: of, asNumber, inOrder }) =>
      (scope) =>
        integerType(scope, { scalar: of, asNumber, inOrder: orderFor(scope, of, inOrder) }),
  );

/** Distinct values that fit into so many bits, in rising order. */
function distinct(width: number, minLength: number): fc.Arbitrary<bigint[]> {
  const max = (1n << BigInt(width)) - 1n;
  const value = fc.oneof(fc.bigInt(0n, max < 9n ? max : 9n), between(0n, max));
  return fc
    .uniqueArray(value, { minLength: Math.min(minLength, Number(max < 4n ? max + 1n : 4n)), maxLength: 4 })
    .map((values) => values.sort((a, b) => (a < b ? -1 : 1)));
}

/** An enum, open or closed, as a type of its own or as the meaning of a scalar. */
export const enumeration: TypeConstruct = unsignedScalar.chain((of) =>
  fc
    .record({
      values: distinct(of.bits, 1),
      closed: fc.boolean(),
      asMeaning: fc.boolean(),
      asNumber: fc.boolean(),
    })
    .map(({ values, closed, asMeaning, asNumber: wish }) => (scope: Scope) => {
      const asNumber = wish && of.bits === 64;
      const listed = asNumber ? values.filter((value) => value <= MAX_SAFE) : values;
      const members = listed.length === 0 ? [0n] : listed;
      const name = scope.module.name("kind");
      const text = members.map((value, i) => `${name.toUpperCase()}_${i} = ${value}`).join(", ");
      scope.module.declare(`${closed ? "closed " : ""}enum ${name} : ${scalarText(of)} { ${text} }`);
      const known = fc.constantFrom(...members);
      const other = otherThan(members, of.bits);
      return integerType(scope, {
        scalar: of,
        ...(asMeaning ? { as: name } : { name }),
        asNumber,
        values: (min, max) => (closed ? known : fc.oneof(known, between(min, max))),
        flaw: closed && other !== undefined ? { value: other, code: "enum" } : undefined,
        ...(closed ? { bounds: [members[0] ?? 0n, members[members.length - 1] ?? 0n] as const } : {}),
      });
    }),
);

/** The smallest value that is not in the list, unless the list has all of them. */
function otherThan(values: readonly bigint[], width: number): bigint | undefined {
  let other = 0n;
  while (values.includes(other)) other++;
  return other < 1n << BigInt(width) ? other : undefined;
}

/** A flag set. Bits without a name are kept, so any value will do. */
export const flagSet: TypeConstruct = unsignedScalar.chain((of) =>
  fc.uniqueArray(fc.nat(of.bits - 1), { minLength: 1, maxLength: 4 }).map((shifts) => (scope: Scope) => {
    const name = scope.module.name("set");
    const members = shifts.map((shift) => `${name.toUpperCase()}_${shift} = 1 << ${shift}`);
    scope.module.declare(`flags ${name} : ${scalarText(of)} { ${members.join(", ")} }`);
    return integerType(scope, { scalar: of, name });
  }),
);

/** A field that always has the same value. */
export const constant: Construct = fc
  .record({ scalar, asNumber: fc.boolean(), draw: fc.bigInt(0n, (1n << 64n) - 1n), small: fc.boolean() })
  .map(({ scalar: of, asNumber, draw, small }) => (scope) => {
    const type = integerType(scope, { scalar: of, asNumber });
    const value = small ? draw % 100n : type.min + (draw % (type.max - type.min + 1n));
    const name = scope.names.next();
    scope.see({ text: name, min: type.min, max: type.max, exact: type.exact });
    return [
      {
        text: `${type.before} ${name}${type.after} = ${value};`,
        part: (message) => {
          const { bytes, integers, flaws } = fieldPart(name, type.encoded(value, message));
          const other = type.bytes(value === type.max ? type.min : value + 1n, message);
          const flaw = { at: 0, bytes: other, code: "constant", path: name };
          return fc.constant({ value: {}, bytes, integers, flaws: [...flaws, flaw] });
        },
      },
    ];
  });

/** A reserved integer: its value, zero or not, is kept. */
export const reservedInteger: Construct = fc
  .record({ scalar, named: fc.boolean() })
  .map(({ scalar: of, named }) => (scope) => {
    const type = integerType(scope, {
      scalar: of,
      values: (min, max) => fc.oneof(fc.constant(0n), between(min, max)),
    });
    const name = named ? scope.names.next() : scope.reservedName();
    return [
      {
        text: `reserved ${type.before}${named ? ` ${name}` : ""};`,
        part: (message) =>
          type.item(message).map((item) => {
            const part = fieldPart(name, item);
            return { ...part, integers: new Map(), flaws: [...part.flaws, ...notZero(name, item.bytes)] };
          }),
      },
    ];
  });

/** Reserved bytes, or integers, which are kept as bytes. Zeros are not worth a value. */
export const reservedBytes: Construct = fc
  .record({ scalar: unsignedScalar, count: fc.integer({ min: 1, max: 5 }), named: fc.boolean() })
  .map(({ scalar: of, count, named }) => (scope) => {
    const size = (count * of.bits) / 8;
    const name = named ? scope.names.next() : scope.reservedName();
    if (needsOrder(of)) scope.useOrder();
    return [
      {
        text: `reserved ${scalarText(of)}${named ? ` ${name}` : ""}[${count}];`,
        part: () =>
          rawBytes(size, size).map((bytes) => ({
            value: {
              [camelCase(name)]: bytes.every((byte) => byte === 0) ? undefined : Uint8Array.from(bytes),
            },
            bytes,
            integers: new Map(),
            flaws: notZero(name, bytes),
          })),
      },
    ];
  });

/** What a strict reader says about a reserved field. */
export function notZero(name: string, bytes: readonly number[]): Flaw[] {
  if (bytes.every((byte) => byte === 0)) return [];
  return [{ at: 0, bytes: [], code: "reserved", path: name }];
}

/** Bytes, all zero as often as not. */
export function rawBytes(min: number, max: number): fc.Arbitrary<number[]> {
  const sized = { minLength: min, maxLength: max };
  return fc.oneof(fc.array(fc.constant(0), sized), fc.array(fc.integer({ min: 0, max: 255 }), sized));
}

/** An integer with bounds of its own. */
export const bounded: Construct = fc
  .record({ type: integer, low: fc.bigInt(0n, 1n << 64n), high: fc.bigInt(0n, 1n << 64n) })
  .map(({ type: build, low, high }) => (scope) => {
    const type = build(scope);
    const span = type.max - type.min + 1n;
    const [min, max] = [type.min + (low % span), type.min + (high % span)].sort((a, b) => (a < b ? -1 : 1));
    if (min === undefined || max === undefined || min === type.min || max === type.max)
      return [field(scope, type)];
    const name = scope.names.next();
    scope.see({ text: name, min, max, exact: type.exact, narrowed: true });
    return [
      {
        text: `${type.before} ${name}${type.after} where ${name} >= ${min} && ${name} <= ${max};`,
        part: (message) =>
          between(min, max).map((value) => {
            const part = fieldPart(name, type.encoded(value, message));
            const spoilt = [min - 1n, max + 1n].map((other) => type.bytes(other, message));
            const flaws = spoilt.map((bytes) => ({ at: 0, bytes, code: "constraint", path: name }));
            return { ...part, flaws: [...part.flaws, ...flaws] };
          }),
      },
    ];
  });

/** Two integers of which the first must not be the larger one. */
export const ordered: Construct = integer.map((build) => (scope) => {
  const [low, high] = [build(scope), build(scope)];
  const [first, second] = [scope.names.next(), scope.names.next()];
  scope.see({ text: first, min: low.min, max: low.max, exact: low.exact });
  scope.see({ text: second, min: high.min, max: high.max, exact: high.exact });
  return [
    {
      text: `${low.before} ${first}${low.after};`,
      part: (message) => low.item(message).map((item) => fieldPart(first, item)),
    },
    {
      text: `${high.before} ${second}${high.after};\nwhere ${first} <= ${second};`,
      part: (message) => {
        const least = known(message.integers.get(first), first);
        return between(least, high.max).map((value) => fieldPart(second, high.encoded(value, message)));
      },
    },
  ];
});

interface BitMember {
  readonly width: number;
  readonly use: "value" | "enum" | "reserved" | "unnamed";
}

const bitMember: fc.Arbitrary<BitMember> = fc.record({
  width: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 60 })),
  use: fc.constantFrom("value", "value", "enum", "reserved", "unnamed"),
});

/** Bit fields that fill a container, least or most significant first. */
export const bitFields: Construct = fc
  .record({
    scalar: unsignedScalar,
    msb: fc.boolean(),
    members: fc.array(bitMember, { minLength: 1, maxLength: 6 }),
  })
  .map(({ scalar: of, msb, members }) => (scope) => {
    const container = integerType(scope, { scalar: of });
    const fields: { name: string; width: number; shift: number; text: string; values: readonly bigint[] }[] =
      [];
    let used = 0;
    const add = ({ width, use }: BitMember): void => {
      if (width === 0) return;
      const name = use === "unnamed" ? scope.reservedName() : scope.names.next();
      const shift = msb ? of.bits - used - width : used;
      let text = `${name} : ${width};`;
      let values: readonly bigint[] = [];
      if (use === "reserved") text = `reserved ${text}`;
      if (use === "unnamed") text = `reserved : ${width};`;
      if (use === "enum") {
        const type = scope.module.name("bit_kind");
        const scalarOf = width <= 8 ? "u8" : width <= 16 ? "u16" : width <= 32 ? "u32" : "u64";
        values = [0n, 1n];
        scope.module.declare(
          `closed enum ${type} : ${scalarOf} { ${type.toUpperCase()}_A = 0, ${type.toUpperCase()}_B = 1 }`,
        );
        text = `${type} ${text}`;
      }
      fields.push({ name, width, shift, text, values });
      used += width;
    };
    for (const member of members) add({ ...member, width: Math.min(member.width, of.bits - used) });
    add({ width: of.bits - used, use: "unnamed" });
    const rangeOf = ({ width, values }: (typeof fields)[number]): [bigint, bigint] =>
      values.length > 0 ? [0n, 1n] : [0n, (1n << BigInt(width)) - 1n];
    for (const { name, width } of fields) {
      scope.see({ text: name, min: 0n, max: (1n << BigInt(width)) - 1n, exact: width > 53 });
    }
    const encode = (values: readonly bigint[], message: Message): number[] =>
      container.bytes(
        values.reduce((sum, value, i) => sum | (value << BigInt(fields[i]?.shift ?? 0)), 0n),
        message,
      );
    const member: Member = {
      text: `bits ${container.before}${msb ? " msb" : ""} { ${fields.map(({ text }) => text).join(" ")} }`,
      part: (message) =>
        fc.tuple(...fields.map((each) => between(...rangeOf(each)))).map((values) => {
          const flaws = fields.flatMap(({ name, width, values: allowed, text }, i): Flaw[] => {
            if (text.startsWith("reserved")) return notZero(name, values[i] === 0n ? [] : [1]);
            if (allowed.length === 0 || width === 1) return [];
            return [
              {
                at: 0,
                bytes: encode(
                  values.map((value, j) => (j === i ? 2n : value)),
                  message,
                ),
                code: "enum",
                path: name,
              },
            ];
          });
          const held = (i: number): number | bigint => {
            const value = values[i] ?? 0n;
            return (fields[i]?.width ?? 0) > 53 ? value : Number(value);
          };
          return {
            value: Object.fromEntries(fields.map(({ name }, i) => [camelCase(name), held(i)])),
            bytes: encode(values, message),
            integers: new Map(fields.map(({ name }, i) => [name, values[i] ?? 0n])),
            flaws,
          };
        }),
    };
    return [member];
  });
