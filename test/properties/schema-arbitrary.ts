/**
 * Draws random schemas together with values of their structs and the bytes that these values must have. The bytes come
 * from a reference encoder that works from the drawn model alone; see model.ts.
 */
import fc from "fast-check";
import { camelCase, type Flaw, ModuleScope, type OrderName } from "./model.js";
import { message, type StructModel } from "./structs.js";

/** One message of a struct. */
export interface Sample {
  /** What generated functions take behind the value or the bytes: the parameters of the schema. */
  readonly args: readonly unknown[];
  readonly value: Readonly<Record<string, unknown>>;
  readonly bytes: Uint8Array;
  readonly flaws: readonly Flaw[];
}

export interface DrawnStruct {
  /** As in the schema. */
  readonly name: string;
  /** As in generated code. */
  readonly type: string;
  /** Some prefixes of messages are messages. */
  readonly greedy: boolean;
  readonly samples: readonly Sample[];
}

export interface DrawnSchema {
  readonly text: string;
  readonly structs: readonly DrawnStruct[];
  toString(): string;
}

function sampleOf(struct: StructModel): fc.Arbitrary<Sample> {
  const order = fc.constantFrom<("little" | "big")[]>("little", "big");
  return fc.tuple(order, ...struct.params.map(({ values }) => values)).chain(([native, ...args]) => {
    const passed = struct.params.map((param, i) => param.passed(args[i] ?? 0n));
    if (struct.native) passed.push(native === "little");
    return struct
      .part(args, native)
      .map(({ value, bytes, flaws }) => ({ args: passed, value, bytes: Uint8Array.from(bytes), flaws }));
  });
}

export interface SchemaOptions {
  readonly structs?: number;
  readonly samples?: number;
}

/** A module of up to `structs` structs with `samples` messages each. */
export function schemaArbitrary({ structs = 4, samples = 3 }: SchemaOptions = {}): fc.Arbitrary<DrawnSchema> {
  const order = fc.constantFrom<OrderName[]>("little", "big", "native");
  return fc
    .tuple(order, fc.array(message, { minLength: 1, maxLength: structs, size: "max" }))
    .chain(([name, builds]) => {
      const module = new ModuleScope(name);
      const models = builds.map((make) => make(module));
      const text = module.text();
      const drawn = models.map((model) =>
        fc.array(sampleOf(model), { minLength: samples, maxLength: samples }).map((made): DrawnStruct => {
          const type = camelCase(model.name);
          return {
            name: model.name,
            type: type.charAt(0).toUpperCase() + type.slice(1),
            greedy: model.greedy,
            samples: made,
          };
        }),
      );
      return fc.tuple(...drawn).map((made) => ({ text, structs: made, toString: () => text }));
    });
}
