/**
 * Two other decoders of every struct that they can express: binary-parser and typed-binary, with definitions that are
 * generated from the same schemas, must decode the same bytes to the same values.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { binaryParserTarget, typedBinaryTarget } from "../../src/codegen/index.js";
import { camelCase } from "../../src/codegen/names.js";
import { WireError } from "../../src/runtime/index.js";
import {
  compile,
  type Field,
  type IntType,
  type Order,
  type Param,
  type Program,
  type Struct,
} from "../../src/schema/index.js";
import { partsOf } from "../../src/schema/reads.js";
import { canonical } from "../properties/canonical.js";
import { codecOf, consistentSchemas, load, seed } from "../properties/drawn.js";
import { Noise } from "../properties/noise.js";
import type { DrawnSchema } from "../properties/schema-arbitrary.js";
import { schemaFiles, schemaProgram } from "../schemas.js";
import {
  type Definitions,
  type Endianness,
  loadDefinitions,
  parseWith,
  readWith,
  withoutHidden,
} from "./definitions.js";
import { type Loaded, loadSchemas } from "./load.js";

/** The definitions of one schema. */
interface Peers {
  readonly parsers: Definitions;
  readonly schemas: Definitions;
}

interface Tally {
  parsers: number;
  schemas: number;
}

/** Compares what a struct's decoders make of a message. `args` are those of generated functions. */
function compare(
  struct: Struct,
  peers: Peers,
  bytes: Uint8Array,
  args: readonly unknown[],
  ours: unknown,
  tally: Tally,
): void {
  const name = camelCase(struct.name);
  const expected = canonical(withoutHidden(struct, ours));
  const parser = peers.parsers[name];
  const given = struct.params.map(({ type }, i) => (type.kind === "order" ? endianness(args[i]) : args[i]));
  if (parser !== undefined) {
    tally.parsers++;
    expect(canonical(withoutHidden(struct, parseWith(parser, given, bytes)))).toBe(expected);
    if (!struct.greedy && bytes.length > 0)
      expect(() => parseWith(parser, given, bytes.subarray(0, -1)), "cut short").toThrow();
  }
  const schema = peers.schemas[name];
  if (schema !== undefined) {
    tally.schemas++;
    const order =
      endiannessOf(
        struct,
        struct.params.map((_, i) => endianness(args[i])),
      ) ?? "little";
    const { value, taken } = readWith(schema, order, bytes);
    expect(canonical(withoutHidden(struct, value))).toBe(expected);
    expect(taken).toBe(bytes.length);
  }
}

/** What generated code calls `littleEndian`. */
function endianness(little: unknown): Endianness {
  return little === true ? "little" : "big";
}

