/** Values of constant size, for which there is room. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { constantCount } from "../constant-size.js";
import { place, writeInteger } from "../integers.js";
import { elementOf, insideArguments, pathText, type Subject, schemaLine } from "../subject.js";
import { closedEnumOf } from "../types.js";
import { checkFits, checkMember, misfits } from "./fits.js";
import type { Lengths } from "./lengths.js";

export class FixedWriter {
  private readonly body: Body;
  private readonly lengths: Lengths;

  constructor(body: Body, lengths: Lengths) {
    this.body = body;
    this.lengths = lengths;
  }

  /** A value of constant size, for which there is room. */
  value(type: FieldType, value: Part, base: Part, offset: number, view: string, what: Subject): void {
    const { out, context } = this.body;
    const here = place(base, offset);
    switch (type.kind) {
      case "int": {
        const bits = type.int.signed ? -type.int.bits : type.int.bits;
        const entry = code`[${pathText(what)}, ${bits}, 0, ${what.line}]`;
        checkFits(this.body, [{ misfits: misfits(type.int, type.int.bits, value), entry, value }], here);
        const closed = closedEnumOf(type);
        if (closed !== undefined) checkMember(this.body, closed, value, pathText(what), here, what.line);
        out.line(writeInteger(type.int, view, here, value, context));
        break;
      }
      case "bits":
        throw new Error("a bit field is not a value of its own");
      case "bytes":
        this.lengths.check(value, String(constantCount(type)), "bytes", what, here);
        out.line(code`writer.bytes.set(${value}, ${here});`);
        break;
      case "text":
        this.text(value, here, String(constantCount(type)), what);
        break;
      case "struct":
        this.nested(what, () => {
          const write = context.module.feature("writeAt", type.struct);
          out.line(code`${write}(writer, ${here}, ${value}${context.arguments(type.args, this.body.env)});`);
        });
        break;
      case "array":
        this.lengths.check(value, String(constantCount(type)), "elements", what, here);
        this.elements(type, value, here, view, what);
        break;
    }
  }

  /** Errors of what `print` prints are told what it is called here. */
  nested(what: Subject, print: () => void): void {
    const { out, context } = this.body;
    out.line("try {");
    out.indented(print);
    out.line("} catch (error) {");
    out.indented(() =>
      out.line(code`throw ${context.module.runtime("inside")}(error, ${insideArguments(what)});`),
    );
    out.line("}");
  }

  text(value: Part, at: Part, size: Part, what: Subject): void {
    this.body.out.when(
      code`!${this.body.context.module.runtime("writeText")}(writer.bytes, ${at}, ${size}, ${value})`,
      code`throw writer.error("range", ${pathText(what)}, ${at}, ${schemaLine(what.line)}, JSON.stringify(${value}));`,
    );
  }

  /** Elements of constant size, for which there is room from `at` on. */
  elements(type: FieldType & { kind: "array" }, value: Part, at: Part, view: string, what: Subject): void {
    const { out } = this.body;
    const size = type.elementSize.min;
    const start = typeof at === "string" ? at : this.body.variables.claim("start");
    if (start !== at) out.line(code`const ${start} = ${at};`);
    const next = this.body.variables.claim("next");
    const item = this.body.variables.claim("item");
    const index = size === 1 ? `${next} - ${start}` : `(${next} - ${start}) / ${size}`;
    const each = elementOf(what, index);
    out.line(`let ${next} = ${start};`);
    const loop = (body: () => void): void => {
      out.block(code`for (const ${item} of ${value})`, () => {
        body();
        out.line(`${next} += ${size};`);
      });
    };
    const { element: of } = type;
    if (of.kind !== "struct") {
      loop(() => this.value(of, item, next, 0, view, each));
      return;
    }
    // One `try` around the loop, not one for each element.
    this.nested(each, () => {
      loop(() => {
        const write = this.body.context.module.feature("writeAt", of.struct);
        out.line(
          code`${write}(writer, ${next}, ${item}${this.body.context.arguments(of.args, this.body.env)});`,
        );
      });
    });
  }
}

/** Bytes as they were, or zeros. */
export function writeReserved({ out, context }: Body, field: Field, at: Part, size: Part): void {
  const name = JSON.stringify(field.name);
  out.line(
    code`${context.module.runtime("writeReserved")}(writer, ${context.local(field)}, ${at}, ${size}, ${name}, ${SCHEMA_FILE}, ${field.line});`,
  );
}

/** Declares \`view\` in front of what \`print\` prints, if that uses it. */
export function withView({ out }: Body, view: string, print: () => void): void {
  const lines = out.capture(print);
  if (lines.some((line) => line.includes(view)))
    out.line(view === "view" ? "const { view } = writer;" : `const ${view} = writer.view;`);
  out.insert(lines);
}
