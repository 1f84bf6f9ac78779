/**
 * Which fields determine a layout: something is sized or chosen by them. A view lets nobody set them in place, because
 * the bytes behind them would then mean something else.
 */
import type { Decl, Expr, Field, Module } from "../../schema/ir.js";
import { pathsOf } from "../../schema/reads.js";
import { allNodes, expressionsOf } from "../../schema/structure.js";

/** By the declarations: a compiler that follows edits gives a module others, and keeps the module. */
const known = new WeakMap<readonly Decl[], ReadonlySet<Field>>();

/** The fields that determine a layout in this module. Those of nested structs count as well (`hdr.length`). */
export function determiningFields(module: Module): ReadonlySet<Field> {
  let found = known.get(module.decls);
  if (found === undefined) {
    const structs = module.decls.filter((decl) => decl.kind === "struct");
    found = new Set(
      structs.flatMap((struct) => {
        // A constraint only refuses: nothing moves when it looks at another value.
        const constraints = new Set<Expr>(
          allNodes(struct.nodes).flatMap((node) => (node.kind === "where" ? [node.condition] : [])),
        );
        return expressionsOf(struct)
          .filter((expr) => !constraints.has(expr))
          .flatMap(pathsOf)
          .flat();
      }),
    );
    known.set(module.decls, found);
  }
  return found;
}
