/** Members of random schemas that hold others: ranges, conditions, optional tails and tagged values. */
import fc from "fast-check";
import { condition } from "./conditions.js";
import {
  type IntegerType,
  integer,
  integerType,
  lengthScalar,
  notZero,
  overstated,
  rawBytes,
  type Scalar,
  unsignedScalar,
} from "./integers.js";
import {
  type Construct,
  camelCase,
  field,
  fieldPart,
  joined,
  known,
  type Member,
  type Message,
  Names,
  type Part,
  type Scope,
  sequence,
  type Type,
  type TypeConstruct,
  textOf,
} from "./model.js";

type Build = (scope: Scope) => readonly Member[];

function build(constructs: readonly Build[], scope: Scope): Member[] {
  return constructs.flatMap((construct) => construct(scope));
}

const NO_INTEGERS: ReadonlyMap<string, bigint> = new Map();

/** `if (…) { … } else { … }`. Nothing in a branch can be seen after it. */
export function conditional(inner: Construct, last: Construct = inner): Construct {
  const branch = fc.tuple(fc.array(inner, { maxLength: 1 }), last).map(([first, end]) => [...first, end]);
  return fc
    .record({ condition, then: branch, otherwise: fc.option(branch) })
    .map(({ condition: make, then: yes, otherwise: no }) => (scope) => {
      const test = make(scope);
      const then = scope.block(() => build(yes, scope));
      if (test === undefined) return then;
      const otherwise = scope.block(() => build(no ?? [], scope));
      const tail = no === null ? "" : ` else {\n${textOf(otherwise)}\n}`;
      return [
        {
          text: `if (${test.text}) {\n${textOf(then)}\n}${tail}`,
          part: (message) =>
            sequence(test.test(message) ? then : otherwise, message).map((part) => ({
              ...part,
              integers: NO_INTEGERS,
            })),
        },
      ];
    });
}

/** A count outside a condition and what it counts inside: the count is a value of its own, which must agree. */
export const branchCount: Construct = fc
  .record({ scalar: unsignedScalar, element: integer, condition, most: fc.integer({ min: 0, max: 3 }) })
  .map(({ scalar, element: makeElement, condition: make, most }) => (scope) => {
    const count = integerType(scope, { scalar, asNumber: true });
    const name = scope.names.next();
    const test = make(scope);
    if (test === undefined) return [field(scope, count, name)];
    const element = makeElement(scope);
    const array = scope.names.next();
    scope.see({ text: name, min: count.min, max: count.max, exact: false });
    const counter: Member = {
      text: `${count.before} ${name}${count.after};`,
      part: (message) => fc.nat(most).map((value) => fieldPart(name, count.encoded(BigInt(value), message))),
    };
    const counted: Member = {
      text: `if (${test.text}) ${element.before} ${array}[${name}]${element.after};`,
      part: (message) => {
        if (!test.test(message))
          return fc.constant({ value: {}, bytes: [], integers: NO_INTEGERS, flaws: [] });
        const length = Number(known(message.integers.get(name), name));
        return fc.array(element.item(message), { minLength: length, maxLength: length }).map((items) => ({
          value: {
            [camelCase(array)]:
              element.unit === "u8"
                ? Uint8Array.from(items.flatMap(({ bytes }) => bytes))
                : items.map(({ value }) => value),
          },
          bytes: items.flatMap(({ bytes }) => bytes),
          integers: NO_INTEGERS,
          flaws: [],
        }));
      },
    };
    return [counter, counted];
  });

/** A length and the range that it bounds; the length is derived from what is in the range. */
interface RangeForm {
  readonly atMost: boolean;
  /** The length of the range is that of the field plus this. */
  readonly more: bigint;
  readonly slack: number;
}

