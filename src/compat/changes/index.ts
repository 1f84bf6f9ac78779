/** The structural difference of two versions: named changes with their places, before anything is said about whom they break. */
import type { Decl, Module, Program, Struct, Table } from "../../schema/ir.js";
import type { Change } from "./change.js";
import { tableChanges } from "./contracts.js";
import { StructChanges } from "./members.js";
import { enumChanges, flagChanges } from "./names.js";

export function changesBetween(older: Program, newer: Program): Change[] {
  const changes: Change[] = [];
  for (const old of older.modules) {
    const now = newer.modules.find(({ name }) => name === old.name);
    for (const decl of old.decls) {
      const other = now?.decls.find(({ name, kind }) => name === decl.name && kind === decl.kind);
      if (other !== undefined) changes.push(...declarationChanges(decl, other));
      else if (decl.kind === "struct") changes.push(whole("struct-removed", old, decl));
    }
  }
  for (const now of newer.modules) {
    const old = older.modules.find(({ name }) => name === now.name);
    for (const decl of now.decls) {
      if (decl.kind !== "struct") continue;
      if (!old?.decls.some(({ name, kind }) => name === decl.name && kind === "struct"))
        changes.push(whole("struct-added", now, decl));
    }
  }
  return changes;
}

function whole(rule: "struct-removed" | "struct-added", module: Module, { name, line }: Struct): Change {
  const place = { file: module.file, line };
  const added = rule === "struct-added";
  return {
    rule,
    module: module.name,
    declaration: name,
    members: [],
    detail: `\`${name}\``,
    old: added ? undefined : place,
    new: added ? place : undefined,
    subject: undefined,
  };
}

function declarationChanges(old: Decl, now: Decl): Change[] {
  if (old.kind === "struct" && now.kind === "struct") return new StructChanges(old, now).all();
  if (old.kind === "enum" && now.kind === "enum") return enumChanges(old, now);
  if (old.kind === "flags" && now.kind === "flags") return flagChanges(old, now);
  if (isTable(old) && isTable(now)) return tableChanges(old, now);
  // Constants show where they are used.
  return [];
}

function isTable(decl: Decl): decl is Table {
  return decl.kind === "commands" || decl.kind === "messages";
}
