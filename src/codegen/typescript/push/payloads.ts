/** Bytes and text: gathered until they are whole, or lent piece by piece where they are long. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { camelCase, SCHEMA_FILE } from "../../names.js";
import { code } from "../../printer.js";
import { type Environment, goesOn } from "../expressions.js";
import { lendableOf } from "./lending.js";
import type { Label, Machine } from "./machine.js";

export class PayloadStates {
  private readonly machine: Machine;
  /** Methods of the handler that take pieces of payloads. */
  private readonly lenders: string[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
  }

  add(field: Field, type: FieldType & { readonly kind: "bytes" | "text" }, entry: Label, exit: Label): void {
    const { out, context } = this.machine;
    const { count } = type;
    const name = JSON.stringify(field.name);
    const methods = this.machine.handler.of(field);
    const isLent = lendableOf(field) !== undefined;
    const lend: Label = { number: -1 };
    this.machine.state(entry, camelCase(field.name), () => {
      if (count.kind === "rest" || count.kind === "while") {
        if (isLent) {
          out.block(`if (handler.${methods.begin} !== undefined)`, () => {
            out.line("const extent = this.remaining(reader);");
            out.block("if (this.lends(reader, 0, extent ?? Number.POSITIVE_INFINITY))", () => {
              out.line(`handler.${methods.begin}(reader.base + reader.at, extent);`);
              out.line(
                `this.beginLending(reader, 0, extent ?? Number.POSITIVE_INFINITY${this.lender(methods.data)});`,
              );
              this.machine.goTo(lend);
            });
          });
        }
        out.when(`!this.whole(reader, ${name})`, "return false;");
        out.line("const at = this.open(reader);");
        if (count.kind === "rest") out.line("reader.at = reader.end;");
        else {
          out.line("while (", goesOn(count.condition, whileEnvironment(this.machine)), ") reader.at++;");
        }
        out.line("const size = reader.at - at;");
      } else {
        out.line("const at = this.open(reader);");
        if (count.kind === "const") out.line(`const size = ${count.value};`);
        else this.machine.bound(count.expr, "size");
        if (isLent) {
          out.block(`if (handler.${methods.begin} !== undefined && this.lends(reader, 0, size))`, () => {
            out.line(`this.beginLending(reader, 0, size${this.lender(methods.data)});`);
            out.line(`handler.${methods.begin}(reader.base + at, size);`);
            this.machine.goTo(lend);
          });
        }
        out.block("if (size > reader.end - at)", () => {
          out.line(`this.lacks(reader, ${name}, size, ${SCHEMA_FILE}, ${field.line});`);
          out.line("return false;");
        });
        out.line("reader.at = at + size;");
      }
      this.reserved(field);
      if (this.machine.referenced.constrained.has(field))
        out.line(`this.#${this.machine.placeOf(field)} = reader.base + at;`);
      const value =
        type.kind === "text"
          ? code`${context.module.runtime(type.padded ? "readPaddedText" : "readText")}(reader.bytes, at, size)`
          : "reader.bytes.subarray(at, at + size)";
      const size = field.size.min === field.size.max ? "" : ", size";
      out.line(code`handler.${methods.whole}?.(${value}, reader.base + at${size});`);
      this.machine.goTo(exit);
    });
    if (!isLent) return;
    this.machine.state(lend, `${camelCase(field.name)}Lend`, () => {
      this.lend(methods.data, `${name}, ${SCHEMA_FILE}, ${field.line}`);
      out.line(`handler.${methods.end}?.(reader.base + reader.at);`);
      this.machine.goTo(exit);
    });
  }

  private reserved(field: Field): void {
    if (field.role.kind !== "reserved") return;
    const what = `"reserved", ${JSON.stringify(field.name)}, at, ${SCHEMA_FILE}, ${field.line}`;
    this.machine.out.when("reader.strict && !reader.isZero(at, size)", `throw this.wrong(reader, ${what});`);
  }

  /** Tells the engine which of the payloads it is lending: an argument, left out for the first. */
  lender(data: string): string {
    const known = this.lenders.indexOf(data);
    const number = known < 0 ? this.lenders.push(data) - 1 : known;
    return number === 0 ? "" : `, ${number}`;
  }

  /** For pieces from the middle of a payload, which the engine passes on without a reader. */
  printPass(): void {
    const { lenders } = this;
    const { out } = this.machine;
    if (lenders.length === 0) return;
    const call = (data: string): string => `this.#handler.${data}?.(slice, at);`;
    out.blank();
    out.block("protected override pass(slice: Uint8Array, at: number): void", () => {
      const [only, ...others] = lenders;
      if (only !== undefined && others.length === 0) {
        out.line(call(only));
        return;
      }
      out.block("switch (this.lending)", () => {
        lenders.forEach((data, number) => {
          out.line(`case ${number}:`);
          out.indented(() => {
            out.line(call(data));
            out.line("break;");
          });
        });
      });
    });
  }

  /** What has come of a payload goes to the handler; returns unless that is all of it. */
  lend(data: string, where: string): void {
    const { out } = this.machine;
    out.line("const from = reader.base + reader.at;");
    out.line("const slice = this.lend(reader);");
    out.when("slice.length > 0", `handler.${data}?.(slice, from);`);
    out.block("if (this.left > 0)", () => {
      out.line(`this.lendMore(reader, ${where});`);
      out.line("return false;");
    });
  }
}

/** For conditions that are asked again before each byte. */
function whileEnvironment({ env }: Machine): Environment {
  return { ...env, remaining: () => "reader.end - reader.at" };
}
