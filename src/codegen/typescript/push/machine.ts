/**
 * The machine of a push parser: states that are methods of the class, methods that they call, and what must outlast a
 * chunk in private fields. Which of those there are is known only when all methods have been printed.
 */
import type { Expr, Field } from "../../../schema/ir.js";
import { PROTOTYPE_NAMES, Scope } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { Body } from "../body.js";
import type { StructContext } from "../context.js";
import { type Environment, expression } from "../expressions.js";
import { mentions, withoutUnused } from "../function.js";
import { Referenced } from "../referenced.js";
import type { PushHandler } from "./handler.js";

/** A place in the machine. Its number is known when all states are. */
export interface Label {
  number: number;
}

interface State {
  readonly name: string;
  print(): void;
}

/** What a method may find in a private field of the class. */
interface Kept {
  readonly local: string;
  readonly initial: "0" | "0n";
}

/** Where the parser stands in the array that it is reading. */
const COUNTERS: readonly Kept[] = [
  { local: "index", initial: "0" },
  { local: "count", initial: "0" },
];

/** The members of the class, as they are printed before and behind its constructor. */
export interface MachineMembers {
  readonly fields: readonly string[];
  readonly methods: readonly string[];
}

export class Machine {
  readonly out: Printer;
  readonly context: StructContext;
  readonly handler: PushHandler;
  readonly names: Scope;
  readonly referenced: Referenced;
  readonly env: Environment;
  /** Functions of the module that methods call. */
  readonly functions: (() => void)[] = [];
  private readonly states: State[] = [];
  /** Methods that states call. */
  private readonly parts: State[] = [];
  private readonly kept: Kept[] = [];

  constructor(out: Printer, context: StructContext, handler: PushHandler) {
    const { struct } = context;
    this.out = out;
    this.context = context;
    this.handler = handler;
    const params = context.parameters();
    this.names = new Scope(
      PROTOTYPE_NAMES,
      new Set(["handler", "index", "count", ...params.map(({ name }) => name)]),
    );
    this.referenced = new Referenced(struct, context.variables());
    this.env = {
      field: (path) => this.local(path),
      param: (param) => context.local(param),
      remaining: () => "remaining",
    };
    const { fields, nested, constrained } = this.referenced;
    for (const field of fields) this.keep(context.local(field), field);
    for (const { path, local } of nested) this.keep(local, path[path.length - 1]);
    for (const field of constrained) this.kept.push({ local: this.placeOf(field), initial: "0" });
    for (const { local } of this.kept) this.names.claim(local);
  }

  /** For what is printed into one method, which has variables of its own. */
  body(): Body {
    const { out, context, env } = this;
    return { out, context, env, variables: context.variables() };
  }

  /** The number of the state behind the last one so far. */
  get end(): number {
    return this.states.length;
  }

  /** Adds a method that states call. */
  part(name: string, print: () => void): void {
    this.parts.push({ name, print });
  }

  /** The private fields and the methods. What no method reads is not kept. `others` prints further methods. */
  members(others: () => void): MachineMembers {
    const { out } = this;
    let methods = out.capture(() => {
      this.printMethods();
      others();
    });
    const text = methods.join("\n");
    const fields = out.capture(() => {
      for (const { local, initial } of [...this.kept, ...COUNTERS]) {
        const name = `#${local.replaceAll("$", "\\$")}(?![\\w$])`;
        const assigned = new RegExp(`^\\s*this\\.${name} = `);
        if (new RegExp(name).test(methods.filter((line) => !assigned.test(line)).join("\n"))) {
          out.line(`#${local} = ${initial};`);
        } else if (text.includes(`#${local}`)) {
          methods = methods.filter((line) => !assigned.test(line));
        }
      }
    });
    return { fields, methods };
  }

