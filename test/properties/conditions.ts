/** Random expressions over what a scope can see. They are evaluated with bigints, in which nothing can overflow. */
import fc from "fast-check";
import { type Integer, type Message, pick, type Scope } from "./model.js";

export interface Condition {
  readonly text: string;
  test(message: Message): boolean;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const MAX_LITERAL = (1n << 64n) - 1n;
const MAX_U32 = (1n << 32n) - 1n;

/** Turns an expression into a larger one, or gives undefined where the language would refuse that. */
type Step = (from: Integer) => Integer | undefined;

function step(
  text: (inner: string) => string,
  range: (from: Integer) => readonly [bigint, bigint] | undefined,
  apply: (value: bigint) => bigint,
): Step {
  return (from) => {
    const bounds = range(from);
    if (bounds === undefined) return undefined;
    const [min, max] = bounds;
    if (!from.exact && (min < -MAX_SAFE || max > MAX_SAFE)) return undefined;
    return { text: text(from.text), min, max, exact: from.exact, of: (message) => apply(from.of(message)) };
  };
}

/** Bit operators take 32 bits of a number, and 64 of a bigint. */
function isUnsigned({ min, max, exact }: Integer): boolean {
  return min >= 0n && max <= (exact ? (1n << 64n) - 1n : MAX_U32);
}

const arithmetic: fc.Arbitrary<Step> = fc
  .record({
    op: fc.constantFrom("+", "-", "*", "<<", ">>", "%", "/", "&", "|", "^", "r-", "&~", "?:"),
    by: fc.bigInt(1n, 12n),
  })
  .map(({ op, by }) => {
    const around = (inner: string): string => `(${inner} ${op} ${by})`;
    switch (op) {
      case "+":
        return step(
          around,
          ({ min, max }) => [min + by, max + by],
          (value) => value + by,
        );
      case "-":
        return step(
          around,
          ({ min, max }) => [min - by, max - by],
          (value) => value - by,
        );
      case "r-":
        return step(
          (inner) => `(${by} - ${inner})`,
          ({ min, max }) => [by - max, by - min],
          (value) => by - value,
        );
      case "*":
        return step(
          around,
          ({ min, max }) => [min * by, max * by],
          (value) => value * by,
        );
      case "<<":
        return step(
          around,
          ({ min, max }) => (min < 0n ? undefined : [min << by, max << by]),
          (value) => value << by,
        );
      case ">>":
        return step(
          around,
          ({ min, max }) => (min < 0n ? undefined : [min >> by, max >> by]),
          (value) => value >> by,
        );
      case "%":
        return step(
          around,
          ({ min, max }) => (min < 0n ? undefined : [0n, max < by - 1n ? max : by - 1n]),
          (value) => value % by,
        );
      case "/":
        return step(
          around,
          ({ min, max }) => [min / by, max / by],
          (value) => value / by,
        );
      case "&":
        return step(
          around,
          (from) => (isUnsigned(from) ? [0n, from.max < by ? from.max : by] : undefined),
          (value) => value & by,
        );
      case "&~":
        return step(
          (inner) => `(${inner} & ~${by})`,
          (from) => {
            const mask = (from.exact ? MAX_LITERAL : MAX_U32) ^ by;
            return isUnsigned(from) ? [0n, from.max < mask ? from.max : mask] : undefined;
          },
          (value) => value & ~by,
        );
      case "?:":
        // At least so much. What is always so would be refused.
        return step(
          (inner) => `(${inner} < ${by} ? ${by} : ${inner})`,
          ({ min, max }) => (min < by && max >= by ? [min, max] : undefined),
          (value) => (value < by ? by : value),
        );
      case "|":
        return step(
          around,
          (from) => (isUnsigned(from) ? [0n, filled(from.max | by)] : undefined),
          (value) => value | by,
        );
      default:
        return step(
          around,
          (from) => (isUnsigned(from) ? [0n, filled(from.max | by)] : undefined),
          (value) => value ^ by,
        );
    }
  });

/** All ones up to the highest bit. */
function filled(value: bigint): bigint {
  return (1n << BigInt(value.toString(2).length)) - 1n;
}

const comparison = fc
  .record({
    of: fc.nat(100),
    steps: fc.array(arithmetic, { maxLength: 3 }),
    op: fc.constantFrom("==", "!=", "<", "<=", ">", ">=", "!=0", "!"),
    near: fc.boolean(),
    with: fc.bigInt(0n, 1n << 64n),
    other: fc.option(fc.nat(100)),
  })
  .map(({ of, steps, op, near, with: draw, other: second }) => (scope: Scope): Condition | undefined => {
    const integer = pick(scope.integers, of);
    if (integer === undefined) return undefined;
    if (integer.truth === true) {
      const negated = op === "!";
      return {
        text: negated ? `!${integer.text}` : integer.text,
        test: (message) => (integer.of(message) === 0n) === negated,
      };
    }
    const whole = steps.reduce((so, next) => next(so) ?? so, integer);
    const { text, min, max } = whole;
    // The ends of the range make some comparisons always true, which the compiler refuses. A literal has 64 bits.
    const least = min < -MAX_LITERAL ? -MAX_LITERAL : min + 1n;
    const span = (max > MAX_LITERAL ? MAX_LITERAL : max) - least;
    if (span < 1n) return { text, test: (message) => whole.of(message) !== 0n };
    const beside = second === null ? undefined : pick(scope.integers, second);
    // Both of one representation, and neither below all of the other: the compiler knows how such comparisons end.
    if (
      beside !== undefined &&
      beside !== integer &&
      beside.truth !== true &&
      beside.exact === whole.exact &&
      beside.narrowed !== true &&
      integer.narrowed !== true &&
      beside.min < max &&
      beside.max > min
    ) {
      const sign = op.startsWith("!") ? "!=" : op;
      return {
        text: `${text} ${sign} ${beside.text}`,
        test: (message) => compare(sign, whole.of(message), beside.of(message)),
      };
    }
    const other = least + (near ? draw % (span < 6n ? span : 6n) : draw % span);
    if (op === "!=0") return { text, test: (message) => whole.of(message) !== 0n };
    if (op === "!") return { text: `!${text}`, test: (message) => whole.of(message) === 0n };
    return { text: `${text} ${op} ${other}`, test: (message) => compare(op, whole.of(message), other) };
  });

function compare(op: string, a: bigint, b: bigint): boolean {
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    default:
      return a >= b;
  }
}

/** A condition over earlier fields and parameters; undefined where there are none. */
export const condition: fc.Arbitrary<(scope: Scope) => Condition | undefined> = fc
  .record({
    parts: fc.array(comparison, { minLength: 1, maxLength: 3 }),
    joints: fc.tuple(fc.nat(3), fc.nat(3)),
  })
  .map(({ parts, joints }) => (scope) => {
    const [first, ...others] = parts.map((part) => part(scope));
    return others.reduce((left, right, i) => {
      if (left === undefined || right === undefined) return left ?? right;
      switch (joints[i]) {
        case 0:
          return {
            text: `(${left.text}) && ${right.text}`,
            test: (message) => left.test(message) && right.test(message),
          };
        case 1:
          return {
            text: `${left.text} || ${right.text}`,
            test: (message) => left.test(message) || right.test(message),
          };
        case 2:
          return {
            text: `!(${left.text}) && (${right.text})`,
            test: (message) => !left.test(message) && right.test(message),
          };
        default:
          return left;
      }
    }, first);
  });
