/** What made-up messages hold: values that the schemas mention, values at the edges, and a little noise. */
import type { Enum, Flags, Param, Struct } from "../schema/ir.js";
import { partsOf } from "../schema/reads.js";
import { allFields, allNodes, closureOf, expressionsOf, innermost } from "../schema/structure.js";
import type { Choices } from "./compose.js";
import type { Subject } from "./frame.js";
import { meaningIn } from "./meaning.js";
import type { Arguments } from "./reading.js";

/** Integers that the structs compare with, choose by or give names to, and their neighbours. */
export function mentionedIntegers(structs: readonly Struct[]): readonly bigint[] {
  const found = new Set<bigint>([0n, 1n]);
  for (const struct of new Set(structs.flatMap((each) => [...closureOf(each)]))) {
    for (const part of expressionsOf(struct).flatMap(partsOf)) if (part.kind === "int") found.add(part.value);
    for (const node of allNodes(struct.nodes)) {
      if (node.kind !== "switch") continue;
      for (const { from, to } of node.cases.flatMap(({ labels }) => labels))
        found
          .add(from)
          .add(to)
          .add(to + 1n);
    }
    for (const field of allFields(struct)) {
      if (field.role.kind === "constant") found.add(field.role.value);
      for (const value of namedValues(meaningIn(innermost(field.type)))) found.add(value);
    }
    for (const { type } of struct.params) {
      if (type.kind === "int") for (const value of namedValues(type.meaning)) found.add(value);
    }
    if (struct.fixed !== undefined) found.add(BigInt(struct.fixed));
  }
  return [...found];
}

function namedValues(meaning: Enum | Flags | undefined): bigint[] {
  if (meaning === undefined) return [];
  if (meaning.kind === "flags") return meaning.members.map(({ mask }) => mask);
  return meaning.members.flatMap(({ value, to }) => [value, to]);
}

/** The same choices for the same seed, so that a report says the same every time. */
export class SeededChoices implements Choices {
  private readonly pool: readonly bigint[];
  private readonly style: "counting" | "zero" | "mixed";
  private state: number;
  private count = 0;

  constructor(seed: number, pool: readonly bigint[]) {
    this.pool = pool;
    this.style = seed === 0 ? "counting" : seed === 1 ? "zero" : "mixed";
    this.state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  integer({ field }: Subject, bits: number, small: boolean): bigint {
    if (small) return BigInt(this.below(2) === 0 ? this.below(4) : this.below(40));
    const { type } = field;
    const inner = innermost(type);
    const named = namedValues(meaningIn(inner));
    if (named.length > 0 && this.below(4) !== 0) return BigInt.asUintN(bits, this.pick(named));
    if (this.style === "counting") return this.distinct(bits);
    if (this.style === "zero") return 0n;
    switch (this.below(6)) {
      case 0:
        return this.distinct(bits);
      case 1:
        return (1n << BigInt(bits)) - 1n;
      case 2:
        return BigInt(this.below(256)) & ((1n << BigInt(bits)) - 1n);
      default:
        return BigInt.asUintN(bits, this.pick(this.pool));
    }
  }

  amount(): number {
    return this.below(6) === 0 ? this.below(20) : this.below(4);
  }

  byte(): number {
    return this.style === "zero" ? 0 : ++this.count & 0x7f;
  }

  yes(): boolean {
    return this.below(3) !== 0;
  }

  /** For each parameter that either version has. A flag that one version does not name cannot have been negotiated. */
  arguments(first: Struct, second: Struct): Arguments {
    const args = new Map<string, bigint>();
    for (const param of [...first.params, ...second.params]) {
      if (args.has(param.name)) continue;
      const other = [first, second].map(({ params }) => params.find(({ name }) => name === param.name));
      args.set(param.name, other.includes(undefined) ? 0n : this.argument(param, other));
    }
    return args;
  }

  private argument({ type }: Param, both: readonly (Param | undefined)[]): bigint {
    if (type.kind !== "int") return BigInt(this.below(2));
    const max = (1n << BigInt(type.int.bits)) - 1n;
    if (type.meaning?.kind === "flags") {
      let known = max;
      for (const param of both) if (param?.type.kind === "int") known &= maskOf(param.type.meaning, max);
      return this.masks(type.meaning) & known;
    }
    const named = namedValues(type.meaning);
    if (named.length > 0 && this.below(5) !== 0) return this.pick(named);
    return BigInt.asUintN(type.int.bits, this.pick(this.pool));
  }

  private masks({ members }: Flags): bigint {
    return members.reduce((value, { mask }) => (this.yes() ? value | mask : value), 0n);
  }

  private distinct(bits: number): bigint {
    let value = 0n;
    for (let i = 0; i < bits; i += 8) value |= BigInt(++this.count & 0x7f) << BigInt(i);
    return BigInt.asUintN(bits, value);
  }

  private pick(list: readonly bigint[]): bigint {
    return list[this.below(list.length)] ?? 0n;
  }

  private below(limit: number): number {
    // xorshift32
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }
}

function maskOf(meaning: Enum | Flags | undefined, all: bigint): bigint {
  return meaning?.kind === "flags" ? meaning.members.reduce((value, { mask }) => value | mask, 0n) : all;
}
