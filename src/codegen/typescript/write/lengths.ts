/** How much there is of a value: it must be what the other fields say, where it is not they that follow it. */
import type { Expr, Field, FieldType } from "../../../schema/ir.js";
import { looksAhead } from "../../../schema/reads.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { expression, negation } from "../expressions.js";
import { pathText, type Subject } from "../subject.js";
import type { DerivedFields } from "./derived.js";

export class Lengths {
  private readonly body: Body;
  private readonly derived: DerivedFields;

  constructor(body: Body, derived: DerivedFields) {
    this.body = body;
    this.derived = derived;
  }

  check(value: Part, needed: Part, unit: "bytes" | "elements" | "characters", what: Subject, at: Part): void {
    const error = code`${this.body.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, ${at}, ${SCHEMA_FILE}, ${what.line}, ${needed}, ${value}.length, "${unit}")`;
    this.body.out.when(code`${value}.length !== ${needed}`, "throw ", error, ";");
  }

  /** The number of elements or bytes is what the other fields say, where it is not they that follow it. */
  checkCount(
    field: Field,
    type: FieldType & { kind: "bytes" | "text" | "array" },
    value: string,
    what: Subject,
  ): void {
    const { count } = type;
    if (this.derived.isMeasured(field)) return;
    const unit = type.kind === "text" ? "characters" : type.kind === "bytes" ? "bytes" : "elements";
    switch (count.kind) {
      case "const":
        this.check(value, String(count.value), unit, what, "writer.at");
        break;
      case "expr":
        if (!looksAhead(count.expr)) this.check(value, this.number(count.expr), unit, what, "writer.at");
        break;
      case "bytes": {
        // Elements of different sizes are counted when they have been written.
        if (
          looksAhead(count.expr) ||
          (type.kind === "array" && type.elementSize.min !== type.elementSize.max)
        )
          break;
        const size = type.kind === "array" ? type.elementSize.min : 1;
        const needed = this.number(count.expr);
        const error = code`${this.body.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, writer.at, ${SCHEMA_FILE}, ${what.line}, ${needed}, ${value}.length * ${size}, "bytes")`;
        this.body.out.when(code`${value}.length * ${size} !== ${needed}`, "throw ", error, ";");
        break;
      }
      case "while":
        // Where the condition does not depend on what is left, it says "all" or "none".
        if (!looksAhead(count.condition)) {
          const error = code`${this.body.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, writer.at, ${SCHEMA_FILE}, ${what.line}, 0, ${value}.length, "${unit}")`;
          this.body.out.when(
            code`${value}.length > 0 && ${negation(count.condition, this.body.env)}`,
            "throw ",
            error,
            ";",
          );
        }
        break;
      case "rest":
        break;
    }
  }

  /** An expression as a number that an `!==` may follow. */
  number(expr: Expr): Part {
    if (expr.rep === "bigint") return code`Number(${expression(expr, this.body.env)})`;
    const simple = expr.kind === "field" || expr.kind === "param" || expr.kind === "int";
    return simple ? expression(expr, this.body.env) : ["(", expression(expr, this.body.env), ")"];
  }

  checkSize(from: string, length: Expr, name: string, line: number): void {
    const needed = this.number(length);
    const error = code`${this.body.context.module.runtime("wrongLength")}(writer, ${JSON.stringify(name)}, ${from}, ${SCHEMA_FILE}, ${line}, ${needed}, writer.at - ${from}, "bytes")`;
    this.body.out.when(code`writer.at - ${from} !== ${needed}`, "throw ", error, ";");
  }
}
