/** Values of constant size that are there: only what is in them is checked. */
import type { FieldType } from "../../../schema/ir.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { needsCheck } from "../checks.js";
import { constantCount } from "../constant-size.js";
import { isInexactAt, isWideNumber, place, rawInteger } from "../integers.js";
import { elementOf, insideArguments, pathText, type Subject } from "../subject.js";
import { closedEnumOf } from "../types.js";

export class FixedScanner {
  private readonly body: Body;

  constructor(body: Body) {
    this.body = body;
  }

  /** A value of constant size that is there: only what is in it is checked. */
  value(type: FieldType, base: Part, offset: number, what: Subject): void {
    const { out, context } = this.body;
    if (!needsCheck(type)) return;
    const here = place(base, offset);
    switch (type.kind) {
      case "struct": {
        const scan = context.module.feature("scanAt", type.struct);
        const inside = `return reader.inside(${insideArguments(what)});`;
        out.when(code`!${scan}(reader, ${here}${context.arguments(type.args, this.body.env)})`, inside);
        break;
      }
      case "int": {
        const raw = rawInteger(type.int, "view", here, context);
        const where = code`${pathText(what)}, ${here}, ${SCHEMA_FILE}, ${what.line}`;
        if (isWideNumber(type.int))
          out.when(
            isInexactAt(type.int, "view", here, context),
            code`return reader.fail("range", ${where});`,
          );
        const closed = closedEnumOf(type);
        if (closed !== undefined) {
          out.when(
            code`!${context.module.feature("is", closed)}(${raw})`,
            code`return reader.fail("enum", ${where}, String(${raw}));`,
          );
        }
        break;
      }
      case "array":
        this.elements(type, String(constantCount(type)), base, offset, what);
        break;
      default:
        break;
    }
  }

  elements(
    type: FieldType & { kind: "array" },
    count: Part,
    base: Part,
    offset: number,
    what: Subject,
  ): void {
    const { out } = this.body;
    if (!needsCheck(type.element)) return;
    const i = this.body.variables.claim("i");
    const next = this.body.variables.claim("next");
    out.line(`let ${next} = `, place(base, offset), ";");
    out.block(code`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      this.value(type.element, next, 0, elementOf(what, i));
      out.line(`${next} += ${type.elementSize.min};`);
    });
  }
}
