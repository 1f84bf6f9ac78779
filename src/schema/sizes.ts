/** Sizes and ranges that follow from types alone. */
import type { Count, FieldType, Interval, Size } from "./ir.js";
import { intervalOf } from "./ranges.js";
import { rangeOf, rawRange } from "./scalars.js";

/** How many bytes a value of a type takes. */
export function sizeOfType(type: FieldType): Size {
  switch (type.kind) {
    case "int":
    case "bits":
      return { min: type.int.bits / 8, max: type.int.bits / 8 };
    case "struct":
      return type.struct.size;
    case "bytes":
    case "text":
      return sizeOfCount(type.count, { min: 1, max: 1 });
    case "array":
      return sizeOfCount(type.count, type.elementSize);
  }
}

function sizeOfCount(count: Count, element: Size): Size {
  switch (count.kind) {
    case "const":
      return {
        min: count.value * element.min,
        max: element.max === undefined ? undefined : count.value * element.max,
      };
    case "expr": {
      const range = intervalOf(count.expr);
      return {
        min: times(range.min, element.min) ?? Number.MAX_SAFE_INTEGER,
        max: element.max === undefined ? undefined : times(range.max, element.max),
      };
    }
    case "bytes": {
      const range = intervalOf(count.expr);
      return { min: Number(range.min), max: Number(range.max) };
    }
    case "rest":
    case "while":
      return { min: 0, max: undefined };
  }
}

/** Undefined when the product is beyond what any input can hold. */
function times(count: bigint, size: number): number | undefined {
  const product = count * BigInt(size);
  return product > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(product);
}

/** The values that a field of a type can have. */
export function naturalRange(type: FieldType): Interval {
  if (type.kind === "bits") return rawRange(type.width, false);
  if (type.kind !== "int") return { min: 0n, max: 0n };
  const [first, ...more] = type.meaning?.kind === "enum" && type.meaning.closed ? type.meaning.members : [];
  if (!first) return rangeOf(type.int);
  return {
    min: more.reduce((least, { value }) => (value < least ? value : least), first.value),
    max: more.reduce((most, { to }) => (to > most ? to : most), first.to),
  };
}