function rangeMember(scope: Scope, scalar: Scalar, form: RangeForm, inside: () => readonly Member[]): Member {
  const name = scope.names.next();
  const capped = scalar.bits === 64 && form.more > 0n;
  const length = integerType(scope, { scalar, asNumber: true });
  const body = inside();
  const slackName = form.atMost ? scope.slackName() : "";
  scope.see({
    text: name,
    min: form.more < 0n ? -form.more : 0n,
    max: capped ? 100000n : length.max,
    exact: false,
    narrowed: true,
  });
  const sum = form.more === 0n ? name : form.more > 0n ? `${name} + ${form.more}` : `${name} - ${-form.more}`;
  const limit = form.more < 0n ? ` where ${name} >= ${-form.more}` : capped ? ` where ${name} <= 100000` : "";
  const text = [
    `${length.before} ${name}${length.after}${limit};`,
    `within ${form.atMost ? "at_most " : ""}(${sum}) {`,
    textOf(body),
    "}",
  ];
  return {
    text: text.join("\n"),
    part: (message) =>
      fc.tuple(sequence(body, message), rawBytes(0, form.atMost ? form.slack : 0)).map(([part, slack]) => {
        const size = BigInt(part.bytes.length + slack.length) - form.more;
        const { value: _, ...counter } = fieldPart(name, length.encoded(size, message));
        const claims = capped ? [] : [overstated(length, message)];
        const held = joined({ ...counter, value: {}, flaws: [...counter.flaws, ...claims] }, part);
        const more = slack.length === 0 ? {} : { [slackName]: Uint8Array.from(slack) };
        return { ...held, value: { ...held.value, ...more }, bytes: [...held.bytes, ...slack] };
      }),
  };
}

/** `within (…)`: what is in it may read to its end. */
export function exactRange(inner: Construct, tail: Construct): Construct {
  return fc
    .record({
      scalar: lengthScalar,
      more: fc.bigInt(-3n, 3n),
      first: integer,
      inner: fc.array(inner, { maxLength: 2 }),
      tail: fc.option(tail),
    })
    .map(({ scalar, more, first, inner: constructs, tail: last }) => (scope) => {
      const inside = (): Member[] => {
        // A length that the field falls short of by so much needs as many bytes to be there in any case.
        const start =
          more > 0n
            ? [field(scope, integerType(scope, { scalar: { bits: 32, signed: true, prefix: "be" } }))]
            : [];
        const members = [...start, field(scope, first(scope)), ...build(constructs, scope)];
        return last === null ? members : [...members, ...last(scope)];
      };
      return [rangeMember(scope, scalar, { atMost: false, more, slack: 0 }, inside)];
    });
}

/** `within at_most (…)`: what is left over is kept as bytes. */
export function limitedRange(inner: Construct): Construct {
  return fc
    .record({
      scalar: lengthScalar,
      more: fc.bigInt(-3n, 0n),
      inner: fc.array(inner, { minLength: 1, maxLength: 2 }),
      slack: fc.integer({ min: 0, max: 4 }),
    })
    .map(({ scalar, more, inner: constructs, slack }) => (scope) => [
      rangeMember(scope, scalar, { atMost: true, more, slack }, () => build(constructs, scope)),
    ]);
}

/** Optional members at the end, and perhaps what comes after even them. */
export function optionals(inner: Construct, counted: Construct): Construct {
  const start: Construct = fc.oneof(
    { weight: 3, arbitrary: integer.map((make) => (scope: Scope) => [field(scope, make(scope))]) },
    { weight: 1, arbitrary: counted },
    { weight: 1, arbitrary: conditional(inner) },
  );
  const group = fc.record({
    start,
    end: integer,
    inner: fc.array(inner, { maxLength: 1 }),
    reserved: fc.nat(4),
  });
  return fc
    .record({
      groups: fc.array(group, { minLength: 1, maxLength: 3 }),
      rest: fc.boolean(),
      present: fc.nat(3),
    })
    .map(({ groups, rest, present }) => (scope) => {
      const blocks = groups.map((each) => {
        if (each.reserved === 0) return [reservedTail(scope)];
        // Whatever its first member does, the group takes some bytes.
        return scope.block(() => [
          ...build([each.start], scope),
          field(scope, each.end(scope)),
          ...build(each.inner, scope),
        ]);
      });
      const more = rest ? scope.names.next() : undefined;
      const text = blocks.map((members) => `optional {\n${textOf(members)}\n}`);
      if (more !== undefined) text.push(`u8 ${more}[..];`);
      const here = present % (blocks.length + 1);
      const part = (message: Message): fc.Arbitrary<Part> => {
        const given = blocks.slice(0, here).map<Member>((members) => ({
          text: "",
          part: (at) => sequence(members, at).map((made) => ({ ...made, integers: NO_INTEGERS })),
        }));
        return fc
          .tuple(sequence(given, message), rawBytes(0, here === blocks.length ? 4 : 0))
          .map(([made, bytes]) => {
            if (more === undefined) return made;
            return joined(made, {
              value: { [camelCase(more)]: Uint8Array.from(bytes) },
              bytes,
              integers: NO_INTEGERS,
              flaws: [],
            });
          });
      };
      return [{ text: text.join("\n"), part }];
    });
}

