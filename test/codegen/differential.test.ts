/**
 * Two other decoders of every struct that they can express: binary-parser and typed-binary, with definitions that are
 * generated from the same schemas, must decode the same bytes to the same values.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { binaryParserTarget, typedBinaryTarget } from "../../src/codegen/index.js";
import { camelCase } from "../../src/codegen/names.js";
import { WireError } from "../../src/runtime/index.js";
import { compile, type Order, type Program, type Struct } from "../../src/schema/index.js";
import { canonical } from "../properties/canonical.js";
import { codecOf, load, seed } from "../properties/drawn.js";
import { Noise } from "../properties/noise.js";
import { type DrawnSchema, schemaArbitrary } from "../properties/schema-arbitrary.js";
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

const ORDERS: readonly Endianness[] = ["little", "big"];

/** The exports of the definitions of one schema, and which byte orders they are asked for. */
interface Peers {
  readonly parsers: Definitions;
  readonly schemas: Definitions;
}

interface Tally {
  parsers: number;
  schemas: number;
}

/** Compares what a struct's decoders make of a message. */
function compare(
  struct: Struct,
  peers: Peers,
  bytes: Uint8Array,
  ours: unknown,
  orders: readonly Endianness[],
  tally: Tally,
): void {
  const name = camelCase(struct.name);
  const expected = canonical(withoutHidden(struct, ours));
  const parser = peers.parsers[name];
  if (parser !== undefined) {
    tally.parsers++;
    expect(canonical(withoutHidden(struct, parseWith(parser, orders, bytes)))).toBe(expected);
  }
  const schema = peers.schemas[name];
  if (schema !== undefined) {
    tally.schemas++;
    const { value, taken } = readWith(schema, endiannessOf(struct, orders) ?? "little", bytes);
    expect(canonical(withoutHidden(struct, value))).toBe(expected);
    expect(taken).toBe(bytes.length);
  }
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
    for (const struct of structs) {
      const peers = expressible(struct);
      const module = codecs.get(struct.module.file);
      if (peers === undefined || module === undefined) continue;
      let seen = 0;
      for (const order of struct.params.length === 0 ? ["little" as const] : ORDERS) {
        const orders = struct.params.map(() => order);
        const { decode } = codecOf(
          module,
          drawnOf(struct),
          orders.map((each) => each === "little"),
        );
        for (const { bytes, value } of messages(struct, decode)) {
          seen++;
          compare(struct, peers, bytes, value, orders, tally);
        }
      }
      if (seen === 0) never.push(struct.name);
    }
    expect(never).toEqual([]);
    // A target that refuses everything would agree with anything.
    expect(tally.parsers).toBeGreaterThan(1000);
    expect(tally.schemas).toBeGreaterThan(400);
  });
});

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
 * Random bytes that the codec takes. What is behind the end is cut off, what must be a constant is put there, and a
 * 32-bit integer with a constraint is made a small one.
 */
function messages(
  struct: Struct,
  decode: (bytes: Uint8Array) => unknown,
): { bytes: Uint8Array; value: unknown }[] {
  const noise = new Noise(Buffer.from(`${struct.name}${seed}`));
  const found: { bytes: Uint8Array; value: unknown }[] = [];
  for (let attempt = 0; attempt < 200 && found.length < 8; attempt++) {
    const length = struct.fixed ?? noise.below(64) + struct.size.min;
    // Small numbers are as likely as all others, so that counts and closed enums are met.
    const small = noise.below(2) === 0;
    let bytes = Uint8Array.from({ length: length + (struct.greedy ? 0 : 600) }, () =>
      small && noise.below(4) > 0 ? 0 : small ? noise.below(4) : noise.below(256),
    );
    putConstants(struct, bytes, 0);
    for (let repairs = 0; repairs < 4; repairs++) {
      try {
        found.push({ bytes, value: decode(bytes) });
        break;
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        const { code, offset } = error;
        if (code === "trailing") bytes = bytes.slice(0, offset);
        else if (code === "constraint")
          bytes.fill(0, offset, offset + 3).fill(noise.below(32), offset + 3, offset + 4);
        else break;
      }
    }
  }
  return found;
}

/** Constants at places that are the same in every message. */
function putConstants(struct: Struct, bytes: Uint8Array, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { type, role, offset } of struct.fields) {
    if (offset === undefined) continue;
    if (type.kind === "struct") putConstants(type.struct, bytes, at + offset);
    if (role.kind !== "constant" || type.kind !== "int") continue;
    const { bits, order } = type.int;
    for (let i = 0; i < bits / 8; i++) {
      const shift = BigInt(8 * (order === "big" ? bits / 8 - 1 - i : i));
      if (at + offset + i < view.byteLength)
        view.setUint8(at + offset + i, Number((role.value >> shift) & 0xffn));
    }
  }
}

describe("a struct of a random schema", () => {
  it("is decoded to the same value by all that can express it", async () => {
    const tally: Tally = { parsers: 0, schemas: 0 };
    const property = fc.asyncProperty(schemaArbitrary(), async (schema) => {
      const module = await load(schema);
      const program = programOf(schema);
      const peers = await peersOf(program);
      for (const drawn of schema.structs) {
        const struct = program.modules.flatMap(({ decls }) => decls).find(({ name }) => name === drawn.name);
        if (struct?.kind !== "struct") throw new Error(`${drawn.name} is gone`);
        for (const { args, bytes } of drawn.samples) {
          const orders = args.map((little): Endianness => (little === true ? "little" : "big"));
          compare(struct, peers, bytes, codecOf(module, drawn, args).decode(bytes), orders, tally);
        }
      }
    });
    await fc.assert(property, { seed, numRuns: 150, interruptAfterTimeLimit: 20_000 });
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
