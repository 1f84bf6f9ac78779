/** Values of constant size that are there. */
import type { FieldType, IntType } from "../../../schema/ir.js";
import { code, type Part } from "../../printer.js";
import type { Body } from "../body.js";
import { constantCount } from "../constant-size.js";
import { isInexact, isWideNumber, place, writtenOut } from "../integers.js";
import { closedEnumOf, valueType } from "../types.js";

export class FixedReader {
  private readonly body: Body;

  constructor(body: Body) {
    this.body = body;
  }

  /** A value of a closed enum goes through a variable, which the guard narrows. */
  guarded(type: FieldType, value: Part, here: Part, name: string): Part {
    const closed = closedEnumOf(type);
    if (closed === undefined) return value;
    const member = this.body.variables.claim("member");
    this.body.out.line(code`const ${member} = ${value};`);
    this.body.out.when(
      code`!${this.body.context.module.feature("is", closed)}(${member})`,
      code`throw reader.error("enum", ${JSON.stringify(name)}, ${here});`,
    );
    return member;
  }

  /**
   * A value of constant size. Prints what must be done first and gives the expression. `variable`: what may be declared
   * for it, where the function knows of other variables than this reader's.
   */
  value(type: FieldType, base: Part, offset: number, name: string, variable?: string): Part {
    const { context } = this.body;
    const here = place(base, offset);
    switch (type.kind) {
      case "int":
        return this.guarded(type, this.integer(type.int, here, name, variable), here, name);
      case "bits":
        throw new Error("a bit field is not a value of its own");
      case "bytes":
        return code`reader.bytes.subarray(${here}, ${place(base, offset + constantCount(type))})`;
      case "text": {
        const read = context.module.runtime(type.padded ? "readPaddedText" : "readText");
        return code`${read}(reader.bytes, ${here}, ${constantCount(type)})`;
      }
      case "struct":
        return code`${context.module.feature("readAt", type.struct)}(reader, ${here}${context.arguments(type.args, this.body.env)})`;
      case "array":
        return this.elements(type, String(constantCount(type)), base, offset, name);
    }
  }

  private integer(int: IntType, here: Part, name: string, variable?: string): Part {
    const raw = writtenOut(int, "view", here, this.body.context);
    if (!isWideNumber(int)) return raw;
    const number = variable ?? this.body.variables.claim("number");
    this.body.out.line(code`const ${number} = ${raw};`);
    this.body.out.when(
      isInexact(int, number),
      code`throw reader.error("range", ${JSON.stringify(name)}, ${here});`,
    );
    return number;
  }

  /** Elements of constant size, all of which are known to be there. */
  elements(
    type: FieldType & { kind: "array" },
    count: Part,
    base: Part,
    offset: number,
    name: string,
    list: string = this.body.variables.claim("list"),
  ): Part {
    const { out } = this.body;
    const i = this.body.variables.claim("i");
    const next = this.body.variables.claim("next");
    const size = type.elementSize.min;
    const element = valueType(type.element, this.body.context.module);
    out.line(code`const ${list}: ${element}[] = new Array(${count});`);
    out.line(`let ${next} = `, place(base, offset), ";");
    out.block(code`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      out.line(code`${list}[${i}] = ${this.value(type.element, next, 0, name)};`);
      out.line(`${next} += ${size};`);
    });
    return list;
  }
}
