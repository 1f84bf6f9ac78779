/** Headings of the declarations, and links to them from any page. */
import type { Decl, Module, Table } from "../../schema/ir.js";
import { code } from "./text.js";

export function pagePath(module: Module): string {
  return module.file.replace(/\.wire$/, ".md");
}

export function headingOf(decl: Decl): string {
  return `${kindOf(decl)} ${code(decl.name)}`;
}

/** The name of a declaration, or of something in it, linked to its section. */
export function linkTo(decl: Decl, from: Module, name: string = decl.name): string {
  const page = decl.module === from ? "" : relative(pagePath(from), pagePath(decl.module));
  return `[${code(name)}](${page}#${anchorOf(sectionOf(decl))})`;
}

/** The numbers of a table, and what it makes of all of its rows, have no section but that of the table. */
export function sectionOf(decl: Decl): Decl {
  if (decl.kind === "struct" && decl.table !== undefined) {
    const { payload, output, reply } = decl.table;
    return decl === payload || decl === output || decl === reply ? decl.table : decl;
  }
  return decl.kind === "enum"
    ? (decl.module.decls.find((other) => isTable(other) && other.numbers === decl) ?? decl)
    : decl;
}

function isTable(decl: Decl): decl is Table {
  return decl.kind === "commands" || decl.kind === "messages";
}

export function moduleLink(module: Module, from: string): string {
  return `[${code(module.name)}](${relative(from, pagePath(module))})`;
}

function anchorOf(decl: Decl): string {
  return `${kindOf(decl)}-${decl.name}`.toLowerCase();
}

function kindOf(decl: Decl): string {
  return decl.kind === "struct" && decl.stream ? "stream" : decl.kind;
}

function relative(from: string, to: string): string {
  const here = from.split("/").slice(0, -1);
  const there = to.split("/");
  while (here.length > 0 && there.length > 1 && here[0] === there[0]) {
    here.shift();
    there.shift();
  }
  return "../".repeat(here.length) + there.join("/");
}
