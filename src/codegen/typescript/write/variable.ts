/** Fields of a size that is not constant. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { looksAhead } from "../../../schema/reads.js";
import { allNodes } from "../../../schema/structure.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { elementOf, type Subject, wholeOf } from "../subject.js";
import type { DerivedFields } from "./derived.js";
import { type FixedWriter, withView, writeReserved } from "./fixed.js";
import type { Lengths } from "./lengths.js";
import type { Presence } from "./presence.js";

export class VariableWriter {
  private readonly body: Body;
  private readonly derived: DerivedFields;
  private readonly presence: Presence;
  private readonly lengths: Lengths;
  private readonly fixed: FixedWriter;
  private readonly places: Map<Field, Part>;

  /** `places`: where fields lie, for errors. */
  constructor(
    body: Body,
    derived: DerivedFields,
    presence: Presence,
    lengths: Lengths,
    fixed: FixedWriter,
    places: Map<Field, Part>,
  ) {
    this.body = body;
    this.derived = derived;
    this.presence = presence;
    this.lengths = lengths;
    this.fixed = fixed;
    this.places = places;
  }

  /** A field of a size that is not constant. */
  value(field: Field, value: string): void {
    const { out, context } = this.body;
    const { type, role } = field;
    if (field.conditional && role.kind === "value") this.presence.missing(field, field.name, field.line);
    if (this.isConstrained(field)) {
      const from = this.body.variables.claim("from");
      out.line(`const ${from} = writer.at;`);
      this.places.set(field, from);
    }
    const what = wholeOf(field);
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct":
        this.fixed.nested(what, () => {
          const write = context.module.feature("write", type.struct);
          out.line(code`${write}(writer, ${value}${context.arguments(type.args, this.body.env)});`);
        });
        break;
      case "bytes":
        if (role.kind === "reserved") {
          this.reservedBytes(field, type, value);
          break;
        }
        this.lengths.checkCount(field, type, value, what);
        out.line(`writer.put(${value});`);
        break;
      case "text": {
        this.lengths.checkCount(field, type, value, what);
        const at = this.body.variables.claim("start");
        out.line(`const ${at} = writer.take(${value}.length);`);
        this.fixed.text(value, at, `${value}.length`, what);
        break;
      }
      case "array":
        this.elements(field, type, value, what);
        break;
    }
  }

  private isConstrained(field: Field): boolean {
    return allNodes(this.body.context.struct.nodes).some(
      (node) => node.kind === "where" && node.field === field,
    );
  }

  private reservedBytes(field: Field, { count }: FieldType & { kind: "bytes" }, value: string): void {
    const known =
      (count.kind === "expr" || count.kind === "bytes") &&
      !looksAhead(count.expr) &&
      !this.derived.isMeasured(field);
    const size = this.body.variables.claim("size");
    this.body.out.line(
      `const ${size} = `,
      known ? this.lengths.number(count.expr) : `${value}?.length ?? 0`,
      ";",
    );
    writeReserved(this.body, field, `writer.take(${size})`, size);
  }

  private elements(field: Field, type: FieldType & { kind: "array" }, value: string, what: Subject): void {
    const { out, context } = this.body;
    const { min, max } = type.elementSize;
    this.lengths.checkCount(field, type, value, what);
    if (min === max) {
      const start = this.body.variables.claim("start");
      const view = this.body.variables.claim("view");
      out.line(`const ${start} = writer.take(${value}.length${min === 1 ? "" : ` * ${min}`});`);
      withView(this.body, view, () => this.fixed.elements(type, value, start, view, what));
      return;
    }
    const { element: of } = type;
    if (of.kind !== "struct") throw new Error("only structs have a size that is not constant");
    const item = this.body.variables.claim("item");
    const i = this.body.variables.claim("i");
    const exact =
      type.count.kind === "bytes" && !this.derived.isMeasured(field) && !looksAhead(type.count.expr);
    const from = exact ? this.body.variables.claim("from") : "";
    if (exact) out.line(`const ${from} = writer.at;`);
    out.line(`let ${i} = 0;`);
    this.fixed.nested(elementOf(what, i), () => {
      out.block(`for (const ${item} of ${value})`, () => {
        out.line(
          code`${context.module.feature("write", of.struct)}(writer, ${item}${context.arguments(of.args, this.body.env)});`,
        );
        out.line(`${i}++;`);
      });
    });
    if (exact && type.count.kind === "bytes")
      this.lengths.checkSize(from, type.count.expr, field.name, field.line);
  }
}
