/** Generates definitions for other libraries, and loads them into this process. */
import { posix } from "node:path";
import * as binaryParser from "binary-parser";
import { transform } from "esbuild";
import * as typedBinary from "typed-binary";
import type { Target } from "../../src/codegen/index.js";
import { allPropertiesOf } from "../../src/codegen/properties.js";
import type { FieldType, Program, Struct } from "../../src/schema/index.js";

const packages: Readonly<Record<string, unknown>> = {
  "binary-parser": binaryParser,
  "typed-binary": typedBinary,
};

/** What a file of definitions exports. */
export type Definitions = Readonly<Record<string, unknown>>;

/** The definitions made from a program, by schema file. */
export async function loadDefinitions(program: Program, target: Target): Promise<Map<string, Definitions>> {
  const loaded = new Map<string, Definitions>();
  for (const { path, text } of target.generate(program, {})) {
    const { code } = await transform(text, { loader: "ts", target: "es2022", format: "cjs" });
    const required = (specifier: string): unknown => {
      const sibling = posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".wire");
      const found = packages[specifier] ?? loaded.get(sibling);
      if (found === undefined) throw new Error(`${path} imports ${specifier}, which is not there`);
      return found;
    };
    const module: { exports: Definitions } = { exports: {} };
    new Function("module", "require", code)(module, required);
    loaded.set(path.replace(/\.ts$/, ".wire"), module.exports);
  }
  return loaded;
}

export type Endianness = "little" | "big";

/** What binary-parser makes of all of the bytes. */
export function parseWith(definition: unknown, orders: readonly Endianness[], bytes: Uint8Array): unknown {
  const parser = definition instanceof binaryParser.Parser ? definition : call(definition, orders);
  if (!(parser instanceof binaryParser.Parser)) throw new Error("no parser");
  return parser.parse(bytes);
}

/** What typed-binary makes of the bytes, and how many it takes. */
export function readWith(
  definition: unknown,
  endianness: Endianness,
  bytes: Uint8Array,
): { readonly value: unknown; readonly taken: number } {
  if (!(definition instanceof typedBinary.ObjectSchema)) throw new Error("no schema");
  // Its reader would go on behind the end of a subarray.
  const reader = new typedBinary.BufferReader(Uint8Array.from(bytes).buffer, { endianness });
  const value: unknown = definition.read(reader);
  return { value, taken: reader.currentByteOffset };
}

function call(definition: unknown, args: readonly unknown[]): unknown {
  if (typeof definition !== "function") throw new Error("neither a parser nor a function that makes one");
  return definition(...args);
}

/**
 * The value of a struct without what another library keeps and virtwire does not: counts and constants, and reserved
 * bytes that are all zero.
 */
export function withoutHidden(struct: Struct, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const properties: Record<string, unknown> = { ...value };
  for (const field of struct.fields) {
    const name = allPropertiesOf(struct).get(field) ?? "";
    const { kind } = field.role;
    const hidden =
      kind === "constant" || kind === "derived" || (kind === "reserved" && isZero(properties[name]));
    if (hidden) Reflect.deleteProperty(properties, name);
    else if (name in properties) properties[name] = withoutHiddenIn(field.type, properties[name]);
  }
  return properties;
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.every(isZero);
  return value === 0 || value === 0n;
}

function withoutHiddenIn(type: FieldType, value: unknown): unknown {
  if (type.kind === "struct") return withoutHidden(type.struct, value);
  if (type.kind === "array" && Array.isArray(value))
    return value.map((element) => withoutHiddenIn(type.element, element));
  return value;
}
