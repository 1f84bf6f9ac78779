/**
 * A struct of a schema as a thing that code can hold and pass on: what the generator makes for it, with its parameters
 * filled in.
 */
import type { Reader, Visitor, Writer } from "../../../runtime/index.js";

/** The generated functions of one struct. `P`: its parameters. */
export interface Generated<T, P extends readonly unknown[]> {
  readonly scan: (reader: Reader, ...parameters: P) => boolean;
  readonly read: (reader: Reader, ...parameters: P) => T;
  readonly walk: (reader: Reader, visitor: Visitor, ...parameters: P) => boolean;
  readonly sizeof: (value: T, ...parameters: P) => number;
  readonly write: (writer: Writer, value: T, ...parameters: P) => void;
}

/** Methods, not properties: a table of layouts holds them as `Layout<unknown>`, each writing the values that it read. */
export interface Layout<T = unknown> {
  /** The name of the struct in its schema. */
  readonly type: string;
  /** Checks what begins at the cursor and moves behind it. False: `reader.fault` says what is wrong. */
  scan(reader: Reader): boolean;
  read(reader: Reader): T;
  /** Reports every field. False when what follows cannot be found. */
  walk(reader: Reader, visitor: Visitor): boolean;
  sizeof(value: T): number;
  write(writer: Writer, value: T): void;
}

export function layout<T, P extends readonly unknown[]>(
  type: string,
  generated: Generated<T, P>,
  ...parameters: P
): Layout<T> {
  return {
    type,
    scan: (reader) => generated.scan(reader, ...parameters),
    read: (reader) => generated.read(reader, ...parameters),
    walk: (reader, visitor) => generated.walk(reader, visitor, ...parameters),
    sizeof: (value) => generated.sizeof(value, ...parameters),
    write: (writer, value) => generated.write(writer, value, ...parameters),
  };
}
