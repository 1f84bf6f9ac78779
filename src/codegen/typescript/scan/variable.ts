/** Bytes, text and arrays of a size that depends on the value. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { intervalOf } from "../../../schema/ranges.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import { type Body, named } from "../body.js";
import { needsCheck } from "../checks.js";
import { constantCount } from "../constant-size.js";
import { expression, goesOn } from "../expressions.js";
import { elementOf, insideArguments, pathText, wholeOf } from "../subject.js";
import { FixedScanner } from "./fixed.js";
import type { RunScanner } from "./run.js";

export class VariableScanner {
  private readonly body: Body;
  private readonly runs: RunScanner;
  private readonly fixed: FixedScanner;

  constructor(body: Body, runs: RunScanner) {
    this.body = body;
    this.runs = runs;
    this.fixed = new FixedScanner(body);
  }

  bytes(field: Field, { count }: FieldType & { kind: "bytes" | "text" }): void {
    const { out } = this.body;
    const reserved = field.role.kind === "reserved";
    switch (count.kind) {
      case "while":
        out.line("while (", goesOn(count.condition, this.body.env), ") reader.at++;");
        break;
      case "rest":
        if (reserved) this.runs.reserved(field, "reader.at", "reader.end - reader.at");
        out.line("reader.at = reader.end;");
        break;
      case "const":
      case "expr":
      case "bytes": {
        const expr = count.kind === "const" ? undefined : count.expr;
        const length =
          expr === undefined
            ? String(constantCount({ kind: "bytes", count }))
            : expression(expr, this.body.env);
        const size = named(this.body, "size", length);
        this.bounds(field, size, size);
        if (reserved) this.runs.reserved(field, `reader.at - ${size}`, size);
        break;
      }
    }
  }

  /** Checks that `size` bytes are there for the field and goes past them. */
  private bounds(field: Field, size: Part, taken: Part): void {
    const { out } = this.body;
    out.when(
      code`${size} > reader.end - reader.at`,
      code`return reader.lacks(${JSON.stringify(field.name)}, reader.at, ${size}, ${SCHEMA_FILE}, ${field.line});`,
    );
    if (taken !== "") out.line(code`reader.at += ${taken};`);
  }

  elements(field: Field, type: FieldType & { kind: "array" }): void {
    const { count, elementSize } = type;
    const fixed = elementSize.max === elementSize.min;
    const rest = (): void => {
      if (fixed) this.rest(field, type);
      else this.repeated(field, type, "reader.at < reader.end");
    };
    switch (count.kind) {
      case "const":
        this.counted(field, type, String(count.value), BigInt(count.value));
        break;
      case "expr": {
        const size = named(this.body, "count", expression(count.expr, this.body.env));
        this.counted(field, type, size, intervalOf(count.expr).max);
        break;
      }
      case "bytes":
        printWithin(this.body, expression(count.expr, this.body.env), field.name, field.line, rest);
        break;
      case "rest":
        rest();
        break;
      case "while":
        this.repeated(field, type, goesOn(count.condition, this.body.env));
        break;
    }
  }

  /** So many elements; there can be up to `most`. */
  private counted(field: Field, type: FieldType & { kind: "array" }, count: string, most: bigint): void {
    const { out } = this.body;
    const { min, max } = type.elementSize;
    const product = min === 1 ? count : `${count} * ${min}`;
    const exact = most * BigInt(min) <= BigInt(Number.MAX_SAFE_INTEGER);
    const need = named(this.body, "need", exact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`);
    if (min === max) {
      this.bounds(field, need, need);
      this.fixed.elements(type, count, `reader.at - ${need}`, 0, wholeOf(field));
      return;
    }
    this.bounds(field, need, "");
    const i = this.body.variables.claim("i");
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => this.element(field, type, i));
  }

  /** Elements of constant size up to the end of the range. */
  private rest(field: Field, type: FieldType & { kind: "array" }): void {
    const { out } = this.body;
    const size = type.elementSize.min;
    if (size === 1 && !needsCheck(type.element)) {
      out.line("reader.at = reader.end;");
      return;
    }
    const left = this.body.variables.claim("left");
    out.line(`const ${left} = reader.end - reader.at;`);
    if (size > 1) {
      out.when(
        `${left} % ${size} !== 0`,
        code`return ${this.body.context.module.runtime("partElement")}(reader, ${JSON.stringify(field.name)}, ${size}, ${SCHEMA_FILE}, ${field.line});`,
      );
    }
    out.line("reader.at = reader.end;");
    const what = wholeOf(field);
    this.fixed.elements(type, size === 1 ? left : `${left} / ${size}`, `reader.at - ${left}`, 0, what);
  }

  private repeated(field: Field, type: FieldType & { kind: "array" }, test: Part): void {
    const i = this.body.variables.claim("i");
    this.body.out.block(code`for (let ${i} = 0; ${test}; ${i}++)`, () => this.element(field, type, i));
  }

  /** One element at the cursor. */
  private element(
    field: Field,
    { element: type, elementSize }: FieldType & { kind: "array" },
    i: string,
  ): void {
    const { out, context } = this.body;
    const what = elementOf(wholeOf(field), i);
    if (elementSize.min === elementSize.max) {
      const at = this.body.variables.claim("at");
      out.line(`const ${at} = reader.at;`);
      out.when(
        `${elementSize.min} > reader.end - ${at}`,
        code`return reader.lacks(${pathText(what)}, ${at}, ${elementSize.min}, ${SCHEMA_FILE}, ${field.line});`,
      );
      out.line(`reader.at = ${at} + ${elementSize.min};`);
      this.fixed.value(type, at, 0, what);
      return;
    }
    if (type.kind !== "struct") throw new Error("only structs have a size that is not constant");
    out.when(
      code`!${context.module.feature("scan", type.struct)}(reader${context.arguments(type.args, this.body.env)})`,
      `return reader.inside(${insideArguments(what)});`,
    );
  }
}

/** What `inside` prints is bounded to `length` bytes and must use them up. */
export function printWithin(body: Body, length: Part, name: string, line: number, inside: () => void): void {
  const { out, variables } = body;
  const { module } = body.context;
  const outer = variables.claim("outer");
  const where = `${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line}`;
  out.line(`const ${outer} = reader.end;`);
  out.when(code`!${module.runtime("narrow")}(reader, ${length}, ${where})`, "return false;");
  inside();
  out.when(code`!${module.runtime("widen")}(reader, ${outer}, ${where})`, "return false;");
}
