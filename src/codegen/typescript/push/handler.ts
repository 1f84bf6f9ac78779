/** The interface through which a push parser hands on what it has read: a method for each member of the stream. */
import type { Field, Struct } from "../../../schema/ir.js";
import { allNodes } from "../../../schema/structure.js";
import { armsOf, isKept, membersOf } from "../../members.js";
import { camelCase, PROTOTYPE_NAMES, pascalCase, Scope } from "../../names.js";
import { code, type Printer } from "../../printer.js";
import type { StructContext } from "../context.js";
import { docLines, placeText } from "../docs.js";
import { valueType } from "../types.js";
import { type Lendable, lendableOf } from "./lending.js";

/** Names of the methods for one member. */
export interface Methods {
  readonly whole: string;
  /** For a payload that can be lent. */
  readonly begin: string;
  readonly data: string;
  readonly end: string;
}

export class PushHandler {
  private readonly struct: Struct;
  private readonly context: StructContext;
  private readonly methods = new Map<Field, Methods>();
  private readonly heads = new Map<Field, string>();
  private readonly arrays: ReadonlySet<Field>;

  constructor(struct: Struct, context: StructContext) {
    this.struct = struct;
    this.context = context;
    this.arrays = arraysOf(struct);
    const names = new Scope(PROTOTYPE_NAMES);
    const fields = reportedFields(struct);
    const wholes = fields.map((field) => names.claim(camelCase(field.name)));
    fields.forEach((field, index) => {
      const whole = wholes[index] ?? "";
      const [begin, data, end] = ["Begin", "Data", "End"].map((suffix) => names.claim(whole + suffix));
      this.methods.set(field, { whole, begin: begin ?? "", data: data ?? "", end: end ?? "" });
      const lendable = lendableOf(field);
      if (lendable === undefined || lendable.kind === "bytes") return;
      const head =
        context.module.names.of(struct, "parser").replace(/Parser(\$*)$/, "$1") + pascalCase(field.name);
      this.heads.set(field, context.module.names.scope.claim(`${head}Head`));
    });
  }

  of(field: Field): Methods {
    const found = this.methods.get(field);
    if (found === undefined) throw new Error(`${field.name} is not reported`);
    return found;
  }

  /** The fields of an element that come before a payload which is lent. */
  head(field: Field): string {
    return this.heads.get(field) ?? "";
  }

  print(out: Printer): void {
    const { context, struct } = this;
    for (const [field, name] of this.heads) {
      const lendable = lendableOf(field);
      if (lendable?.kind === "struct") this.printHead(out, name, lendable);
    }
    out.doc([
      `What a parser of \`${struct.name}\` calls, each as soon as the bytes are there. \`at\` counts from the start of the stream.`,
    ]);
    out.block(`export interface ${context.module.names.of(struct, "handler")}`, () => {
      for (const field of reportedFields(struct)) this.printMethods(out, field);
    });
  }

  private printHead(
    out: Printer,
    name: string,
    { struct, fields }: Lendable & { readonly kind: "struct" },
  ): void {
    const { module } = this.context;
    const inner = module.struct(struct);
    out.doc([`The fields of a \`${struct.name}\` in front of a payload that is lent.`]);
    out.block(`export interface ${name}`, () => {
      if (fields.length === 0) out.line("readonly [name: string]: never;");
      for (const field of fields) {
        out.doc([placeText(field), ...docLines(field.doc)]);
        const reserved = field.role.kind === "reserved" && field.type.kind === "bytes";
        const type = valueType(field.type, module);
        out.line(
          code`${inner.property(field)}${reserved ? "?" : ""}: ${type}${reserved ? " | undefined" : ""};`,
        );
      }
    });
    out.blank();
  }

  private printMethods(out: Printer, field: Field): void {
    const { module } = this.context;
    const names = this.of(field);
    const { type } = field;
    if (type.kind === "array" && this.arrays.has(field)) {
      out.doc([`An element of \`${field.name}\`.`, ...docLines(field.doc)]);
      out.line(
        code`${names.whole}?(value: ${valueType(type.element, module)}, index: number, at: number, size: number): void;`,
      );
    } else {
      const size = field.size.min === field.size.max ? "" : ", size: number";
      out.doc(docLines(field.doc));
      out.line(code`${names.whole}?(value: ${valueType(type, module)}, at: number${size}): void;`);
    }
    const lendable = lendableOf(field);
    if (lendable === undefined) return;
    if (lendable.kind === "bytes") {
      out.doc(["Instead, where it is longer than `lendAbove`: it comes in pieces, cut as the input is cut."]);
      const isOpen = type.kind === "bytes" && type.count.kind === "rest";
      if (isOpen) out.doc(["The length is undefined where nothing says how much will come."]);
      out.line(`${names.begin}?(at: number, length: number${isOpen ? " | undefined" : ""}): void;`);
      out.line(`${names.data}?(slice: Uint8Array, at: number): void;`);
      out.line(`${names.end}?(at: number): void;`);
      return;
    }
    out.doc([
      "Instead, for an element whose payload is bytes and longer than `lendAbove`: the payload comes in pieces.",
    ]);
    out.line(`${names.begin}?(head: ${this.head(field)}, index: number, at: number, length: number): void;`);
    out.doc(["A piece, cut as the input is cut, and good as long as the pushed chunk is left alone."]);
    out.line(`${names.data}?(slice: Uint8Array, at: number): void;`);
    out.line(`${names.end}?(index: number, at: number): void;`);
  }
}

/** What the handler hears of: everything but constants, which say nothing. Arms of switches included. */
function reportedFields(struct: Struct): Field[] {
  return membersOf(struct.nodes)
    .flatMap((member) =>
      member.kind === "field"
        ? [member.field]
        : armsOf(member.node).flatMap(({ field }) => (field === undefined ? [] : [field])),
    )
    .filter((field) => isKept(field) || field.role.kind === "derived");
}

/** Arrays whose elements are reported one by one: those that do not lie in a run. */
function arraysOf(struct: Struct): Set<Field> {
  return new Set(
    allNodes(struct.nodes).flatMap((node) =>
      node.kind === "field" && node.field.type.kind === "array" ? [node.field] : [],
    ),
  );
}