/** The one order of the struct's integers, if it has any of more than a byte. */
function endiannessOf(struct: Struct, given: readonly Endianness[]): Endianness | undefined {
  const resolved = (order: Order): Endianness | undefined =>
    typeof order === "string" ? order : given[struct.params.indexOf(order)];
  for (const field of struct.fields) {
    let { type } = field;
    while (type.kind === "array") type = type.element;
    if (type.kind === "int" && type.int.bits > 8) return resolved(type.int.order);
    if (type.kind !== "struct") continue;
    const orders = type.args.map(
      (arg) => (arg.kind === "order" ? resolved(arg.order) : undefined) ?? "little",
    );
    const found = endiannessOf(type.struct, orders);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe("a struct of the schemas", () => {
  const program: Program = schemaProgram();
  const structs = program.modules.flatMap((module) => module.decls.filter((decl) => decl.kind === "struct"));
  let codecs: Map<string, Loaded>;
  let parsers: Map<string, Definitions>;
  let schemas: Map<string, Definitions>;
  beforeAll(async () => {
    [codecs, parsers, schemas] = await Promise.all([
      loadSchemas(schemaFiles()),
      loadDefinitions(program, binaryParserTarget),
      loadDefinitions(program, typedBinaryTarget),
    ]);
  });

  const expressible = (struct: Struct): Peers | undefined => {
    const name = camelCase(struct.name);
    const peers = {
      parsers: parsers.get(struct.module.file) ?? {},
      schemas: schemas.get(struct.module.file) ?? {},
    };
    return peers.parsers[name] === undefined && peers.schemas[name] === undefined ? undefined : peers;
  };

  it("is decoded to the same value by all that can express it", () => {
    const tally: Tally = { parsers: 0, schemas: 0 };
    const never: string[] = [];
    const compared = { parsers: 0, schemas: 0 };
    for (const struct of structs) {
      const peers = expressible(struct);
      const module = codecs.get(struct.module.file);
      if (peers === undefined || module === undefined) continue;
      if (peers.parsers[camelCase(struct.name)] !== undefined) compared.parsers++;
      if (peers.schemas[camelCase(struct.name)] !== undefined) compared.schemas++;
      let seen = 0;
      for (const args of argumentsOf(struct)) {
        const { decode } = codecOf(module, drawnOf(struct), args);
        for (const { bytes, value } of messages(struct, decode)) {
          seen++;
          compare(struct, peers, bytes, args, value, tally);
        }
      }
      if (seen === 0) never.push(struct.name);
    }
    expect(never).toEqual([]);
    // Every definition has been looked up by its name, and a target that refuses everything would agree with anything.
    expect(compared).toEqual({ parsers: definitionsIn(parsers), schemas: definitionsIn(schemas) });
    expect(tally.parsers).toBeGreaterThan(1000);
    expect(tally.schemas).toBeGreaterThan(400);
  });
});

function definitionsIn(files: ReadonlyMap<string, Definitions>): number {
  return [...files.values()].reduce((sum, exported) => sum + Object.keys(exported).length, 0);
}

/** Some arguments for the parameters of a struct: both of two, and of numbers the ones that have a meaning. */
function argumentsOf({ params }: Struct): unknown[][] {
  return params.reduce<unknown[][]>(
    (lists, { type }) => {
      const values = type.kind === "int" ? numbersFor(type) : [true, false];
      return lists.flatMap((list) => values.map((value) => [...list, value])).slice(0, 64);
    },
    [[]],
  );
}

function numbersFor({ int, meaning }: Extract<Param["type"], { kind: "int" }>): (number | bigint)[] {
  const named = meaning?.members.map((member) => ("mask" in member ? member.mask : member.value)) ?? [];
  const all = [0n, 3n, ...named];
  return int.rep === "bigint" ? all : all.map(Number);
}

function drawnOf(struct: Struct): { name: string; type: string; greedy: boolean; samples: [] } {
  const name = camelCase(struct.name);
  return {
    name: struct.name,
    type: name.charAt(0).toUpperCase() + name.slice(1),
    greedy: struct.greedy,
    samples: [],
  };
}

/**
 * Random bytes that the codec takes. What is behind the end is cut off, constants and tags are put there, and a 32-bit
 * integer with a constraint is made a small one.
 */
function messages(
  struct: Struct,
  decode: (bytes: Uint8Array) => unknown,
): { bytes: Uint8Array; value: unknown }[] {
  const noise = new Noise(Buffer.from(`${struct.name}${seed}`));
  const found: { bytes: Uint8Array; value: unknown }[] = [];
  // Peers take a tenth of a second for a struct of 49 kB: few of these are enough.
  const enough = (struct.fixed ?? struct.size.max ?? 0) > LONG ? 2 : 8;
  for (let attempt = 0; attempt < 200 && found.length < enough; attempt++) {
    // Nothing behind what must be there is a case of its own for a struct that takes all there is.
    const beyond = noise.below(4) === 0 ? 0 : noise.below(64);
    const length = struct.fixed ?? beyond + struct.size.min;
    let bytes = Uint8Array.from(
      { length: length + (struct.greedy ? 0 : attempt % 4 === 0 ? 5000 : 600) },
      drawer(noise),
    );
    putKnown(struct, bytes, 0, noise);
    for (let repairs = 0; repairs < 12; repairs++) {
      try {
        found.push({ bytes, value: decode(bytes) });
        break;
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const { code, offset, need } = error;
        if (code === "trailing") bytes = bytes.slice(0, offset);
        else if (code === "constraint") putSmall(bytes, offset, noise);
        else if (code === "truncated" && offset + (need ?? 0) < LONGEST) {
          const longer = new Uint8Array(offset + (need ?? 0));
          longer.set(bytes);
          bytes = longer;
        } else break;
      }
    }
  }
  return found;
}

/**
 * Small numbers are as likely as all others, so that counts and closed enums are met; and next to nothing but zeros, because
 * a thousand truth values are else never all 0 or 1.
 */
function drawer(noise: Noise): () => number {
  switch (noise.below(4)) {
    case 0:
      return () => (noise.below(2000) === 0 ? 1 : 0);
    case 1:
      return () => (noise.below(4) > 0 ? 0 : noise.below(4));
    case 2:
      return () => (noise.below(2) === 0 ? 0 : noise.below(4));
    default:
      return () => noise.below(256);
  }
}

const LONG = 4096;
/** No struct of the schemas needs more than this for sure. */
const LONGEST = 1 << 17;

/** A small number where a constraint asks for another one: of 4 bytes, big-endian, or of 2, little-endian. */
function putSmall(bytes: Uint8Array, at: number, noise: Noise): void {
  const value = noise.below(2) === 0 ? noise.below(32) : noise.below(3);
  if (noise.below(2) === 0) bytes.fill(0, at, at + 3).fill(value, at + 3, at + 4);
  else bytes.fill(value, at, at + 1).fill(0, at + 1, at + 2);
}

/**
 * What random bytes would hardly ever hold, at places that are the same in every message: constants, tags, and numbers that
 * a constraint compares with.
 */
function putKnown(struct: Struct, bytes: Uint8Array, at: number, noise: Noise): void {
  for (const field of struct.fields) {
    const { type, role, offset } = field;
    if (offset === undefined) continue;
    if (type.kind === "struct") putKnown(type.struct, bytes, at + offset, noise);
    if (type.kind !== "int") continue;
    const { int, meaning } = type;
    const named = comparedWith(struct, field);
    if (role.kind === "constant") put(role.value, int, bytes, at + offset, noise);
    else if (named.length > 0 && noise.below(2) === 0)
      put(named[noise.below(named.length)] ?? 0n, int, bytes, at + offset, noise);
    else if (meaning?.kind === "enum" && noise.below(4) > 0)
      put(meaning.members[noise.below(meaning.members.length)]?.value ?? 0n, int, bytes, at + offset, noise);
  }
}

function comparedWith({ nodes }: Struct, field: Field): bigint[] {
  const constraints = nodes.flatMap((node) =>
    node.kind === "where" && node.field === field ? [node.condition] : [],
  );
  return constraints.flatMap(partsOf).flatMap((part) => (part.kind === "int" ? [part.value] : []));
}

/** In either order, where that is chosen at run time: half of the messages are then as meant. */
function put(value: bigint, { bits, order }: IntType, bytes: Uint8Array, at: number, noise: Noise): void {
  const size = bits / 8;
  const big = typeof order === "string" ? order === "big" : noise.below(2) === 0;
  for (let i = 0; i < size && at + i < bytes.length; i++)
    bytes[at + i] = Number((value >> BigInt(8 * (big ? size - 1 - i : i))) & 0xffn);
}

describe("a struct of a random schema", () => {
  it("is decoded to the same value by all that can express it", async () => {
    const tally: Tally = { parsers: 0, schemas: 0 };
    const property = fc.asyncProperty(consistentSchemas(), async (schema) => {
      const module = await load(schema);
      const program = programOf(schema);
      const peers = await peersOf(program);
      for (const drawn of schema.structs) {
        const struct = program.modules.flatMap(({ decls }) => decls).find(({ name }) => name === drawn.name);
        if (struct?.kind !== "struct") throw new Error(`${drawn.name} is gone`);
        for (const { args, bytes } of drawn.samples) {
          compare(struct, peers, bytes, args, codecOf(module, drawn, args).decode(bytes), tally);
        }
      }
    });
    await fc.assert(property, { seed, numRuns: 60, interruptAfterTimeLimit: 20_000 });
    expect(tally.parsers).toBeGreaterThan(20);
  });
});

function programOf(schema: DrawnSchema): Program {
  const { program } = compile([{ file: "test.wire", text: schema.text }]);
  if (program === undefined) throw new Error(`refused: ${schema.text}`);
  return program;
}

async function peersOf(program: Program): Promise<Peers> {
  const [parsers, schemas] = await Promise.all([
    loadDefinitions(program, binaryParserTarget),
    loadDefinitions(program, typedBinaryTarget),
  ]);
  return { parsers: parsers.get("test.wire") ?? {}, schemas: schemas.get("test.wire") ?? {} };
}
