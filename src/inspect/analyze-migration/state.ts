/**
 * The state of a device in the shape that QEMU's analyze-migration.py gives it. The rules are the script's, not those of
 * the stream: it reads a few encodings as signed whatever their name says, has no lists and trees, and merges fields of
 * one name into an array wherever they stand.
 */
import { readQemuVmSubsection, scanQemuVmSubsection } from "../../../generated/qemu/stream.js";
import type { Reader } from "../../runtime/index.js";
import { JsonObject, type JsonValue } from "../../streams/qemu/json.js";
import type { Printed } from "./python-json.js";

const SIGNED: ReadonlySet<string> = new Set([
  "int8",
  "int16",
  "int32",
  "int32 equal",
  "int32 le",
  "int64",
  "int64 equal",
  "uint8 equal",
  "uint16 equal",
]);
const UNSIGNED: ReadonlySet<string> = new Set(["uint8", "uint16", "uint32", "uint32 equal", "uint64"]);

/** An array of elements without bytes would let a number in the file run a loop for hours. */
const MAX_ELEMENTS = 1 << 22;

/** Why the rest of a state cannot be read. */
export interface StateProblem {
  /** Index in the reader's bytes. */
  readonly at: number;
  readonly path: string;
  readonly detail: string;
}

/** Reads one state that ends where the reader's bytes do. What was read before a problem is kept. */
export function readScriptState(
  reader: Reader,
  description: JsonObject,
): { readonly value: Printed; readonly problem: StateProblem | undefined } {
  const value = new Map<string, Printed>();
  try {
    const state = new ScriptState(reader);
    state.into(value, description, []);
    const left = reader.end - reader.at;
    if (left > 0) throw new Unreadable(reader.at, [], `${left} bytes more than its fields take`);
    return { value, problem: undefined };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { value, problem: { at: error.at, path: error.path.join("."), detail: error.message } };
  }
}

/** Never leaves this file: the way out of the recursion. */
class Unreadable extends Error {
  readonly at: number;
  readonly path: readonly string[];

  constructor(at: number, path: readonly string[], detail: string) {
    super(detail);
    this.at = at;
    this.path = path;
  }
}

class ScriptState {
  private readonly reader: Reader;
  private elements = 0;

  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** Fields, then subsections, of what `description` describes. */
  into(values: Map<string, Printed>, description: JsonObject, path: readonly string[]): void {
    const fields = description.get("fields");
    if (!Array.isArray(fields)) throw this.wrong(path, "described without fields");
    /** Names that have become arrays: a value may be an array of its own. */
    const arrays = new Map<string, Printed[]>();
    for (const field of fields) {
      if (!(field instanceof JsonObject)) throw this.wrong(path, "a field without a description");
      const name = text(field.get("name"));
      const where = [...path, name];
      // The script takes an array of no elements for one of one.
      const count = Math.max(1, number(field.get("array_len")) ?? 1);
      for (let i = 0; i < count; i++) {
        if (++this.elements > MAX_ELEMENTS) throw this.wrong(where, `more than ${MAX_ELEMENTS} values`);
        this.add(values, arrays, name, this.value(field, where));
      }
    }
    this.subsections(values, description.get("subsections"), path);
  }

  private add(
    values: Map<string, Printed>,
    arrays: Map<string, Printed[]>,
    name: string,
    value: Printed,
  ): void {
    const before = values.get(name);
    const array = arrays.get(name);
    if (array !== undefined) {
      array.push(value);
    } else if (before === undefined) {
      values.set(name, value);
    } else {
      const both = [before, value];
      arrays.set(name, both);
      values.set(name, both);
    }
  }

  private value(field: JsonObject, path: readonly string[]): Printed {
    const type = text(field.get("type"));
    if (type === "struct") {
      const inner = field.get("struct");
      if (!(inner instanceof JsonObject)) throw this.wrong(path, "a struct without a description");
      const values = new Map<string, Printed>();
      this.into(values, inner, path);
      return values;
    }
    const size = number(field.get("size"));
    if (size === undefined) throw this.wrong(path, "a field without a size");
    if (size > this.reader.end - this.reader.at) {
      throw this.wrong(path, `needs ${size} bytes, has ${this.reader.end - this.reader.at}`);
    }
    const bytes = this.reader.slice(size);
    if (type === "nullptr") return "nullptr";
    if (size === 0) return "";
    if (type === "bool") return bytes[0] !== 0;
    if (SIGNED.has(type) || UNSIGNED.has(type)) return integer(bytes, SIGNED.has(type));
    return bytes;
  }

  private subsections(
    values: Map<string, Printed>,
    described: JsonValue | undefined,
    path: readonly string[],
  ): void {
    if (!Array.isArray(described)) return;
    for (const description of described) {
      if (!(description instanceof JsonObject)) throw this.wrong(path, "a subsection without a description");
      const { reader } = this;
      const at = reader.at;
      if (!scanQemuVmSubsection(reader)) {
        reader.at = at;
        throw this.wrong(path, `no subsection ${text(description.get("vmsd_name"))} here`);
      }
      reader.at = at;
      const name = readQemuVmSubsection(reader).name.text;
      const inner = new Map<string, Printed>();
      values.set(name, inner);
      this.into(inner, description, [...path, name]);
    }
  }

  private wrong(path: readonly string[], detail: string): Unreadable {
    return new Unreadable(this.reader.at, path, detail);
  }
}

/** `0x00ff`, and behind a negative number its value: `0xffff (-1)`. Integers are big-endian, of any length. */
function integer(bytes: Uint8Array, isSigned: boolean): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  const digits = `0x${value.toString(16).padStart(bytes.length * 2, "0")}`;
  const signed = BigInt.asIntN(bytes.length * 8, value);
  return isSigned && signed < 0n ? `${digits} (${signed})` : digits;
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function number(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}
