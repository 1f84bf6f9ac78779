/** What the printers of the parts of a walk share: what is known where they print, and how they say that something is wrong. */
import type { Expr, Field, FieldType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import { type Body, readingEnvironment } from "../body.js";
import type { StructContext, Variables } from "../context.js";
import { type Environment, expression } from "../expressions.js";
import { descend, rawValue } from "../memory.js";
import { Referenced } from "../referenced.js";
import { siteOf } from "../sites.js";

/** A variable of the function. The function for the body of a range is given those that it uses. */
export interface Local {
  readonly name: string;
  readonly type: Part;
}

export class WalkBody implements Body {
  readonly out: Printer;
  readonly context: StructContext;
  readonly variables: Variables;
  readonly env: Environment;
  readonly referenced: Referenced;
  /** Where the fields lie that have been gone past. */
  readonly places = new Map<Field, Part>();
  /** The variables that have been declared so far where the printer is. */
  readonly locals: Local[];

  constructor(out: Printer, context: StructContext) {
    this.out = out;
    this.context = context;
    this.variables = context.variables();
    this.referenced = new Referenced(context.struct, this.variables);
    this.env = readingEnvironment(context, this.referenced);
    this.locals = [...context.parameters()];
  }

  reader(): Local {
    return { name: "reader", type: this.context.module.runtimeType("Reader") };
  }

  visitor(): Local {
    return { name: "visitor", type: this.context.module.runtimeType("Visitor") };
  }

  runtime(name: string): Part {
    return this.context.module.runtime(name);
  }

  /** Declares a variable that what follows may use. */
  declare(name: string, type: Part, value: Part): string {
    this.out.line(code`const ${name} = ${value};`);
    this.locals.push({ name, type });
    return name;
  }

  /** What is declared inside is not known outside. */
  scoped(print: () => void): void {
    const known = this.locals.length;
    print();
    this.locals.length = known;
  }

  /** An expression that reports a fault and is false. */
  failure(fault: string, name: string, at: Part, line: number, detail: Part = ""): Part {
    const what = code`${JSON.stringify(fault)}, ${JSON.stringify(name)}, ${at}, ${SCHEMA_FILE}, ${line}`;
    return code`reader.fail(${what}${detail === "" ? "" : [", ", detail]}) || ${this.runtime("report")}(reader, visitor)`;
  }

  /** A range of `length` bytes; what `walk` prints goes through it and declares whether it came to its end. */
  within(length: string, path: string, line: number, walk: (inner: string, whole: string) => void): string {
    const { out, variables } = this;
    const from = variables.claim("from");
    const outer = variables.claim("outer");
    const inner = variables.claim("inner");
    const whole = variables.claim("whole");
    out.line(`const ${from} = reader.at;`);
    out.line(`const ${outer} = reader.end;`);
    out.line(`const ${inner} = `, this.runtime("enterRange"), `(reader, visitor, ${length});`);
    walk(inner, whole);
    const where = `${JSON.stringify(path)}, ${SCHEMA_FILE}, ${line}`;
    const leave = code`${this.runtime("leaveRange")}(reader, visitor, ${whole}, ${from}, ${length}, ${outer}, ${where})`;
    out.when(code`!${leave}`, "return false;");
    return whole;
  }

  /** A number that bounds something, in a variable. The compiler has made sure that it is not negative. */
  bound(expr: Expr, name: string): string {
    const value =
      expr.rep === "bigint" ? code`Number(${expression(expr, this.env)})` : expression(expr, this.env);
    const text = this.out.text(value);
    const isNamed = /^[\w$]+$/.test(text) && !/^\d/.test(text);
    return isNamed ? text : this.declare(this.variables.claim(name), "number", text);
  }

  site(field: Field): string {
    return siteOf(field, this.context);
  }

  /** Bytes or text that is there. */
  blob(
    type: FieldType & { readonly kind: "bytes" | "text" },
    from: Part,
    to: Part,
    size: Part | number,
  ): Part {
    if (type.kind === "bytes") return code`reader.bytes.subarray(${from}, ${to})`;
    return code`${this.runtime(type.padded ? "readPaddedText" : "readText")}(reader.bytes, ${from}, ${size})`;
  }

  /** Makes variables of what expressions read inside a nested struct whose place is known. */
  declareNested(field: Field, at: string, offset: number): void {
    for (const { path, local } of this.referenced.inside(field)) {
      const located = descend(
        { field, base: at, offset, bits: undefined, orders: this.context },
        path.slice(1),
      );
      const { type } = located.field;
      const rep = type.kind === "int" || type.kind === "bits" ? type.int.rep : "number";
      this.declare(local, rep, rawValue(located, "view"));
    }
  }
}
