/** Arrays: those elements that are there are shown, even if there are fewer than there should be. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { intervalOf } from "../../../schema/ranges.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import { constantCount } from "../constant-size.js";
import { goesOn } from "../expressions.js";
import { isInexact, isWideNumber, rawInteger } from "../integers.js";
import { closedEnumOf } from "../types.js";
import type { WalkBody } from "./body.js";

/** The loop over an array that is being printed. */
interface Loop {
  readonly field: Field;
  /** The variable that ends the loop when it becomes false. */
  readonly whole: string;
  /** The visitor that is told about faults. */
  readonly visitor: string;
  /** Somebody else has reported already that there are too few bytes. */
  readonly bounded: boolean;
}

export class ArrayWalker {
  private readonly body: WalkBody;

  constructor(body: WalkBody) {
    this.body = body;
  }

  field(field: Field, type: FieldType & { readonly kind: "array" }, from: string): void {
    const { out } = this.body;
    const { count } = type;
    switch (count.kind) {
      case "const":
        this.counted(field, type, from, String(count.value), BigInt(count.value));
        break;
      case "expr":
        this.counted(field, type, from, this.body.bound(count.expr, "count"), intervalOf(count.expr).max);
        break;
      case "bytes": {
        const length = this.body.bound(count.expr, "length");
        this.body.within(length, field.name, field.line, (inner, whole) =>
          this.rest(field, type, inner, whole),
        );
        break;
      }
      case "rest": {
        const whole = this.body.variables.claim("whole");
        this.rest(field, type, "visitor", whole);
        out.when(`!${whole}`, "return false;");
        break;
      }
      case "while": {
        const whole = this.body.variables.claim("whole");
        const test = goesOn(count.condition, this.body.env);
        if (type.element.kind === "array") {
          this.whileRows(field, type, whole, test);
          break;
        }
        this.array(field, type, { field, whole, visitor: "visitor", bounded: false }, test);
        out.when(`!${whole}`, "return false;");
        break;
      }
    }
  }

  /** So many elements; there can be up to `most`. Those that are there are shown, even if there are fewer. */
  private counted(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    from: string,
    count: string,
    most: bigint,
  ): void {
    const { out } = this.body;
    const { min } = type.elementSize;
    const product = min === 1 ? count : `${count} * ${min}`;
    const isExact = most * BigInt(min) <= BigInt(Number.MAX_SAFE_INTEGER);
    const need = this.body.variables.claim("need");
    const inner = this.body.variables.claim("inner");
    const whole = this.body.variables.claim("whole");
    out.line(`const ${need} = ${isExact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`};`);
    const tooFew = `${need} > reader.end - ${from}`;
    if (canFailIn(type.element))
      out.line(`const ${inner} = `, this.body.runtime("heeding"), `(reader, visitor, ${tooFew});`);
    this.array(field, type, { field, whole, visitor: inner, bounded: true }, `i < ${count}`);
    const where = code`${JSON.stringify(field.name)}, ${from}, ${need}, ${SCHEMA_FILE}, ${field.line}`;
    out.when(tooFew, code`return ${this.body.runtime("reportLack")}(reader, visitor, ${where});`);
    out.when(`!${whole}`, "return false;");
  }

  /** Rows of a constant size as long as `test` holds. What is missing in the last one is missing in the row as a whole. */
  private whileRows(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    whole: string,
    test: Part,
  ): void {
    const { out } = this.body;
    const { min } = type.elementSize;
    const from = this.body.variables.claim("from");
    out.line(`const ${from} = reader.at;`);
    const fits = code`${test} && ${min} <= reader.end - reader.at`;
    this.array(field, type, { field, whole, visitor: "visitor", bounded: true }, fits);
    out.when(`!${whole}`, "return false;");
    const path = `\`${field.name}[\${(reader.at - ${from}) / ${min}}]\``;
    const where = code`${path}, reader.at, ${min}, ${SCHEMA_FILE}, ${field.line}`;
    out.when(test, code`return ${this.body.runtime("reportLack")}(reader, visitor, ${where});`);
  }

  /** Elements up to the end of the range. Declares `whole`. */
  private rest(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    visitor: string,
    whole: string,
  ): void {
    const { out } = this.body;
    const { min, max } = type.elementSize;
    if (min !== max || min === 1) {
      this.array(field, type, { field, whole, visitor, bounded: min === max }, "reader.at < reader.end");
      return;
    }
    const left = this.body.variables.claim("left");
    const heeding = this.body.variables.claim("inner");
    out.line(`const ${left} = reader.end - reader.at;`);
    if (canFailIn(type.element)) {
      out.line(
        `const ${heeding} = `,
        this.body.runtime("heeding"),
        `(reader, ${visitor}, ${left} % ${min} !== 0);`,
      );
    }
    const all = this.body.variables.claim("all");
    this.array(
      field,
      type,
      { field, whole: all, visitor: heeding, bounded: true },
      `${min} <= reader.end - reader.at`,
    );
    const path = `\`${field.name}[\${Math.floor(${left} / ${min})}]\``;
    const where = code`${path}, reader.end - (${left} % ${min}), ${min}, ${SCHEMA_FILE}, ${field.line}`;
    const part = code`${this.body.runtime("reportLack")}(reader, ${visitor}, ${where})`;
    out.line(code`const ${whole} = ${left} % ${min} === 0 ? ${all} : ${part};`);
  }

