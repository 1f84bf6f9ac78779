/** What the printers of the parts of a scanner share. */
import type { Field } from "../../../schema/ir.js";
import { code, type Part, type Printer } from "../../printer.js";
import { type Body, readingEnvironment } from "../body.js";
import type { StructContext } from "../context.js";
import { descend, rawValue } from "../memory.js";
import { Referenced } from "../referenced.js";

export interface Scanning extends Body {
  readonly referenced: Referenced;
  /** Where the fields lie that have been gone past. */
  readonly places: Map<Field, Part>;
}

export function scanning(out: Printer, context: StructContext): Scanning {
  const variables = context.variables();
  const referenced = new Referenced(context.struct, variables);
  const env = readingEnvironment(context, referenced);
  return { out, context, variables, env, referenced, places: new Map() };
}

/** Makes variables of what expressions read inside a nested struct, which lies `offset` behind `at`. */
export function declareNested(body: Scanning, field: Field, at: string, offset: number): void {
  for (const { path, local } of body.referenced.inside(field)) {
    const located = descend(
      { field, base: at, offset, bits: undefined, orders: body.context },
      path.slice(1),
    );
    body.out.line(code`const ${local} = ${rawValue(located, "view")};`);
  }
}
