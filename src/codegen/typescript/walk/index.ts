/**
 * `walk…` reports every field of a value to a visitor, with its place and its meaning. It finds what `scan…` finds, in
 * the same order, but shows first what is whole, and goes on behind a range that is broken.
 */
import type { Struct } from "../../../schema/ir.js";
import { membersOf } from "../../members.js";
import type { Printer } from "../../printer.js";
import type { StructContext } from "../context.js";
import { printSites } from "../sites.js";
import { StructWalker } from "./struct.js";

export function printWalk(out: Printer, struct: Struct, context: StructContext): void {
  printSites(out, struct, context);
  if (membersOf(struct.nodes).length > 0) out.blank();
  new StructWalker(out, context).print();
}