/** Nothing but reserved bytes in an optional: they are kept even when they are zero, for they say that it is there. */
function reservedTail(scope: Scope): Member {
  const name = scope.names.next();
  return {
    text: `reserved u8 ${name}[3];`,
    part: () =>
      rawBytes(3, 3).map((bytes) => ({
        value: { [camelCase(name)]: Uint8Array.from(bytes) },
        bytes,
        integers: NO_INTEGERS,
        flaws: notZero(name, bytes),
      })),
  };
}

interface ArmDraw {
  /** Nothing for an empty case. */
  readonly type: ((scope: Scope) => Type) | null;
  readonly labels: number;
  readonly range: bigint;
  readonly gap: bigint;
}

interface BuiltCase {
  readonly labels: readonly (readonly [from: bigint, to: bigint])[];
  readonly name: string;
  readonly text: string;
  item(message: Message): fc.Arbitrary<Part>;
}

/** The arm of a case as the value of its switch. */
function armOf(scope: Scope, names: Names, type: Type): Pick<BuiltCase, "name" | "text" | "item"> {
  const name = names.next();
  const { text, part } = scope.block(() => field(scope, type, name));
  return {
    name,
    text,
    item: (message) =>
      part(message).map((made) => ({
        ...made,
        value: { case: camelCase(name), value: made.value[camelCase(name)] },
      })),
  };
}

function emptyCase(scope: Scope, value: bigint): Pick<BuiltCase, "name" | "text" | "item"> {
  const name = scope.module.name("EMPTY");
  scope.module.declare(`const ${name} = ${value};`);
  const part: Part = {
    value: { case: camelCase(name), value: undefined },
    bytes: [],
    integers: NO_INTEGERS,
    flaws: [],
  };
  return { name, text: ";", item: () => fc.constant(part) };
}

/** Cases whose labels rise from one to the next, as far as they fit the tag. */
function casesOf(scope: Scope, names: Names, tag: IntegerType, draws: readonly ArmDraw[]): BuiltCase[] {
  const cases: BuiltCase[] = [];
  let next = 0n;
  for (const { type, labels: wanted, range, gap } of draws) {
    const labels: [bigint, bigint][] = [];
    for (let i = 0; i < wanted; i++) {
      const from = next + gap;
      const to = type === null ? from : from + range;
      if (to > tag.max) break;
      labels.push([from, to]);
      next = to + 1n;
    }
    const [first] = labels;
    if (first === undefined) break;
    const arm = type === null ? emptyCase(scope, first[0]) : armOf(scope, names, type(scope));
    const texts = labels.map(([from, to], i) => {
      if (type === null && i === 0) return arm.name;
      return from === to ? `${from}` : `${from} .. ${to}`;
    });
    cases.push({ ...arm, labels, text: `case ${texts.join(", ")}: ${arm.text}` });
  }
  return cases;
}

const armDraw = (type: TypeConstruct): fc.Arbitrary<ArmDraw> =>
  fc.record({
    type: fc.option(type, { freq: 4 }),
    labels: fc.integer({ min: 1, max: 3 }),
    range: fc.constantFrom(0n, 0n, 0n, 1n, 20n),
    gap: fc.constantFrom(0n, 0n, 1n, 3n),
  });

