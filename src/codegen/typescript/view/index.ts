/** `class …View`: reads and writes a value where it lies, fields in any order. */
import type { Struct } from "../../../schema/ir.js";
import type { Printer } from "../../printer.js";
import type { StructContext } from "../context.js";
import { ViewClass } from "./class.js";

export function printView(out: Printer, struct: Struct, context: StructContext): void {
  new ViewClass(out, struct, context).print();
}
