/**
 * What the printers of features know about the file and the struct that they print: what things are called there, and
 * where they are imported from.
 */
import type {
  Argument,
  Case,
  Decl,
  Field,
  Module,
  Order,
  Param,
  RunNode,
  Struct,
  SwitchNode,
} from "../../schema/ir.js";
import { armsOf, type Member, membersOf } from "../members.js";
import {
  camelCase,
  camelCaseText,
  LOCAL_NAMES,
  type ModuleNames,
  type ProgramNames,
  RESERVED_WORDS,
  RUNTIME_NAMES,
  Scope,
} from "../names.js";
import type { Import, Part } from "../printer.js";
import { type Properties, propertiesOf } from "../properties.js";
import { type Environment, expression } from "./expressions.js";
import type { Parameter } from "./function.js";

/** Where the file imports from what it does not find by a path between the files of its program. */
export interface Sources {
  readonly runtime: string;
  readonly packageOf: (module: Module) => string | undefined;
}

export class ModuleContext {
  readonly module: Module;
  readonly names: ModuleNames;
  private readonly program: ProgramNames;
  private readonly sources: Sources;
  private readonly structs = new Map<Struct, StructContext>();

  constructor(module: Module, program: ProgramNames, sources: Sources) {
    this.module = module;
    this.names = program.module(module);
    this.program = program;
    this.sources = sources;
  }

  /** Something that the runtime exports. */
  runtime(name: string): Import {
    return { name, from: this.sources.runtime, type: false, reserved: true };
  }

  runtimeType(name: string): Import {
    return { name, from: this.sources.runtime, type: true, reserved: true };
  }

  /** The type of a struct, enum or flag set. */
  type(decl: Decl): Part {
    return this.exported(decl, this.program.module(decl.module).type(decl), true);
  }

  /** The constant that holds the members of an enum or flag set, or a constant. */
  constant(decl: Decl): Part {
    return this.exported(decl, this.program.module(decl.module).type(decl), false);
  }

  /** What a feature makes of a declaration, e.g. `("read", struct)` → `readVirtioDevCtx`. */
  feature(name: string, decl: Decl): Part {
    return this.exported(decl, this.program.module(decl.module).of(decl, name), false);
  }

  /** The same where it is used as a type. */
  featureType(name: string, decl: Decl): Part {
    return this.exported(decl, this.program.module(decl.module).of(decl, name), true);
  }

  union(node: SwitchNode): string {
    return this.names.union(node);
  }

  struct(struct: Struct): StructContext {
    let context = this.structs.get(struct);
    if (context === undefined) {
      context = new StructContext(this, struct, this.program);
      this.structs.set(struct, context);
    }
    return context;
  }

  private exported(decl: Decl, name: string, type: boolean): Part {
    if (decl.module === this.module) return name;
    const from = this.sources.packageOf(decl.module) ?? importPath(this.module.file, decl.module.file);
    return { name, from, type, reserved: false };
  }
}

/** The names inside one struct: its properties, its cases, and the variables that hold them. */
export class StructContext {
  readonly module: ModuleContext;
  readonly struct: Struct;
  private readonly properties: Properties;
  private readonly locals = new Map<Field | SwitchNode | Param, string>();
  private readonly cases = new Map<Field | Case, string>();

  constructor(module: ModuleContext, struct: Struct, program: ProgramNames) {
    this.module = module;
    this.struct = struct;
    this.properties = propertiesOf(struct);
    const locals = new Scope(RESERVED_WORDS, RUNTIME_NAMES, LOCAL_NAMES);
    // A variable must not hide a function of this file or one that it imports.
    const visible = [module.module, ...module.module.imports.map((each) => each.module)].map(
      (each) => program.module(each).scope,
    );
    const local = (preferred: string): string => {
      let name = preferred;
      while (visible.some((scope) => scope.has(name)) || locals.has(name)) name += "$";
      return locals.claim(name);
    };
    for (const param of struct.params) {
      this.locals.set(param, local(param.type.kind === "order" ? orderName(param) : camelCase(param.name)));
    }
    const members = membersOf(struct.nodes);
    for (const member of members) {
      const subject = subjectOf(member);
      this.locals.set(subject, local(this.properties.get(subject) ?? camelCase(subject.name)));
    }
    for (const member of members) {
      if (member.kind !== "switch") continue;
      const names = new Scope();
      for (const { name, field, from } of armsOf(member.node)) {
        const claimed = names.claim(camelCaseText(rowName(struct, from) ?? name));
        if (from !== undefined) this.cases.set(from, claimed);
        if (field === undefined) continue;
        this.cases.set(field, claimed);
        this.locals.set(field, local(camelCase(field.name)));
      }
    }
  }

