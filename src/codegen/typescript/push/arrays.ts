/** Arrays: their elements are handed on one by one. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { intervalOf } from "../../../schema/ranges.js";
import { looksAhead } from "../../../schema/reads.js";
import { camelCase, SCHEMA_FILE } from "../../names.js";
import { code } from "../../printer.js";
import { needsCheck } from "../checks.js";
import { constantCount } from "../constant-size.js";
import type { Variables } from "../context.js";
import { negation } from "../expressions.js";
import { isInexact, isWideNumber, rawInteger } from "../integers.js";
import { FixedReader } from "../read/fixed.js";
import { closedEnumOf } from "../types.js";
import { ElementMethods, type Quick } from "./elements.js";
import { lendableOf } from "./lending.js";
import type { Label, Machine } from "./machine.js";
import type { PayloadStates } from "./payloads.js";

export class ArrayStates {
  private readonly machine: Machine;
  private readonly elements: ElementMethods;

  constructor(machine: Machine, payloads: PayloadStates) {
    this.machine = machine;
    this.elements = new ElementMethods(machine, payloads);
  }

  add(field: Field, type: FieldType & { readonly kind: "array" }, entry: Label, exit: Label): void {
    const { out } = this.machine;
    const { count, elementSize } = type;
    const name = camelCase(field.name);
    const where = `${JSON.stringify(field.name)}, ${SCHEMA_FILE}, ${field.line}`;
    const loop: Label = { number: -1 };
    const isStructs = type.element.kind === "struct" && elementSize.min !== elementSize.max;
    const element = type.element.kind === "struct" && isStructs ? type.element : undefined;
    const quick = element && this.elements.quick(field, element);
    const item = this.item(field, type, quick);
    const isCounted = count.kind === "const" || count.kind === "expr";
    const batch =
      element === undefined || quick === undefined || count.kind === "while"
        ? undefined
        : this.elements.batch(field, element, quick, isCounted);
    this.machine.state(entry, `${name}Begin`, () => {
      if (this.machine.referenced.constrained.has(field))
        out.line(`this.#${this.machine.placeOf(field)} = reader.base + reader.at;`);
      out.line("this.#index = 0;");
      if (count.kind === "const" || count.kind === "expr") {
        const number = count.kind === "const" ? String(count.value) : this.machine.bound(count.expr, "count");
        out.line(`this.#count = ${number};`);
        const most = count.kind === "const" ? BigInt(count.value) : intervalOf(count.expr).max;
        const product = elementSize.min === 1 ? number : `${number} * ${elementSize.min}`;
        const isExact = most * BigInt(elementSize.min) <= BigInt(Number.MAX_SAFE_INTEGER);
        out.line(
          `this.expect(reader, ${isExact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`}, ${where});`,
        );
      }
      if (count.kind === "bytes") {
        out.line(`this.enterRange(reader, ${this.machine.bound(count.expr, "extent")}, ${where});`);
      }
      this.machine.goTo(loop);
    });
    this.machine.state(loop, name, () => {
      const next = (): void => {
        out.when(`!this.#${item}(reader)`, "return false;");
        out.line("this.#index++;");
      };
      const whole = batch === undefined ? "" : `this.#${batch}(reader);`;
      if (isCounted) {
        if (batch !== undefined) out.line(whole);
        out.block("while (this.#index < this.#count)", () => {
          next();
          if (batch !== undefined) out.line(whole);
        });
        out.line("this.met();");
      } else {
        const isLent = lendableOf(field)?.kind === "struct";
        if (batch !== undefined) out.line(whole);
        out.block(`while (${isLent ? "this.left > 0 || " : ""}!this.atEnd(reader))`, () => {
          if (count.kind === "while") {
            if (looksAhead(count.condition)) this.machine.needRemaining(field.name, ", this.#index");
            out.when(negation(count.condition, this.machine.env), "break;");
          }
          next();
          if (batch !== undefined) out.line(whole);
        });
        if (count.kind === "bytes") out.line(`this.leaveRange(reader, ${where});`);
      }
      this.machine.goTo(exit);
    });
  }

  /** A method that reads one element. Gives its name. */
  private item(field: Field, type: FieldType & { readonly kind: "array" }, quick: Quick | undefined): string {
    const name = this.machine.names.claim(`${camelCase(field.name)}Item`);
    const lendable = lendableOf(field);
    const body =
      type.element.kind === "struct" && type.elementSize.min !== type.elementSize.max
        ? this.elements.item(field, type.element, lendable?.kind === "struct" ? lendable : undefined, quick)
        : this.fixedItem(field, type);
    this.machine.part(name, () => this.machine.method(name, ["reader: Reader"], body));
    return name;
  }

  private fixedItem(
    field: Field,
    { element, elementSize }: FieldType & { readonly kind: "array" },
  ): () => void {
    const { out, context } = this.machine;
    const size = elementSize.min;
    const path = `${field.name}[\${index}]`;
    const { whole } = this.machine.handler.of(field);
    return () => {
      out.line("const index = this.#index;");
      out.line("const at = this.open(reader);");
      out.block(`if (${size} > reader.end - at)`, () => {
        out.line(`this.lacks(reader, \`${path}\`, ${size}, ${SCHEMA_FILE}, ${field.line});`);
        out.line("return false;");
      });
      this.elementCheck(element, field, "at", path, context.variables());
      out.line(`reader.at = at + ${size};`);
      out.block(`if (handler.${whole} !== undefined)`, () => {
        const value = new FixedReader(this.machine.body()).value(element, "at", 0, field.name);
        out.line(code`handler.${whole}(${value}, index, reader.base + at, ${size});`);
      });
      out.line("return true;");
    };
  }

  /** Checks what lies whole at `at`. `path` is the inside of a template literal. */
  private elementCheck(
    element: FieldType,
    field: Field,
    at: string,
    path: string,
    variables: Variables,
  ): void {
    const { out, context } = this.machine;
    if (element.kind === "array") {
      if (!needsCheck(element)) return;
      const [i, next] = [variables.claim("i"), variables.claim("next")];
      out.line(`let ${next} = ${at};`);
      out.block(`for (let ${i} = 0; ${i} < ${constantCount(element)}; ${i}++)`, () => {
        this.elementCheck(element.element, field, next, `${path}[\${${i}}]`, variables);
        out.line(`${next} += ${element.elementSize.min};`);
      });
      return;
    }
    if (field.role.kind === "reserved") {
      const size = element.kind === "int" ? element.int.bits / 8 : 0;
      const what = `"reserved", ${JSON.stringify(field.name)}, ${at}, ${SCHEMA_FILE}, ${field.line}`;
      if (size > 0)
        out.when(`reader.strict && !reader.isZero(${at}, ${size})`, `throw this.wrong(reader, ${what});`);
    }
    if (element.kind === "struct" && element.struct.checked) {
      const scan = context.module.feature("scanAt", element.struct);
      out.block(
        code`if (!${scan}(reader, ${at}${context.arguments(element.args, this.machine.env)}))`,
        () => {
          out.line(`reader.inside(\`${path}\`);`);
          out.line("throw this.broken(reader);");
        },
      );
    }
    if (element.kind !== "int") return;
    const raw = rawInteger(element.int, "view", at, context);
    const where = `\`${path}\`, ${at}, ${SCHEMA_FILE}, ${field.line}`;
    if (isWideNumber(element.int))
      out.when(isInexact(element.int, raw), `throw this.wrong(reader, "range", ${where});`);
    const closed = closedEnumOf(element);
    if (closed === undefined) return;
    out.when(
      code`!${context.module.feature("is", closed)}(${raw})`,
      code`throw this.wrong(reader, "enum", ${where}, String(${raw}));`,
    );
  }
}
