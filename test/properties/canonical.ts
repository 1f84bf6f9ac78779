/** Values and errors as text in which equal things are equal, for comparing and for reading what differs. */
import { WireError } from "../../src/runtime/index.js";

/** Properties that are undefined are left out: they are how a value says that something is not there. */
export function canonical(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString("hex")}>`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const properties = Object.entries(value).filter(([, each]) => each !== undefined);
  properties.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{ ${properties.map(([key, each]) => `${key}: ${canonical(each)}`).join(", ")} }`;
}

/** All that callers may rely on in an error. */
export function faultText(error: unknown): string {
  if (!(error instanceof WireError))
    return `not a WireError: ${String(error instanceof Error ? error.stack : error)}`;
  const { code, path, offset, need, had } = error;
  return `${code} path=${path} offset=${offset} need=${need} had=${had}`;
}

/** What a function throws, as text; undefined when it throws nothing. */
export function thrownBy(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return faultText(error);
  }
}