  /** The name of the property of the decoded value. */
  property(member: Field | SwitchNode): string {
    return known(this.properties.get(member), member.name);
  }

  /** The name of a variable that holds a field, a switch, the value of an arm, or a parameter. */
  local(member: Field | SwitchNode | Param): string {
    return known(this.locals.get(member), member.name);
  }

  /** What the `case` property holds when this case, or the arm of the default, is chosen. */
  caseName(chosen: Case | Field): string {
    return known(this.cases.get(chosen), chosen.name);
  }

  /** Names for the other variables of one function: `at`, `at2`, … */
  variables(): Variables {
    return new Variables(new Set(this.locals.values()));
  }

  /** `true`, `false` or the parameter that says which: what DataView calls `littleEndian`. */
  order(order: Order): string {
    if (order === "little") return "true";
    if (order === "big") return "false";
    return this.local(order);
  }

  /** The parameters of the struct, which every function for it takes last. */
  parameters(): Parameter[] {
    return this.struct.params.map((param) => ({
      name: this.local(param),
      type: this.parameterType(param),
      doc: param.type.kind === "order" ? "The byte order: true for little-endian, false for big-endian." : "",
    }));
  }

  /** The parameters, handed on as they are: `, device, littleEndian`. */
  passedOn(): Part {
    return this.struct.params.map((param) => `, ${this.local(param)}`);
  }

  /** What a nested struct is given for its parameters, as they follow others: `, type, true`. */
  arguments(args: readonly Argument[], env: Environment): Part {
    return args.map((arg) => [
      ", ",
      arg.kind === "order" ? this.order(arg.order) : expression(arg.expr, env),
    ]);
  }

  parameterType(param: Param): Part {
    const { type } = param;
    if (type.kind !== "int") return "boolean";
    // An argument is any expression of the schema: only the numbers of an open enum or a flag set are all allowed.
    if (type.meaning === undefined || (type.meaning.kind === "enum" && type.meaning.closed))
      return type.int.rep;
    return this.module.type(type.meaning);
  }

  /** The constant that lists the leaves of a run, for errors about input that is too short. */
  leaves(run: RunNode): string {
    return this.module.names.leaves(run);
  }
}

/** A case of a table without fields is called after its row; its label is only a number. */
function rowName(struct: Struct, from: Case | undefined): string | undefined {
  const { table } = struct;
  if (table === undefined || from === undefined || from.arm !== undefined) return undefined;
  if (![table.payload, table.output, table.reply].includes(struct)) return undefined;
  return table.rows.find((row) => row.number === from.labels[0]?.from)?.name;
}

/** The variables of one function that hold no field. */
export class Variables {
  private readonly taken: Set<string>;

  constructor(taken: Set<string>) {
    this.taken = taken;
  }

  claim(preferred: string): string {
    let name = preferred;
    for (let number = 2; this.taken.has(name); number++) name = `${preferred}${number}`;
    this.taken.add(name);
    return name;
  }
}

function subjectOf(member: Member): Field | SwitchNode {
  return member.kind === "field" ? member.field : member.node;
}

/** A boolean called `guest` would not say what true means. */
function orderName(param: Param): string {
  return param.implicit || param.name === "order" ? "littleEndian" : `${camelCase(param.name)}LittleEndian`;
}

/** From one generated file to another: `./pci.js`, `../capture/part.js`. */
export function importPath(from: string, to: string): string {
  const here = from.split("/").slice(0, -1);
  const there = to.replace(/\.wire$/, ".js").split("/");
  while (here.length > 0 && there.length > 1 && here[0] === there[0]) {
    here.shift();
    there.shift();
  }
  return `${here.length === 0 ? "./" : "../".repeat(here.length)}${there.join("/")}`;
}

function known(name: string | undefined, what: string): string {
  if (name === undefined) throw new Error(`no name was given out for ${what}`);
  return name;
}
