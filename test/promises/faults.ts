/** What can be wrong with bytes, as text: every way of asking must give the same. */
import { expect } from "vitest";
import { type Fault, Reader, type Visitor, WireError } from "../../src/runtime/index.js";
import type { Heard, Message } from "./messages.js";

/** All of it but the message, which is made from the rest. */
function faultText(error: unknown): string {
  if (!(error instanceof WireError)) return `not a WireError: ${String(error)}`;
  const { code, path, offset, need, had, detail, schema } = error;
  return JSON.stringify({ code, path, offset, need, had, detail, schema });
}

export function thrownBy(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return faultText(error);
  }
}

/** Hears everything that a push parser says. */
export function listener(heard: (name: string, args: readonly unknown[]) => void): Heard {
  return new Proxy<Heard>(
    {},
    {
      get:
        (_, name) =>
        (...args: readonly unknown[]) =>
          heard(String(name), args),
    },
  );
}

const DEAF = listener(() => {});

export function pushed(
  { parser }: Message,
  bytes: Uint8Array,
  cuts: readonly number[] = [],
): string | undefined {
  return thrownBy(() => {
    // What a parser refuses to gather is its own affair: the others have all of it in memory.
    const made = parser?.(DEAF, { maxUnit: Number.POSITIVE_INFINITY });
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      made?.push(bytes.slice(from, to));
      from = to;
    }
    made?.finish();
  });
}

/** What is wrong, on which decode, check, view, walk and push parser agree. */
export function refusal(message: Message, bytes: Uint8Array): string | undefined {
  const thrown = thrownBy(() => message.decode(bytes));
  const found = message.check(bytes);
  expect(found === undefined ? undefined : faultText(found)).toBe(thrown);
  // Views and walks are of what begins somewhere: what follows is none of their business.
  const inside = placeOf(thrown) === "trailing  0" ? undefined : thrown;
  expect(thrownBy(() => message.view(bytes))).toBe(inside);
  expect(walked(message, bytes)).toBe(placeOf(inside));
  if (message.parser !== undefined) agreesOnPush(message, bytes, thrown);
  return thrown;
}

/** The first thing that a walk reports. It tells where something is, but not what it is called from outside. */
function walked(message: Message, bytes: Uint8Array): string | undefined {
  const faults: Fault[] = [];
  const visitor: Visitor = {
    open: () => {},
    close: () => {},
    field: () => {},
    fault: (fault) => faults.push(fault),
  };
  message.walk(new Reader(bytes), visitor);
  const [first] = faults;
  return first === undefined ? undefined : placeOf(JSON.stringify(first));
}

function placeOf(fault: string | undefined): string | undefined {
  if (fault === undefined) return undefined;
  const { code, path, offset } = JSON.parse(fault);
  return path === "" && code === "trailing" ? "trailing  0" : `${code} at ${offset}`;
}

/**
 * A parser does not wait for the end of what was announced when it sees before that something is wrong; the others say so as
 * well once the rest has come, whatever that is.
 */
function agreesOnPush(message: Message, bytes: Uint8Array, thrown: string | undefined): void {
  const said = pushed(message, bytes);
  if (said === thrown) return;
  const { code, need = 0, had = 0 } = JSON.parse(thrown ?? "{}");
  expect(code, `push: ${said}, decode: ${thrown}`).toBe("truncated");
  if (need - had > 1 << 20) return;
  const completed = new Uint8Array(bytes.length + need - had);
  completed.set(bytes);
  expect(said).toBe(thrownBy(() => message.decode(completed)));
}

export function codeOf(thrown: string | undefined): string | undefined {
  return thrown === undefined ? undefined : JSON.parse(thrown).code;
}
