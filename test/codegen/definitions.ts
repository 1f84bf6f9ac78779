/** Generates definitions for other libraries, and loads them into this process. */
import { posix } from "node:path";
import * as binaryParser from "binary-parser";
import { transform } from "esbuild";
import * as typedBinary from "typed-binary";
import type { Target } from "../../src/codegen/index.js";
import { armsOf, membersOf } from "../../src/codegen/members.js";
import { camelCaseText } from "../../src/codegen/names.js";
import { allPropertiesOf } from "../../src/codegen/properties.js";
import type { FieldType, Program, Struct, SwitchNode } from "../../src/schema/index.js";

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

/** What binary-parser makes of all of the bytes; a definition with parameters is given arguments. */
export function parseWith(definition: unknown, args: readonly unknown[], bytes: Uint8Array): unknown {
  const parser = definition instanceof binaryParser.Parser ? definition : call(definition, args);
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
  if (!isRecord(value)) return value;
  const properties = { ...value };
  const names = allPropertiesOf(struct);
  for (const member of membersOf(struct.nodes)) {
    const name = names.get(member.kind === "field" ? member.field : member.node) ?? "";
    if (!(name in properties)) continue;
    if (member.kind === "switch") {
      properties[name] = withoutHiddenInArm(member.node, properties[name]);
      continue;
    }
    const { role, type } = member.field;
    const hidden = role.kind === "constant" || role.kind === "derived";
    if (hidden || (role.kind === "reserved" && isZero(properties[name])))
      Reflect.deleteProperty(properties, name);
    else properties[name] = withoutHiddenIn(type, properties[name]);
  }
  return properties;
}

/** Inside of the case that was chosen. */
function withoutHiddenInArm(node: SwitchNode, chosen: unknown): unknown {
  if (!isRecord(chosen)) return chosen;
  const arm = armsOf(node).find(({ name }) => camelCaseText(name) === chosen["case"]);
  if (arm?.field === undefined) return chosen;
  const { role, type } = arm.field;
  if (role.kind === "reserved" && isZero(chosen["value"])) return { case: chosen["case"] };
  return { ...chosen, value: withoutHiddenIn(type, chosen["value"]) };
}

function withoutHiddenIn(type: FieldType, value: unknown): unknown {
  if (type.kind === "struct") return withoutHidden(type.struct, value);
  if (type.kind === "array" && Array.isArray(value))
    return value.map((element) => withoutHiddenIn(type.element, element));
  return value;
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.every(isZero);
  return value === 0 || value === 0n;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
