/** The body of a function for one struct, while it is printed: what all the printers of its parts share. */

import type { Part, Printer } from "../printer.js";
import type { StructContext, Variables } from "./context.js";
import { type Environment, isVariable } from "./expressions.js";
import { rawInteger } from "./integers.js";
import { nestedValue } from "./nested.js";
import type { Referenced } from "./referenced.js";

export interface Body {
  readonly out: Printer;
  readonly context: StructContext;
  readonly variables: Variables;
  /** How expressions get at what they refer to. */
  readonly env: Environment;
}

/** Where bytes are gone through from a reader's cursor. `referenced`: where fields of nested structs have variables. */
export function readingEnvironment(context: StructContext, referenced?: Referenced): Environment {
  return {
    field: (path) => referenced?.local(path) ?? nestedValue(context, path[0], path.slice(1)),
    param: (param) => context.local(param),
    remaining: () => "reader.end - reader.at",
    peek: (int) => rawInteger(int, "reader.view", "reader.at", context),
  };
}

/** A variable that holds the value: itself, if it is one already. */
export function named({ out, variables }: Body, name: string, value: Part): string {
  const text = out.text(value);
  if (isVariable(text)) return text;
  const variable = variables.claim(name);
  out.line(`const ${variable} = ${text};`);
  return variable;
}
