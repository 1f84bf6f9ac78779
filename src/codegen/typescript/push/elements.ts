/** Elements of a size that varies: scanned and read, in batches where their heads tell the size; or lent, if long. */
import type { Field, FieldType } from "../../../schema/ir.js";
import { camelCase, pascalCase } from "../../names.js";
import { code, type Part } from "../../printer.js";
import {
  declaredAt,
  type Extent,
  extentOf,
  type Lendable,
  type LendingFunctions,
  lendableOf,
  printExtent,
  printLending,
} from "./lending.js";
import type { Machine } from "./machine.js";
import type { PayloadStates } from "./payloads.js";

/** For elements whose size can be told from their head. */
export interface Quick {
  readonly extent: Extent;
  /** The function that tells the size. */
  readonly needed: string;
  /** The arguments of the struct, each after a comma. */
  readonly args: () => Part;
}

export class ElementMethods {
  private readonly machine: Machine;
  private readonly payloads: PayloadStates;

  constructor(machine: Machine, payloads: PayloadStates) {
    this.machine = machine;
    this.payloads = payloads;
  }

  /** What reads one element, and hands it on whole or lends its payload. */
  item(
    field: Field,
    type: FieldType & { readonly kind: "struct" },
    lendable: (Lendable & { readonly kind: "struct" }) | undefined,
    quick: Quick | undefined,
  ): () => void {
    const { out, context } = this.machine;
    const { module } = context;
    const name = JSON.stringify(field.name);
    const methods = this.machine.handler.of(field);
    let functions: LendingFunctions | undefined;
    if (lendable !== undefined) {
      const head = this.machine.handler.head(field);
      const claimed = {
        payload: module.names.scope.claim(`payloadBehind${head}`),
        head: module.names.scope.claim(`read${head}`),
      };
      functions = claimed;
      this.machine.functions.push(() => printLending(out, lendable, context, head, claimed));
    }
    return () => {
      const args = context.arguments(type.args, this.machine.env);
      out.line("const index = this.#index;");
      const scan = code`${module.feature("scan", type.struct)}(reader${args})`;
      if (lendable !== undefined && functions !== undefined) {
        const { payload, head } = functions;
        const { size } = lendable.head;
        out.block(`if (this.left === 0 && handler.${methods.begin} !== undefined)`, () => {
          out.line("const at = this.open(reader);");
          out.line(`const extent = ${size} <= reader.end - at ? ${payload}(reader, at`, args, ") : -1;");
          out.block(`if (this.lends(reader, ${size}, extent))`, () => {
            out.line(`this.headOnly(reader, ${size});`);
            out.when(code`!${scan}`, `this.refuseHead(reader, ${name}, index);`);
            out.line("reader.at = at;");
            out.line(
              `handler.${methods.begin}(${head}(reader, at`,
              args,
              "), index, reader.base + at, extent);",
            );
            out.line(`this.beginLending(reader, ${size}, extent${this.payloads.lender(methods.data)});`);
          });
        });
        out.block("if (this.left > 0)", () => {
          this.payloads.lend(
            methods.data,
            `${JSON.stringify(lendable.name)}, ${declaredAt(lendable, context)}, ${name}, index`,
          );
          out.line(`handler.${methods.end}?.(index, reader.base + reader.at);`);
          out.line("return true;");
        });
      }
      if (type.struct.greedy) out.when(`!this.whole(reader, ${name}, index)`, "return false;");
      out.line("const at = this.open(reader);");
      if (quick !== undefined) {
        // There is no use in scanning what cannot be whole.
        const { size } = quick.extent.head;
        out.line("const here = reader.end - at;");
        out.line(`const needed = ${size} <= here ? ${quick.needed}(reader, at`, args, `) : ${size};`);
        out.when("needed > here && this.awaits(reader, at, needed)", "return false;");
      }
      out.block(["if (!", scan, ")"], () => {
        out.line(`this.stuck(reader, at, ${name}, index);`);
        out.line("return false;");
      });
      out.block(`if (handler.${methods.whole} !== undefined)`, () => {
        out.line("const size = reader.at - at;");
        out.line("reader.at = at;");
        out.line(
          code`handler.${methods.whole}(${module.feature("read", type.struct)}(reader${args}), index, reader.base + at, size);`,
        );
        out.line("reader.at = at + size;");
      });
      out.line("return true;");
    };
  }

  /** The method that reads one element, and says what is wrong when it cannot. */
  private reading(field: Field, type: FieldType & { readonly kind: "struct" }): string {
    const { out, context } = this.machine;
    const { module } = context;
    const read = this.machine.names.claim(`${camelCase(field.name)}Read`);
    const body = (): void => {
      const args = context.arguments(type.args, this.machine.env);
      out.line("try {");
      out.indented(() => out.line("return ", module.feature("read", type.struct), "(reader", args, ");"));
      out.line("} catch (error) {");
      out.indented(() => {
        out.line("reader.at = at;");
        out.line("this.open(reader);");
        const sound = code`${module.feature("scan", type.struct)}(reader${args})`;
        out.line(
          code`throw this.explained(error, ${sound}, reader, ${JSON.stringify(field.name)}, this.#index);`,
        );
      });
      out.line("}");
    };
    const print = (): void =>
      this.machine.method(read, ["reader: Reader", "at: number"], body, module.type(type.struct));
    this.machine.part(read, print);
    return read;
  }

  /** What it takes to read elements whose size can be told from their head without scanning them first. */
  quick(field: Field, type: FieldType & { readonly kind: "struct" }): Quick | undefined {
    const { out, context } = this.machine;
    const { module } = context;
    const extent = extentOf(type.struct);
    if (extent === undefined) return undefined;
    const needed = module.names.scope.claim(
      `extentOf${pascalCase(context.struct.name)}${pascalCase(field.name)}`,
    );
    this.machine.functions.push(() => printExtent(out, extent, context, needed));
    return { extent, needed, args: () => context.arguments(type.args, this.machine.env) };
  }

  /** A method that reads as many elements as are whole, small enough and sound. Gives its name. */
  batch(
    field: Field,
    element: FieldType & { readonly kind: "struct" },
    { extent, needed, args }: Quick,
    isCounted: boolean,
  ): string {
    const { out } = this.machine;
    const read = this.reading(field, element);
    const methods = this.machine.handler.of(field);
    const { size } = extent.head;
    const name = this.machine.names.claim(`${camelCase(field.name)}Batch`);
    const body = (): void => {
      out.when(`handler.${methods.whole} === undefined || this.left > 0`, "return;");
      const lendable = lendableOf(field)?.kind === "struct";
      const most = `handler.${methods.begin} === undefined ? this.maxUnit : Math.min(this.maxUnit, ${size} + this.lendAbove)`;
      out.line(`const most = ${lendable ? most : "this.maxUnit"};`);
      out.line("const end = this.window(reader);");
      out.line("let { at } = reader;");
      out.block(`while (${isCounted ? "this.#index < this.#count && " : ""}${size} <= end - at)`, () => {
        out.line(`const needed = ${needed}(reader, at`, args(), ");");
        out.when("needed > end - at || needed > most", "break;");
        out.line(
          `handler.${methods.whole}(this.#${read}(reader, at), this.#index, reader.base + at, needed);`,
        );
        out.line("this.#index++;");
        out.line("at = reader.at;");
      });
    };
    this.machine.part(name, () => this.machine.method(name, ["reader: Reader"], body, "void"));
    return name;
  }
}