  private printMethods(): void {
    const { out } = this;
    out.blank();
    out.block(
      code`protected override advance(reader: ${this.context.module.runtimeType("Reader")}): void`,
      () => {
        out.line("let goesOn = true;");
        out.block("while (goesOn)", () => {
          out.block("switch (this.state)", () => {
            this.states.forEach(({ name }, index) => {
              out.line(`case ${index}:`);
              out.indented(() => {
                out.line(`goesOn = this.#${name}(reader);`);
                out.line("break;");
              });
            });
            out.line("default:");
            out.indented(() => {
              out.line("this.end(reader);");
              out.line("goesOn = false;");
            });
          });
        });
      },
    );
    for (const state of [...this.states, ...this.parts]) {
      out.blank();
      state.print();
    }
  }

  /** Adds a state. What `body` prints returns whether the machine goes on. */
  state(entry: Label, preferred: string, body: () => void): void {
    entry.number = this.states.length;
    const name = this.names.claim(preferred);
    this.states.push({ name, print: () => this.method(name, ["reader: Reader"], body) });
  }

  goTo(label: Label): void {
    this.out.line(`this.state = ${label.number};`);
    this.out.line("return true;");
  }

  /** A method; what it uses of the private fields comes into variables first. */
  method(name: string, params: readonly string[], body: () => void, result: Part = "boolean"): void {
    const { out, context } = this;
    const lines = withoutUnused(out.capture(() => out.indented(body)));
    const text = lines.join("\n").replace(/#[\w$]+/g, "");
    const isUsed = (local: string): boolean =>
      mentions(text, local) &&
      !new RegExp(`(?:const|let) ${local.replaceAll("$", "\\$")}(?![\\w$])`).test(text);
    const reader = context.module.runtimeType("Reader");
    const given = mentions(text, "reader") ? "reader" : "_reader";
    const printed: Part[] = params.map((param) =>
      param === "reader: Reader" ? code`${given}: ${reader}` : param,
    );
    out.list(`#${name}(`, printed, ["): ", result, " {"]);
    out.indented(() => {
      if (mentions(text, "view")) out.line("const { view } = reader;");
      if (isUsed("handler")) out.line("const handler = this.#handler;");
      for (const { name: local } of context.parameters())
        if (isUsed(local)) out.line(`const ${local} = this.#${local};`);
      for (const { local } of this.kept) if (isUsed(local)) out.line(`const ${local} = this.#${local};`);
    });
    out.insert(lines);
    out.line("}");
  }

  /** The number of bytes left in the range; without a range that is known only when no more will come. */
  needRemaining(name: string, index = ""): void {
    const { out } = this;
    out.line("const remaining = this.remaining(reader);");
    out.block("if (remaining === undefined)", () => {
      out.line(`this.whole(reader, ${JSON.stringify(name)}${index});`);
      out.line("return false;");
    });
  }

  /** A number that bounds something. The compiler has made sure that it is not negative. */
  bound(expr: Expr, name: string): string {
    const { out } = this;
    const value =
      expr.rep === "bigint" ? code`Number(${expression(expr, this.env)})` : expression(expr, this.env);
    out.line(code`const ${name} = ${value};`);
    return name;
  }

  /** The private field with the absolute offset of a field that a constraint is about. */
  placeOf(field: Field): string {
    return `${this.context.local(field)}$At`;
  }

  printFunctions(): void {
    for (const print of this.functions) {
      this.out.blank();
      print();
    }
  }

  private keep(local: string, field: Field | undefined): void {
    const rep =
      field !== undefined && (field.type.kind === "int" || field.type.kind === "bits")
        ? field.type.int.rep
        : "number";
    this.kept.push({ local, initial: rep === "bigint" ? "0n" : "0" });
  }

  private local(path: readonly Field[]): string {
    const [first, ...others] = path;
    if (first === undefined) throw new Error("a field path is never empty");
    if (others.length === 0) return this.context.local(first);
    const found = this.referenced.local(path);
    if (found === undefined) throw new Error(`nothing is kept of ${first.name} and what is in it`);
    return found;
  }
}
