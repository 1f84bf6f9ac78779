/** Values of a size that depends on the value. */
import type { Expr, Field, FieldType } from "../../../schema/ir.js";
import { code, type Part } from "../../printer.js";
import { type Body, named } from "../body.js";
import { expression, goesOn } from "../expressions.js";
import { valueType } from "../types.js";
import type { FixedReader } from "./fixed.js";
import type { KeptValues } from "./kept.js";
import type { RunReader } from "./run.js";

/** An element of an array takes 8 bytes in memory. Twice the input is the most that is allocated on its word. */
const SMALLEST_PREALLOCATED = 4;

export class VariableReader {
  private readonly body: Body;
  private readonly fixed: FixedReader;
  private readonly kept: KeptValues;
  private readonly runs: RunReader;

  constructor(body: Body, fixed: FixedReader, kept: KeptValues, runs: RunReader) {
    this.body = body;
    this.fixed = fixed;
    this.kept = kept;
    this.runs = runs;
  }

  /** A value of a size that is not constant. Prints what must be done first and gives the expression. */
  value(field: Field): Part {
    const { type } = field;
    const { context } = this.body;
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct":
        return code`${context.module.feature("read", type.struct)}(reader${context.arguments(type.args, this.body.env)})`;
      case "bytes":
        return this.bytes(field, type);
      case "text": {
        if (type.count.kind === "while") {
          const from = this.whileBytes(type.count.condition);
          return code`${context.module.runtime("readText")}(reader.bytes, ${from}, reader.at - ${from})`;
        }
        const size = named(this.body, "size", this.byteCount(field, type));
        return code`${context.module.runtime("readText")}(reader.bytes, reader.take(${size}), ${size})`;
      }
      case "array":
        return this.elements(field, type);
    }
  }

  /** Goes past bytes as long as a condition holds, and gives the variable that holds where they begin. */
  private whileBytes(condition: Expr): string {
    const { out } = this.body;
    const from = this.body.variables.claim("from");
    out.line(`const ${from} = reader.at;`);
    out.line("while (", goesOn(condition, this.body.env), ") reader.at++;");
    return from;
  }

  private bytes(field: Field, type: FieldType & { kind: "bytes" }): Part {
    const { count } = type;
    const { out } = this.body;
    if (count.kind === "while") {
      const from = this.whileBytes(count.condition);
      return `reader.bytes.subarray(${from}, reader.at)`;
    }
    if (field.role.kind === "reserved") {
      // How many there are may be written nowhere else: they are kept even when they are zero.
      const size = named(this.body, "size", this.byteCount(field, type));
      const at = this.body.variables.claim("at");
      out.line(`const ${at} = reader.take(${size});`);
      this.runs.strictly(field, at, size);
      return `reader.bytes.subarray(${at}, ${at} + ${size})`;
    }
    return count.kind === "rest" ? "reader.rest()" : code`reader.slice(${this.byteCount(field, type)})`;
  }

  /** How many bytes, or characters of one byte. */
  private byteCount(field: Field, { count }: FieldType & { kind: "bytes" | "text" }): Part {
    switch (count.kind) {
      case "const":
        return String(count.value);
      case "expr":
      case "bytes":
        return expression(count.expr, this.body.env);
      case "rest":
        return "reader.end - reader.at";
      case "while":
        throw new Error(`${field.name}: text does not end by a condition`);
    }
  }

  private elements(field: Field, type: FieldType & { kind: "array" }): Part {
    const { out } = this.body;
    const { count, elementSize } = type;
    const fixed = elementSize.max === elementSize.min;
    switch (count.kind) {
      case "const":
        return this.counted(type, String(count.value), field);
      case "expr": {
        const size = named(this.body, "count", expression(count.expr, this.body.env));
        return this.counted(type, size, field);
      }
      case "bytes": {
        const outer = this.body.variables.claim("outer");
        out.line(code`const ${outer} = reader.enter(${expression(count.expr, this.body.env)});`);
        const list = fixed ? this.rest(type, field) : this.repeated(type, "reader.at < reader.end", field);
        out.line(`reader.leave(${outer});`);
        return list;
      }
      case "rest":
        return fixed ? this.rest(type, field) : this.repeated(type, "reader.at < reader.end", field);
      case "while":
        return this.repeated(type, goesOn(count.condition, this.body.env), field);
    }
  }

  /** So many elements. */
  private counted(type: FieldType & { kind: "array" }, count: string, field: Field): Part {
    const { out } = this.body;
    const { min, max } = type.elementSize;
    if (min === max) {
      const start = this.body.variables.claim("start");
      out.line(`const ${start} = reader.take(${count} * ${min});`);
      return this.fixed.elements(type, count, start, 0, field.name, this.kept.listOf(field));
    }
    const list = this.kept.listOf(field);
    const i = this.body.variables.claim("i");
    const element = valueType(type.element, this.body.context.module);
    // Before anything is allocated: the count may be anything.
    out.line(
      this.body.context.module.runtime("needBytes"),
      `(reader, ${min === 1 ? count : `${count} * ${min}`});`,
    );
    // Room for very small elements would be many times the size of the input, which may yet turn out to be short.
    const roomy = min < SMALLEST_PREALLOCATED;
    out.line(code`const ${list}: ${element}[] = ${roomy ? "[]" : `new Array(${count})`};`);
    const loop = `for (let ${i} = 0; ${i} < ${count}; ${i}++) ${list}`;
    if (roomy) out.line(loop, ".push(", this.element(type), ");");
    else out.line(loop, `[${i}] = `, this.element(type), ";");
    return list;
  }

  /** Elements of constant size up to the end of the range. */
  private rest(type: FieldType & { kind: "array" }, field: Field): Part {
    const size = this.body.variables.claim("count");
    this.body.out.line(
      `const ${size} = `,
      this.body.context.module.runtime("wholeElements"),
      `(reader, ${type.elementSize.min});`,
    );
    return this.counted(type, size, field);
  }

  private repeated(type: FieldType & { kind: "array" }, test: Part, field: Field): Part {
    const { out } = this.body;
    const list = this.kept.listOf(field);
    const element = valueType(type.element, this.body.context.module);
    out.line(code`const ${list}: ${element}[] = [];`);
    if (type.elementSize.min === type.elementSize.max) {
      const next = this.body.variables.claim("next");
      out.block(code`while (${test})`, () => {
        out.line(`const ${next} = reader.take(${type.elementSize.min});`);
        out.line(code`${list}.push(${this.fixed.value(type.element, next, 0, field.name)});`);
      });
    } else {
      out.line(code`while (${test}) ${list}.push(${this.element(type)});`);
    }
    return list;
  }

  /** One element of a size that is not constant. */
  private element({ element }: FieldType & { kind: "array" }): Part {
    if (element.kind !== "struct") throw new Error("only structs have a size that is not constant");
    return code`${this.body.context.module.feature("read", element.struct)}(reader${this.body.context.arguments(element.args, this.body.env)})`;
  }
}