/** A tag, perhaps some members, and what the tag says. `rest`: unknown tags are kept to the end of the range. */
export function switched(inner: Construct, arm: TypeConstruct, rest?: TypeConstruct): Construct {
  return fc
    .record({
      tag: unsignedScalar,
      asNumber: fc.boolean(),
      between: fc.array(inner, { maxLength: 1 }),
      cases: fc.array(armDraw(arm), { minLength: 1, maxLength: 4 }),
      others: fc.constantFrom("keep", "skip", "refuse"),
      kept: rest ?? arm,
      condition,
      named: fc.boolean(),
      names: fc.nat(30),
    })
    .map((draw) => (scope) => {
      const skipIf = draw.condition(scope);
      const tag = integerType(scope, { scalar: draw.tag, asNumber: draw.asNumber });
      const tagName = scope.names.next();
      scope.see({ text: tagName, min: tag.min, max: tag.max, exact: tag.exact });
      const members = build(draw.between, scope);
      const name = draw.named || scope.hasBody ? scope.names.next() : "body";
      if (name === "body") scope.hasBody = true;
      const names = new Names(draw.names);
      const cases = casesOf(scope, names, tag, draw.cases);
      const kind = draw.others === "skip" && skipIf === undefined ? "keep" : draw.others;
      const kept = kind === "refuse" ? undefined : armOf(scope, names, draw.kept(scope));
      const text = [
        `switch (${tagName}) ${draw.named || name !== "body" ? name : ""} {`,
        ...cases.map((one) => one.text),
      ];
      if (kept === undefined) text.push("default refuse;");
      else text.push(`default ${kind === "skip" ? `skip if (${skipIf?.text})` : "keep"}: ${kept.text}`);
      text.push("}");
      const labels = cases.flatMap((one) => one.labels);
      const isListed = (value: bigint): boolean => labels.some(([from, to]) => value >= from && value <= to);
      const unlisted = [tag.max, (labels[labels.length - 1]?.[1] ?? 0n) + 1n, 0n].filter(
        (value) => value <= tag.max && !isListed(value),
      );
      const tagMember: Member = {
        text: `${tag.before} ${tagName}${tag.after};`,
        part: (message) => {
          const takesOthers = kind === "keep" || (kind === "skip" && skipIf?.test(message) === true);
          const [other] = unlisted;
          const chosen = fc.constantFrom(...labels.flat(), ...(takesOthers ? unlisted : []));
          return chosen.map((value) => {
            const part = fieldPart(tagName, tag.encoded(value, message));
            if (takesOthers || other === undefined || members.length > 0) return part;
            const spoilt = {
              at: 0,
              bytes: tag.bytes(other, message),
              code: "tag",
              path: name,
              offset: part.bytes.length,
            };
            return { ...part, flaws: [...part.flaws, spoilt] };
          });
        },
      };
      const choice: Member = {
        text: text.join("\n"),
        part: (message) => {
          const value = known(message.integers.get(tagName), tagName);
          const chosen =
            cases.find((one) => one.labels.some(([from, to]) => value >= from && value <= to)) ?? kept;
          return known(chosen, `the case of ${value}`)
            .item(message)
            .map((part) => ({ ...part, value: { [camelCase(name)]: part.value }, integers: NO_INTEGERS }));
        },
      };
      return [tagMember, ...members, choice];
    });
}

const bytesToTheEnd: Type = {
  before: "u8",
  dims: "[..]",
  after: "",
  unit: undefined,
  integers: [],
  item: () =>
    rawBytes(0, 5).map((bytes) => ({
      value: Uint8Array.from(bytes),
      bytes,
      integers: NO_INTEGERS,
      flaws: [],
    })),
};

export const keptToTheEnd: TypeConstruct = fc.constant(() => bytesToTheEnd);

/** The number of bytes left says what they are. */
export const restSwitch: Construct = fc
  .record({
    bits: fc.uniqueArray(fc.constantFrom<Scalar["bits"][]>(8, 16, 32, 64), { minLength: 1 }),
    names: fc.nat(30),
    which: fc.nat(4),
    size: fc.nat(11),
  })
  .map(({ bits, names: start, which, size }) => (scope) => {
    const names = new Names(start);
    const name = scope.names.next();
    const cases = bits.map((width) => {
      const type = integerType(scope, { scalar: { bits: width, signed: false, prefix: "" } });
      return { ...armOf(scope, names, type), size: width / 8 };
    });
    const kept = names.next();
    const text = [
      `switch (remaining) ${name} {`,
      ...cases.map((one) => `case ${one.size}: ${one.text}`),
      `default keep: u8 ${kept}[..];`,
      "}",
    ];
    const chosen = cases[which];
    // As many bytes as one of the cases has would be that case.
    let length = size;
    while (cases.some((one) => one.size === length)) length++;
    return [
      {
        text: text.join("\n"),
        part: (message) => {
          const part =
            chosen?.item(message) ??
            rawBytes(length, length).map(
              (bytes): Part => ({
                value: { case: camelCase(kept), value: Uint8Array.from(bytes) },
                bytes,
                integers: NO_INTEGERS,
                flaws: [],
              }),
            );
          return part.map((made) => ({
            ...made,
            value: { [camelCase(name)]: made.value },
            integers: NO_INTEGERS,
          }));
        },
      },
    ];
  });
