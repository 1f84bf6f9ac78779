/** Arrays: a method that takes indices, one that counts, and one that sets. */
import type { FieldType } from "../../../schema/ir.js";
import { pascalCase } from "../../names.js";
import { code, join, type Part } from "../../printer.js";
import { constantCount } from "../constant-size.js";
import { valueType } from "../types.js";
import { docOf, grouped, type Member, type ViewBody } from "./members.js";
import type { ViewValues } from "./values.js";

export class ViewArrays {
  private readonly view: ViewBody;
  private readonly values: ViewValues;

  constructor(view: ViewBody, values: ViewValues) {
    this.view = view;
    this.values = values;
  }

  print(member: Member, type: FieldType & { readonly kind: "array" }): void {
    const { out, context } = this.view;
    const { field, name, place: at } = member;
    const count = this.view.names.claim(`${name}Count`);
    const absent = at.absent;
    out.blank();
    out.doc([
      `How many elements \`${field.name}\` has.${absent === undefined ? "" : " Undefined where it is not there."}`,
    ]);
    out.block(`get ${count}(): number${absent === undefined ? "" : " | undefined"}`, () => {
      if (absent !== undefined) out.when(absent, "return undefined;");
      out.line("return ", this.countOf(member, type), ";");
    });

    const { element, size, indices, offset } = innermost(type);
    const params = indices.map((index) => `${index}: number`);
    const start = at.starts === undefined ? [at.start, offset] : `(this.#${at.starts}[i] as number)`;
    const check = (): void => {
      const total = absent === undefined ? `this.${count}` : `this.${count} ?? 0`;
      out.line(`this.$index(i, ${total});`);
      indices.slice(1).forEach((index, level) => {
        out.line(`this.$index(${index}, ${dimension(type, level + 1)});`);
      });
    };
    out.blank();
    out.doc([...docOf(member), "@throws RangeError when there is no such element."]);
    const result =
      element.kind === "struct"
        ? context.module.featureType("view", element.struct)
        : valueType(element, context.module);
    out.block(code`${name}(${params.join(", ")}): ${result}`, () => {
      check();
      const limit = at.starts === undefined ? [start, ` + ${size}`] : (at.end ?? "");
      out.line("return ", this.values.valueAt(element, start, limit, field), ";");
    });

    if (element.kind !== "int" || field.role.kind === "constant") return;
    const setter = this.view.names.claim(`set${pascalCase(field.name)}`);
    out.block(
      code`${setter}(${params.join(", ")}, value: ${valueType(element, context.module)}): void`,
      () => {
        check();
        out.line("const at = ", start, ";");
        this.values.store(field, at, "at", element);
      },
    );
  }

  private countOf({ place: at }: Member, type: FieldType & { readonly kind: "array" }): Part {
    if (type.count.kind === "const") return String(type.count.value);
    if (at.starts !== undefined) return `this.#${at.starts}.length`;
    const size = type.elementSize.min;
    const bytes = code`${at.end ?? ""} - ${grouped(at.start)}`;
    return size === 1 ? bytes : code`(${bytes}) / ${size}`;
  }
}

/** The element of an array of arrays with its size, the variables for its indices, and how far into the array they lead. */
function innermost(type: FieldType & { readonly kind: "array" }): {
  readonly element: FieldType;
  readonly size: number;
  readonly indices: readonly string[];
  readonly offset: Part;
} {
  const indices = ["i"];
  const offsets: Part[] = [stride("i", type.elementSize.min)];
  let element: FieldType = type.element;
  let size = type.elementSize.min;
  while (element.kind === "array") {
    const index = String.fromCharCode("i".charCodeAt(0) + indices.length);
    indices.push(index);
    offsets.push(stride(index, element.elementSize.min));
    size = element.elementSize.min;
    element = element.element;
  }
  return { element, size, indices, offset: [" + ", join(offsets, " + ")] };
}

function stride(index: string, size: number): string {
  return size === 1 ? index : `${index} * ${size}`;
}

/** How many elements an inner dimension has. */
function dimension(type: FieldType & { readonly kind: "array" }, level: number): number {
  let inner: FieldType = type;
  for (let i = 0; i < level; i++) if (inner.kind === "array") inner = inner.element;
  return inner.kind === "array" ? constantCount(inner) : 0;
}
