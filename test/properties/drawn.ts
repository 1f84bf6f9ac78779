/**
 * Runs properties over random schemas: draws, compiles, generates and loads them in this process. All properties of one
 * file see the same schemas, which are loaded once; fast-check prints the seed, and shrinks to a small schema.
 */
import fc from "fast-check";
import type {
  ParserOptions,
  PushParser,
  Reader,
  Source,
  View,
  Visitor,
  WireError,
} from "../../src/runtime/index.js";
import { compile } from "../../src/schema/index.js";
import { type Loaded, loadSchema } from "../codegen/load.js";
import {
  type DrawnSchema,
  type DrawnStruct,
  type Sample,
  type SchemaOptions,
  schemaArbitrary,
} from "./schema-arbitrary.js";

/** The functions that are generated for a struct, with the parameters of one message filled in. */
export interface Codec {
  decode(source: Source): unknown;
  encode(value: unknown): Uint8Array;
  sizeof(value: unknown): number;
  check(source: Source): WireError | undefined;
  view(source: Source, at?: number): View;
  walk(reader: Reader, visitor: Visitor): boolean;
  parser(handler: Handler, options?: ParserOptions): PushParser;
}

/** What a push parser calls: a method for each member. */
export type Handler = Readonly<Record<string, (...args: readonly unknown[]) => void>>;

export function codecOf(module: Loaded, { type }: DrawnStruct, args: readonly unknown[]): Codec {
  // The type of a switch may have taken the name: what comes second gets a `$`.
  const called = (name: string): Loaded[string] => module[name] ?? module[`${name}$`];
  return {
    decode: (source) => called(`decode${type}`)(source, ...args),
    encode: (value) => called(`encode${type}`)(value, ...args),
    sizeof: (value) => called(`sizeof${type}`)(value, ...args),
    check: (source) => called(`check${type}`)(source, ...args),
    view: (source, at = 0) => new (called(`${type}View`))(source, at, ...args),
    parser: (handler, options) => new (called(`${type}Parser`))(...args, handler, options),
    walk: (reader, visitor) => called(`walk${type}`)(reader, visitor, ...args),
  };
}

/**
 * One seed for all properties, so that they draw the same: the same in every run, because a change must not fail on what
 * another one broke. `VIRTWIRE_SEED=…` draws something else, `VIRTWIRE_SEED=random` something new.
 */
export const seed: number = seedOf(process.env["VIRTWIRE_SEED"]);

function seedOf(given: string | undefined): number {
  return given === "random" ? Date.now() & 0x7fff_ffff : Number(given ?? 20_231_017);
}

const loaded = new Map<string, Promise<Loaded>>();

export function load(schema: DrawnSchema): Promise<Loaded> {
  let module = loaded.get(schema.text);
  if (module === undefined) {
    module = loadSchema(schema.text);
    loaded.set(schema.text, module);
  }
  return module;
}

/**
 * Random schemas without those whose conditions happen to contradict each other, or to say the same twice: the compiler
 * refuses them, and which they are is its own business.
 */
export function consistentSchemas(options?: SchemaOptions): fc.Arbitrary<DrawnSchema> {
  return schemaArbitrary(options).filter(({ text }) => {
    const { diagnostics } = compile([{ file: "test.wire", text }]);
    return !diagnostics.some(({ code }) => code === "constant-condition" || code === "unreachable-case");
  });
}

interface Budget extends SchemaOptions {
  readonly runs?: number;
}

/** Checks every message of random schemas. `check` throws when something is wrong. */
export async function everyMessage(
  check: (codec: Codec, sample: Sample, struct: DrawnStruct, module: Loaded) => void,
  { runs = 50, ...options }: Budget = {},
): Promise<void> {
  const property = fc.asyncProperty(consistentSchemas(options), async (schema) => {
    const module = await load(schema);
    for (const struct of schema.structs) {
      for (const sample of struct.samples) {
        try {
          check(codecOf(module, struct, sample.args), sample, struct, module);
        } catch (error) {
          const bytes = Buffer.from(sample.bytes).toString("hex");
          throw new Error(`${struct.name}(${sample.args.map(String).join(", ")}) ${bytes}`, { cause: error });
        }
      }
    }
  });
  await fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: 20_000 });
}
