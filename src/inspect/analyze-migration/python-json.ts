/**
 * Prints JSON as Python's encoder does with `indent=4`: scripts compare such output byte for byte. Written piece by piece,
 * because one device can hold more bytes than one string can.
 */
import { JsonObject, type JsonValue } from "../../streams/qemu/json.js";

/** Bytes are printed as text: two digits each, with spaces between. */
export type Printed =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly Printed[]
  | ReadonlyMap<string, Printed>;

type Write = (text: string) => void;

const INDENT = "    ";
/** Bytes that become text at once. */
const PIECE = 1 << 15;

const DIGITS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/** Of a repeated key the last value counts, in the place of the first: so do Python's dictionaries. */
export function asPrinted(value: JsonValue): Printed {
  if (value instanceof JsonObject)
    return new Map(value.members.map(([key, member]) => [key, asPrinted(member)]));
  return typeof value === "object" && value !== null ? value.map(asPrinted) : value;
}

export function writePrinted(value: Printed, write: Write, depth = 0): void {
  if (value === null || typeof value === "boolean" || typeof value === "number") write(String(value));
  else if (typeof value === "string") write(quoted(value));
  else if (value instanceof Uint8Array) writeBytes(value, write);
  else if (value instanceof Map) writeMembers(value, write, depth);
  else writeElements(value as readonly Printed[], write, depth);
}

/** A member of an object that is being written from outside. */
export function writeMember(
  key: string,
  value: Printed,
  isFirst: boolean,
  write: Write,
  depth: number,
): void {
  write(`${isFirst ? "" : ","}\n${INDENT.repeat(depth)}${quoted(key)}: `);
  writePrinted(value, write, depth);
}

function writeMembers(members: ReadonlyMap<string, Printed>, write: Write, depth: number): void {
  write("{");
  let isFirst = true;
  for (const [key, value] of members) {
    writeMember(key, value, isFirst, write, depth + 1);
    isFirst = false;
  }
  write(isFirst ? "}" : `\n${INDENT.repeat(depth)}}`);
}

function writeElements(elements: readonly Printed[], write: Write, depth: number): void {
  write("[");
  elements.forEach((element, i) => {
    write(`${i === 0 ? "" : ","}\n${INDENT.repeat(depth + 1)}`);
    writePrinted(element, write, depth + 1);
  });
  write(elements.length === 0 ? "]" : `\n${INDENT.repeat(depth)}]`);
}

function writeBytes(bytes: Uint8Array, write: Write): void {
  write('"');
  for (let at = 0; at < bytes.length; at += PIECE) {
    const digits: string[] = [];
    for (const byte of bytes.subarray(at, at + PIECE)) digits.push(DIGITS[byte] ?? "");
    write(`${at === 0 ? "" : " "}${digits.join(" ")}`);
  }
  write('"');
}

/** Everything outside printable ASCII is escaped, which JSON.stringify does not do. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
