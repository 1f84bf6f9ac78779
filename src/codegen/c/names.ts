/**
 * Names in the C header. They are the source's own behind a prefix, so that the header can stand beside the kernel's,
 * which gives the same names to its own structs, and to flags often the number of the bit instead of its mask.
 */
import type { Decl, Module, Program } from "../../schema/ir.js";

/** C11's keywords, and the words that gcc predefines as macros in its default (GNU) mode. */
const RESERVED = new Set([
  ...[
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
  ],
  ...[
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
  ],
  ...["sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"],
  ...["asm", "typeof", "linux", "unix", "i386"],
]);

/** A member of a struct: the source's name, with an underscore behind it where C has taken the word. */
export function memberName(name: string): string {
  return RESERVED.has(name) ? `${name}_` : name;
}

export interface Names {
  tag(decl: { readonly name: string; readonly module: Module }): string;
  macro(name: string, module: Module): string;
}

/**
 * Two profiles of a number space may give the same name to different things in two modules. C has one name space, so
 * each of them then carries the name of its module, and no header silently means the other.
 */
export function namesFor(program: Program, prefix: string): Names {
  const homes = new Map<string, Module>();
  const shared = new Set<string>();
  for (const module of program.modules) {
    for (const name of module.decls.flatMap(declaredNames)) {
      if ((homes.get(name) ?? module) !== module) shared.add(name);
      homes.set(name, module);
    }
  }
  const qualified = (name: string, module: Module) =>
    shared.has(name) ? `${module.name.replace(/\W/g, "_")}_${name}` : name;
  return {
    tag: ({ name, module }) => `${prefix}${qualified(name, module)}`,
    macro: (name, module) => `${prefix.toUpperCase()}${qualified(name, module).toUpperCase()}`,
  };
}

/** The path of the header, mirroring the schema's. */
export function headerPath(module: Module): string {
  return module.file.replace(/\.wire$/, ".h");
}

/** How the header of `from` includes that of `to`: C looks for quoted names beside the including file. */
export function includePath(from: Module, to: Module): string {
  const target = headerPath(to).split("/");
  const here = headerPath(from).split("/").slice(0, -1);
  let same = 0;
  while (same < here.length && same < target.length - 1 && here[same] === target[same]) same++;
  return [...here.slice(same).map(() => ".."), ...target.slice(same)].join("/");
}

export function guardName(module: Module, prefix: string): string {
  return `${prefix}${headerPath(module)}`.replace(/\W/g, "_").toUpperCase();
}

function declaredNames(decl: Decl): readonly string[] {
  switch (decl.kind) {
    case "enum":
    case "flags":
      return [decl.name, ...decl.members.map((member) => member.name)];
    case "commands":
    case "messages":
      return [];
    default:
      return [decl.name];
  }
}
