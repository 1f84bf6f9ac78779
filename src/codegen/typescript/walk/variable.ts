/** Fields of a size that is not constant. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code } from "../../printer.js";
import { goesOn } from "../expressions.js";
import type { ArrayWalker } from "./arrays.js";
import type { WalkBody } from "./body.js";

export class VariableWalker {
  private readonly body: WalkBody;
  private readonly arrays: ArrayWalker;

  constructor(body: WalkBody, arrays: ArrayWalker) {
    this.body = body;
    this.arrays = arrays;
  }

  /** A field of a size that is not constant. */
  field(field: Field): void {
    const { out, context } = this.body;
    const { type } = field;
    const from = this.body.variables.claim("from");
    if (this.needsPlace(field)) this.body.declare(from, "number", "reader.at");
    this.body.places.set(field, from);
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct": {
        const walk = context.module.feature("walk", type.struct);
        const whole = this.body.variables.claim("whole");
        out.line(code`visitor.open(${this.body.site(field)}, -1, reader.at);`);
        out.line(
          code`const ${whole} = ${walk}(reader, visitor${context.arguments(type.args, this.body.env)});`,
        );
        out.line("visitor.close(reader.at);");
        out.when(`!${whole}`, "return false;");
        this.body.declareNested(field, from, 0);
        break;
      }
      case "bytes":
      case "text":
        this.blobField(field, type, from);
        break;
      case "array":
        this.arrays.field(field, type, from);
        break;
    }
    if (field.role.kind === "reserved") {
      const failure = this.body.failure("reserved", field.name, from, field.line);
      out.when(`reader.strict && !reader.isZero(${from}, reader.at - ${from})`, "return ", failure, ";");
    }
  }

  /** Whether what is printed for a field of variable size, or for a constraint on it, refers to where it begins. */
  private needsPlace(field: Field): boolean {
    const { type, role } = field;
    if (role.kind === "reserved" || type.kind === "bytes" || type.kind === "text") return true;
    if (type.kind === "array" && (type.count.kind === "const" || type.count.kind === "expr")) return true;
    return this.body.referenced.constrained.has(field) || this.body.referenced.inside(field).length > 0;
  }

  private blobField(field: Field, type: FieldType & { readonly kind: "bytes" | "text" }, from: string): void {
    const { out } = this.body;
    const { count } = type;
    let size: string;
    switch (count.kind) {
      case "while":
        out.line("while (", goesOn(count.condition, this.body.env), ") reader.at++;");
        size = `reader.at - ${from}`;
        break;
      case "rest":
        out.when(code`${this.body.runtime("isCut")}(reader, visitor)`, "return false;");
        out.line("reader.at = reader.end;");
        size = `reader.at - ${from}`;
        break;
      default: {
        size = count.kind === "const" ? String(count.value) : this.body.bound(count.expr, "size");
        const lack = code`${this.body.runtime("reportLack")}(reader, visitor, ${JSON.stringify(field.name)}, ${from}, ${size}, ${SCHEMA_FILE}, ${field.line})`;
        out.when(`${size} > reader.end - ${from}`, "return ", lack, ";");
        out.line(`reader.at = ${from} + ${size};`);
      }
    }
    out.line(
      code`visitor.field(${this.body.site(field)}, -1, ${from}, ${size}, ${this.body.blob(type, from, "reader.at", size)});`,
    );
  }
}