  /** Opens the array, goes through its elements while `test` holds, and declares whether all were whole. */
  array(field: Field, type: FieldType & { readonly kind: "array" }, loop: Loop, test: Part): void {
    const { out } = this.body;
    out.line(code`visitor.open(${this.body.site(field)}, -1, reader.at);`);
    out.line(`let ${loop.whole} = true;`);
    out.block(code`for (let i = 0; ${loop.whole} && ${test}; i++)`, () =>
      this.body.scoped(() => this.element(type.element, loop, "i", `[\${i}]`)),
    );
    out.line("visitor.close(reader.at);");
  }

  /** One element at the cursor. `path` is the inside of a template literal. */
  private element(type: FieldType, loop: Loop, i: string, path: string): void {
    const { out, context } = this.body;
    const site = this.body.site(loop.field);
    if (type.kind === "struct") {
      const walk = context.module.feature("walk", type.struct);
      out.line(`visitor.open(${site}, ${i}, reader.at);`);
      out.line(
        code`${loop.whole} = ${walk}(reader, ${loop.visitor}${context.arguments(type.args, this.body.env)});`,
      );
      out.line("visitor.close(reader.at);");
      return;
    }
    if (type.kind === "array") {
      const j = String.fromCharCode(i.charCodeAt(0) + 1);
      out.line(`visitor.open(${site}, ${i}, reader.at);`);
      out.block(`for (let ${j} = 0; ${loop.whole} && ${j} < ${constantCount(type)}; ${j}++)`, () => {
        this.element(type.element, loop, j, `[\${${j}}]`);
      });
      out.line("visitor.close(reader.at);");
      return;
    }
    if (type.kind === "bits") throw new Error("bit fields are no elements");
    const size = type.kind === "int" ? type.int.bits / 8 : constantCount(type);
    const here = this.body.variables.claim("at");
    const lack = code`${this.body.runtime("reportLack")}(reader, ${loop.visitor}, \`${path}\`, ${here}, ${size}, ${SCHEMA_FILE}, ${loop.field.line})`;
    out.line(`const ${here} = reader.at;`);
    out.block(`if (${size} > reader.end - ${here})`, () => {
      out.line(`${loop.whole} = `, loop.bounded ? "false" : lack, ";");
      out.line("break;");
    });
    const value =
      type.kind === "int"
        ? this.elementValue(type, here)
        : this.body.blob(type, here, `${here} + ${size}`, size);
    out.line(code`visitor.field(${site}, ${i}, ${here}, ${size}, ${value});`);
    out.line(`reader.at = ${here} + ${size};`);
    if (type.kind === "int") this.elementChecks(type, loop, here, path);
  }

  private elementValue({ int }: FieldType & { readonly kind: "int" }, here: string): Part {
    if (!isWideNumber(int)) return rawInteger(int, "view", here, this.body.context);
    return code`${this.body.runtime(int.signed ? "exactS64" : "exactU64")}(view, ${here}, ${this.body.context.order(int.order)})`;
  }

  private elementChecks(
    type: FieldType & { readonly kind: "int" },
    loop: Loop,
    here: string,
    path: string,
  ): void {
    const { out, context } = this.body;
    const raw = rawInteger(type.int, "view", here, context);
    const failure = (fault: string, detail: Part): Part => {
      const what = code`"${fault}", \`${path}\`, ${here}, ${SCHEMA_FILE}, ${loop.field.line}${detail}`;
      return code`${loop.whole} = reader.fail(${what}) || ${this.body.runtime("report")}(reader, ${loop.visitor});`;
    };
    if (isWideNumber(type.int)) out.when(isInexact(type.int, raw), failure("range", ""));
    const closed = closedEnumOf(type);
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(${raw})`,
        failure("enum", code`, String(${raw})`),
      );
    }
  }
}

/** Whether what is printed for the parts of a value needs a visitor that heeds faults or does not. */
export function canFailIn(type: FieldType): boolean {
  if (type.kind === "array") return canFailIn(type.element);
  return (
    type.kind === "struct" ||
    (type.kind === "int" && (isWideNumber(type.int) || closedEnumOf(type) !== undefined))
  );
}
