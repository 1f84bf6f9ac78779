/**
 * Targets that print definitions for somebody else's decoding library: a file for each schema, with a definition for
 * each struct that the library can express, and for each other one a comment that says why there is none. A definition
 * that is nearly right is worse than none, so a library states its limits before anything is printed.
 */
import type { Case, Field, Module, Program, Struct, SwitchNode } from "../schema/ir.js";
import { allNodes } from "../schema/structure.js";
import { membersOf } from "./members.js";
import { camelCase, GLOBAL_NAMES, ProgramNames, RESERVED_WORDS, Scope } from "./names.js";
import type { GenerateOptions, OutputFile, Target } from "./output.js";
import { type Import, type Part, Printer } from "./printer.js";
import { allPropertiesOf, type Properties } from "./properties.js";
import { importPath, ModuleContext, type Sources } from "./typescript/context.js";
import { docLines, sizeText } from "./typescript/docs.js";

export interface Library {
  /** Of the package, and of the target. */
  readonly name: string;
  /** What whoever uses the definitions must know about the library. */
  readonly about: readonly string[];
  /** Names in generated files that no definition may have. */
  readonly taken: ReadonlySet<string>;
  /** Why it has no words for the struct; undefined when it has. */
  obstacle(struct: Struct): string | undefined;
  /** What the schema says of the struct and its definition does not check, besides `where`. */
  unchecked(struct: Struct): readonly string[];
  /** Facts about the definition for its doc comment. */
  facts(struct: Struct): readonly string[];
  print(out: Printer, struct: Struct, context: DefinitionContext): void;
  /** Functions that the printed definitions call. */
  support(used: ReadonlySet<string>): readonly string[];
}

/** What printing one file needs to know about names. */
export class DefinitionContext {
  /** Of the functions of the file's own that the definitions call. */
  readonly used: Set<string> = new Set();
  private readonly library: Library;
  private readonly module: Module;
  private readonly names: ReadonlyMap<Struct, string>;
  private readonly codecs: ModuleContext;
  private readonly properties = new Map<Struct, Properties>();

  /** `codecs`: what things are called in virtwire's own codecs of the module. */
  constructor(library: Library, module: Module, names: ReadonlyMap<Struct, string>, codecs: ModuleContext) {
    this.library = library;
    this.module = module;
    this.names = names;
    this.codecs = codecs;
  }

  /** Something that the library exports. */
  imported(name: string): Import {
    return { name, from: this.library.name, type: false, reserved: true };
  }

  /** The definition of a struct. */
  definition(struct: Struct): Part {
    const name = this.name(struct);
    if (struct.module === this.module) return name;
    const from = importPath(this.module.file, struct.module.file);
    return { name, from, type: false, reserved: false };
  }

  /** What the definition of a struct is called where it stands. */
  name(struct: Struct): string {
    return known(this.names.get(struct), struct.name);
  }

  /** Names for the parameters of a definition: they must not hide another definition. */
  parameterScope(): Scope {
    return new Scope(RESERVED_WORDS, this.library.taken, new Set(this.names.values()));
  }

  property(member: Field | SwitchNode, struct: Struct): string {
    let names = this.properties.get(struct);
    if (names === undefined) {
      names = allPropertiesOf(struct);
      this.properties.set(struct, names);
    }
    return known(names.get(member), member.name);
  }

  /** What says that this case, or the arm of the default, was chosen. */
  caseName(chosen: Case | Field, struct: Struct): string {
    return this.codecs.struct(struct).caseName(chosen);
  }

  /** A function that the file must then have. */
  call(name: string): string {
    this.used.add(name);
    return name;
  }
}

export function definitionsTarget(library: Library): Target {
  return {
    name: library.name,
    local: true,
    generate(program: Program, options: GenerateOptions): OutputFile[] {
      const scopes = new Map(program.modules.map((module) => [module, scopeOf(library)]));
      const codecs = new ProgramNames();
      const names = new Map<Struct, string>();
      for (const [module, scope] of scopes) {
        for (const struct of structsOf(module)) names.set(struct, scope.claim(camelCase(struct.name)));
      }
      return [...scopes]
        .filter(([module]) => options.modules?.has(module.name) ?? true)
        .map(([module, scope]) => ({
          path: module.file.replace(/\.wire$/, ".ts"),
          text: printModule(
            module,
            library,
            new DefinitionContext(library, module, names, new ModuleContext(module, codecs, NAMES_ONLY)),
            scope,
          ),
        }));
    },
  };
}

/** No file imports anything by the codecs' context: it is asked for names. */
const NAMES_ONLY: Sources = { runtime: "virtwire/runtime", packageOf: () => undefined };

function scopeOf(library: Library): Scope {
  return new Scope(RESERVED_WORDS, GLOBAL_NAMES, library.taken);
}

function structsOf(module: Module): Struct[] {
  return module.decls.filter((decl) => decl.kind === "struct");
}

function printModule(module: Module, library: Library, context: DefinitionContext, scope: Scope): string {
  const out = new Printer(scope);
  const structs = structsOf(module);
  const body = out.capture(() => {
    for (const struct of structs) {
      out.blank();
      printStruct(out, struct, library, context);
    }
  });
  for (const line of library.support(context.used)) out.line(line);
  out.blank();
  out.insert(body);
  const expressed = structs.filter((struct) => library.obstacle(struct) === undefined).length;
  const text = out.finish([
    `// Generated by virtwire from ${module.file}. Do not edit: change the schema and run virtwire gen.`,
    `// Definitions for ${library.name}: ${expressed} of ${structs.length} structs.`,
    ...library.about.map((line) => `// ${line}`),
  ]);
  // A file without an export would be a script, and its names global.
  return expressed === 0 ? `${text}\nexport {};\n` : text;
}

function printStruct(out: Printer, struct: Struct, library: Library, context: DefinitionContext): void {
  const obstacle = library.obstacle(struct);
  if (obstacle !== undefined) {
    out.line(`// No definition of struct ${struct.name}: ${obstacle}.`);
    return;
  }
  const hidden = membersOf(struct.nodes).flatMap((member) =>
    member.kind === "field" && (member.field.role.kind === "constant" || member.field.role.kind === "derived")
      ? [`\`${context.property(member.field, struct)}\``]
      : [],
  );
  const unchecked = [...library.unchecked(struct), ...conditionsOf(struct)];
  out.doc([
    `\`struct ${struct.name}\`: ${sizeText(struct.size)}.`,
    ...library.facts(struct),
    ...(hidden.length === 0 ? [] : [`Not part of the value in virtwire's own codecs: ${hidden.join(", ")}.`]),
    ...(unchecked.length === 0 ? [] : [`Not checked: ${unchecked.join("; ")}.`]),
    ...docLines(struct.doc),
  ]);
  library.print(out, struct, context);
}

/** Constraints, and enums that refuse other values. */
function conditionsOf(struct: Struct): string[] {
  const texts: string[] = [];
  for (const node of allNodes(struct.nodes)) if (node.kind === "where") texts.push(`\`${node.text}\``);
  for (const field of struct.fields) {
    const { type } = field;
    if (type.kind !== "int" && type.kind !== "bits") continue;
    if (type.meaning?.kind === "enum" && type.meaning.closed)
      texts.push(`\`${field.name}\` is a \`${type.meaning.name}\``);
  }
  return texts;
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`no name was given out for ${what}`);
  return value;
}
