/** `class …View`: reads and writes a value where it lies, fields in any order. */
import type { Count, Field, FieldType, IntType, Struct, SwitchNode } from "../../schema/ir.js";
import { armsOf, membersOf } from "../members.js";
import { camelCase, PROTOTYPE_NAMES, pascalCase, SCHEMA_FILE, Scope } from "../names.js";
import { code, join, type Part, type Printer } from "../printer.js";
import type { StructContext } from "./context.js";
import { determiningFields } from "./determining.js";
import { docLines, placeText, sizeText } from "./docs.js";
import { literal } from "./expressions.js";
import { halfPlace, isHalved, isInexact, isWideNumber, place, rawInteger, writeInteger } from "./integers.js";
import { rawValue } from "./memory.js";
import { onlyRunOf } from "./read.js";
import { closedEnumOf, valueType } from "./types.js";
import { isConstantSize, type Place, ViewPlaces } from "./view-places.js";

export function printView(out: Printer, struct: Struct, context: StructContext): void {
  new ViewPrinter(out, struct, context).print();
}

/** What a class member is about: a field, or an arm of a switch with the name that it has there. */
interface Member {
  readonly field: Field;
  readonly name: string;
  readonly place: Place;
}

type Scalar = FieldType & { readonly kind: "int" | "bits" };

class ViewPrinter {
  private readonly out: Printer;
  private readonly struct: Struct;
  private readonly context: StructContext;
  private readonly places: ViewPlaces;
  private readonly names = new Scope(PROTOTYPE_NAMES, new Set(["moveTo"]));
  private readonly determining: ReadonlySet<Field>;

  constructor(out: Printer, struct: Struct, context: StructContext) {
    this.out = out;
    this.struct = struct;
    this.context = context;
    this.places = new ViewPlaces(struct, context);
    this.determining = determiningFields(struct.module);
  }

  print(): void {
    const { out, context, struct, places } = this;
    const { module } = context;
    out.doc([
      `A \`${struct.name}\` (${sizeText(struct.size)}) where it lies in memory: fields in any order, nothing is copied.`,
      ...(this.hasObjects()
        ? ["What holds further fields comes as a view of its own, a new object at each call."]
        : []),
      ...(struct.checked
        ? [
            "Setters check that a value fits its field, not the constraints of the schema: those are for `check…`.",
          ]
        : []),
    ]);
    const name = module.names.of(struct, "view");
    const body = (): void => {
      places.printFields(out);
      out.blank();
      this.constructorOf();
      out.blank();
      this.moveTo();
      this.members();
      if (!places.hasMemos) return;
      out.blank();
      out.block(code`#locate(reader: ${module.runtimeType("Reader")}): void`, () => places.printLocate(out));
    };
    out.block(code`export class ${name} extends ${module.runtime("View")}`, () => {
      out.insert(withoutIdle(out.capture(body)));
    });
  }

  private hasObjects(): boolean {
    const holds = (type: FieldType): boolean =>
      type.kind === "struct" || (type.kind === "array" && holds(type.element));
    return membersOf(this.struct.nodes).some((member) =>
      member.kind === "field"
        ? holds(member.field.type)
        : armsOf(member.node).some(({ field }) => field !== undefined && holds(field.type)),
    );
  }

  private constructorOf(): void {
    const { out, context } = this;
    const params = context.parameters().map(({ name, type }): Part => code`${name}: ${type}`);
    out.doc(["@throws WireError when there is no such value at `at`."]);
    // A parameter with a default does not stand before others: callers would have to write `undefined`.
    const at = params.length === 0 ? "at = 0" : "at: number";
    out.list("constructor(", [code`source: ${context.module.runtimeType("Source")}`, at, ...params], ") {");
    out.indented(() => {
      out.line("super(source);");
      this.places.printParams(out);
      out.line("this.moveTo(at);");
    });
    out.line("}");
  }

  private moveTo(): void {
    const { out, context, struct, places } = this;
    const { names } = context.module;
    const scan = code`${names.of(struct, "scan")}(this.$aim(at)${places.passedOn()})`;
    out.block("override moveTo(at: number): this", () => {
      if (struct.fixed !== undefined && onlyRunOf(struct) !== undefined) {
        out.block(`if (!this.$holds(at, ${struct.fixed}))`, () => {
          // The scanner names the first field that is missing.
          out.line(scan, ";");
          out.line("throw this.$refused();");
        });
        if (struct.checked) {
          const check = code`${names.of(struct, "scanAt")}(this.$reader, at${places.passedOn()})`;
          out.when(["!", check], "throw this.$refused();");
        }
        out.line("this.$at = at;");
        out.line(`this.$end = at + ${struct.fixed};`);
      } else {
        out.when(["!", scan], "throw this.$refused();");
        out.line("this.$at = at;");
        out.line("this.$end = this.$reader.at;");
      }
      if (places.hasMemos) out.line("this.#locate(this.$aim(at));");
      out.line("return this;");
    });
  }

  private members(): void {
    const members = membersOf(this.struct.nodes);
    const named = new Map<Field | SwitchNode, string>();
    for (const member of members) {
      const subject = member.kind === "field" ? member.field : member.node;
      named.set(
        subject,
        this.names.claim(camelCase(subject.name) + (member.kind === "switch" ? "Case" : "")),
      );
    }
    for (const member of members) {
      if (member.kind === "switch") {
        this.choice(member.node, named.get(member.node) ?? "");
        continue;
      }
      const { field } = member;
      this.member({ field, name: named.get(field) ?? "", place: this.places.of(field) });
    }
  }

  private choice(node: SwitchNode, name: string): void {
    const { out, context, places } = this;
    out.blank();
    out.doc([
      `Which case \`${node.name}\` holds.${node.conditional ? " Undefined where the condition of the schema does not hold." : ""}`,
    ]);
    const type: Part = [context.module.union(node), `["case"]`, node.conditional ? " | undefined" : ""];
    out.block(code`get ${name}(): ${type}`, () => out.line("return ", places.caseOf(node), ";"));
    for (const { field, from } of armsOf(node)) {
      if (field === undefined) continue;
      const arm = context.caseName(from ?? field);
      const claimed = this.names.claim(camelCase(node.name) + arm.charAt(0).toUpperCase() + arm.slice(1));
      this.member({ field, name: claimed, place: places.of(field) });
    }
  }

  private member(member: Member): void {
    const { out } = this;
    const { type } = member.field;
    switch (type.kind) {
      case "int":
      case "bits":
        this.scalar(member, type);
        break;
      case "bytes":
      case "text": {
        this.getter(member, type.kind === "bytes" ? "Uint8Array" : "string", () => {
          out.line("return ", this.valueAt(type, member.place.start, this.endOf(member), member.field), ";");
        });
        if (type.kind === "text" && type.padded) this.textSetter(member, type);
        break;
      }
      case "struct":
        this.getter(member, this.context.module.featureType("view", type.struct), () => {
          out.line("return ", this.valueAt(type, member.place.start, this.endOf(member), member.field), ";");
        });
        break;
      case "array":
        this.array(member, type);
        break;
    }
  }

  private getter(member: Member, type: Part, body: () => void): void {
    const { out } = this;
    const { field, name, place: at } = member;
    out.blank();
    out.doc(this.docOf(member));
    const result = at.absent === undefined ? type : code`${type} | undefined`;
    out.block(code`get ${name}(): ${result}`, () => {
      if (at.absent !== undefined) out.when(at.absent, "return undefined;");
      body();
    });
    if (field.type.kind === "int" || field.type.kind === "bits") this.setter(member, field.type);
  }

  private docOf({ field, place: at }: Member): string[] {
    const lines = [placeText(field), ...docLines(field.doc)];
    if (field.role.kind === "reserved") lines.push("Reserved: zero as far as the schema knows.");
    if (at.chosenBy !== undefined) lines.push("Undefined when another case is chosen.");
    else if (field.conditional) lines.push("Undefined where the condition of the schema does not hold.");
    const why = this.readOnly(field);
    if (why !== undefined) lines.push(why);
    return lines;
  }

  private readOnly(field: Field): string | undefined {
    const { role, type } = field;
    if (role.kind === "constant") return `Read only: always ${literal(role.value, "number", 16)}.`;
    if (role.kind === "derived") {
      const of = role.of.kind === "range" ? role.of.range.name : role.of.field.name;
      return `Read only: it says how much there is of \`${of}\`.`;
    }
    if ((type.kind === "int" || type.kind === "bits") && this.determining.has(field)) {
      return "Read only: other fields lie where they do because of its value.";
    }
    return undefined;
  }

  private scalar(member: Member, type: Scalar): void {
    this.getter(member, valueType(type, this.context.module), () => {
      this.out.line("return ", this.scalarAt(member), ";");
    });
  }

  /** The value of an integer or of bits, with what the type says about it checked again. */
  private scalarAt({ field, place: at }: Member): Part {
    if (field.type.kind === "int" && isWideNumber(field.type.int))
      return this.wide(field.type.int, at.start, field);
    const value = rawValue({ field, ...at, orders: this.places.orders }, "this.$view");
    if (closedEnumOf(field.type) === undefined) return value;
    return ["(", value, ") as ", valueType(field.type, this.context.module)];
  }

  private wide(int: IntType, at: Part, field: Field): Part {
    const where = `${JSON.stringify(field.name)}, ${SCHEMA_FILE}, ${field.line}`;
    return code`this.$${int.signed ? "s64" : "u64"}(${at}, ${this.places.order(int.order)}, ${where})`;
  }

  private setter(member: Member, type: Scalar): void {
    const { out, context } = this;
    const { field, name, place: at } = member;
    if (this.readOnly(field) !== undefined) return;
    out.block(code`set ${name}(value: ${valueType(type, context.module)})`, () => {
      this.refuseAbsent(member);
      this.store(field, at, at.start);
    });
  }

  private refuseAbsent({ field, place: at }: Member): void {
    if (at.absent === undefined) return;
    const why = at.chosenBy === undefined ? "unexpected" : "case";
    this.out.when(at.absent, this.error(why, field, "this.$at"));
  }

  private error(why: string, field: Field, at: Part, detail?: string): Part {
    const more = detail === undefined ? "" : `, ${detail}`;
    return code`throw this.$error(${JSON.stringify(why)}, ${JSON.stringify(field.name)}, ${at}, ${SCHEMA_FILE}, ${field.line}${more});`;
  }

  /** Statements that check `value` and write it. */
  private store(field: Field, { bits }: Place, at: Part, type: FieldType = field.type): void {
    const { out, context, places } = this;
    if (type.kind !== "int" && type.kind !== "bits") throw new Error(`${field.name} cannot be set`);
    out.when(misfit(type), this.error("range", field, at, "String(value)"));
    const closed = closedEnumOf(type);
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(value)`,
        this.error("enum", field, at, "String(value)"),
      );
    }
    if (type.kind === "int") {
      out.line(writeInteger(type.int, "this.$view", at, "value", places.orders));
      return;
    }
    if (bits === undefined) throw new Error(`${field.name} has no container`);
    const slot = { ...bits, offset: 0 };
    const { shift, width } = type;
    if (isHalved(slot)) {
      const half = { ...slot.int, signed: false, bits: 32 } as const;
      out.line("const at = ", halfPlace(slot, shift, at, places.orders), ";");
      out.line(
        writeInteger(
          half,
          "this.$view",
          "at",
          merged(rawInteger(half, "this.$view", "at", places.orders), 32, shift % 32, width),
          places.orders,
        ),
      );
      return;
    }
    const rep = slot.int.bits === 64 ? "bigint" : "number";
    const whole = { ...slot.int, signed: false, rep } as const;
    const old = rawInteger(whole, "this.$view", at, places.orders);
    const value = rep === "bigint" ? mergedExact(old, type) : merged(old, slot.int.bits, shift, width);
    out.line(writeInteger(whole, "this.$view", at, value, places.orders));
  }

  private textSetter(member: Member, type: FieldType & { readonly kind: "text" }): void {
    const { out, context } = this;
    const { field, name, place: at } = member;
    out.block(`set ${name}(value: string)`, () => {
      this.refuseAbsent(member);
      const write = context.module.runtime("writeText");
      out.when(
        code`!${write}(this.$reader.bytes, ${at.start}, ${constantOf(type.count)}, value)`,
        this.error(
          "range",
          field,
          at.start,
          `\`needs up to ${constantOf(type.count)} characters of one byte\``,
        ),
      );
    });
  }

  private array(member: Member, type: FieldType & { readonly kind: "array" }): void {
    const { out, context } = this;
    const { field, name, place: at } = member;
    const count = this.names.claim(`${name}Count`);
    const absent = at.absent;
    out.blank();
    out.doc([
      `How many elements \`${field.name}\` has.${absent === undefined ? "" : " Undefined where it is not there."}`,
    ]);
    out.block(`get ${count}(): number${absent === undefined ? "" : " | undefined"}`, () => {
      if (absent !== undefined) out.when(absent, "return undefined;");
      out.line("return ", this.countOf(member, type), ";");
    });

    const { element, indices, offset } = innermost(type);
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
    out.doc([...this.docOf(member), "@throws RangeError when there is no such element."]);
    const result =
      element.kind === "struct"
        ? context.module.featureType("view", element.struct)
        : valueType(element, context.module);
    out.block(code`${name}(${params.join(", ")}): ${result}`, () => {
      check();
      const limit = at.starts === undefined ? [start, ` + ${sizeOf(element)}`] : (at.end ?? "");
      out.line("return ", this.valueAt(element, start, limit, field), ";");
    });

    if (element.kind !== "int" || field.role.kind === "constant") return;
    const setter = this.names.claim(`set${pascalCase(field.name)}`);
    out.block(
      code`${setter}(${params.join(", ")}, value: ${valueType(element, context.module)}): void`,
      () => {
        check();
        out.line("const at = ", start, ";");
        this.store(field, at, "at", element);
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

  private endOf({ field, place: at }: Member): Part {
    return at.end ?? place(at.base, at.offset + field.size.min);
  }

  /** A value that is no bit field. `end` bounds what a view of it may look at. */
  private valueAt(type: FieldType, start: Part, end: Part, field: Field): Part {
    const { context, places } = this;
    switch (type.kind) {
      case "int": {
        if (isWideNumber(type.int)) return this.wide(type.int, start, field);
        const value = rawInteger(type.int, "this.$view", start, places.orders);
        return closedEnumOf(type) === undefined ? value : [value, " as ", valueType(type, context.module)];
      }
      case "bytes":
        return code`this.$bytes(${start}, ${end})`;
      case "text": {
        const read = context.module.runtime(type.padded ? "readPaddedText" : "readText");
        const size =
          type.count.kind === "const" ? String(type.count.value) : code`${end} - ${grouped(start)}`;
        return code`${read}(this.$reader.bytes, ${start}, ${size})`;
      }
      case "struct": {
        const view = context.module.feature("view", type.struct);
        return code`new ${view}(this.$within(${end}), ${start}${places.argumentsOf(type.args)})`;
      }
      default:
        throw new Error(`${field.name} is read element by element`);
    }
  }
}

function grouped(part: Part): Part {
  return typeof part === "string" ? part : ["(", part, ")"];
}

/** The element of an array of arrays, the variables for its indices, and how far into the array they lead. */
function innermost(type: FieldType & { readonly kind: "array" }): {
  readonly element: FieldType;
  readonly indices: readonly string[];
  readonly offset: Part;
} {
  const indices = ["i"];
  const offsets: Part[] = [stride("i", type.elementSize.min)];
  let element: FieldType = type.element;
  while (element.kind === "array") {
    const index = String.fromCharCode("i".charCodeAt(0) + indices.length);
    indices.push(index);
    offsets.push(stride(index, element.elementSize.min));
    element = element.element;
  }
  return { element, indices, offset: [" + ", join(offsets, " + ")] };
}

function stride(index: string, size: number): string {
  return size === 1 ? index : `${index} * ${size}`;
}

/** How many elements an inner dimension has. */
function dimension(type: FieldType & { readonly kind: "array" }, level: number): number {
  let inner: FieldType = type;
  for (let i = 0; i < level; i++) if (inner.kind === "array") inner = inner.element;
  return inner.kind === "array" ? constantOf(inner.count) : 0;
}

function constantOf(count: Count): number {
  if (count.kind !== "const") throw new Error("the size is not constant");
  return count.value;
}

/** The size of an element whose size is a constant. */
function sizeOf(type: FieldType): number {
  switch (type.kind) {
    case "int":
    case "bits":
      return type.int.bits / 8;
    case "bytes":
    case "text":
      return constantOf(type.count);
    case "array":
      return constantOf(type.count) * type.elementSize.min;
    case "struct":
      if (!isConstantSize(type.struct.size)) throw new Error(`${type.struct.name} varies in size`);
      return type.struct.size.min;
  }
}

/** A condition that is true when `value` cannot be written. NaN and fractions cannot. */
function misfit(type: Scalar): Part {
  const { int } = type;
  const width = type.kind === "bits" ? type.width : int.bits;
  const signed = type.kind === "int" && int.signed;
  if (int.rep === "bigint") {
    return code`value !== BigInt.as${signed ? "Int" : "Uint"}N(${width}, value)`;
  }
  if (isWideNumber(int) && type.kind === "int") {
    return signed ? isInexact(int, "value") : "!Number.isSafeInteger(value) || value < 0";
  }
  if (width > 32)
    return `!Number.isSafeInteger(value) || value < 0 || value >= ${literal(1n << BigInt(width), "number", 16)}`;
  if (signed)
    return width === 32 ? "value !== (value | 0)" : `value !== (value << ${32 - width}) >> ${32 - width}`;
  return width === 32
    ? "value !== value >>> 0"
    : `value !== (value & ${literal((1n << BigInt(width)) - 1n, "number", 16)})`;
}

/** The container with some of its bits replaced by `value`. DataView drops what is above the container. */
function merged(old: Part, bits: number, shift: number, width: number): Part {
  if (width === bits) return "value";
  const mask = (1n << BigInt(width)) - 1n;
  const others = ((1n << BigInt(bits)) - 1n) ^ (mask << BigInt(shift));
  const placed = shift === 0 ? "value" : `(value << ${shift})`;
  return code`(${old} & ${literal(others, "number", 16)}) | ${placed}`;
}

function mergedExact(old: Part, type: FieldType & { readonly kind: "bits" }): Part {
  const { shift, width, int } = type;
  const value = int.rep === "bigint" ? "value" : "BigInt(value)";
  if (width === 64) return value;
  const mask = (1n << BigInt(width)) - 1n;
  const others = ((1n << 64n) - 1n) ^ (mask << BigInt(shift));
  const placed = shift === 0 ? value : `(${value} << ${shift}n)`;
  return code`(${old} & ${literal(others, "bigint", 16)}) | ${placed}`;
}

/** Without the private fields that are set and never read: not every place that can be found is asked for. */
function withoutIdle(lines: readonly string[]): string[] {
  const idle = lines.flatMap((line) => {
    const name = /^\s*#([\w$]+)(?:: [^=]+)? = [^(]*;$/.exec(line)?.[1]?.replaceAll("$", "\\$");
    if (name === undefined) return [];
    const mention = new RegExp(`#${name}(?![\\w$])`);
    const setting = new RegExp(`^\\s*(?:this\\.)?#${name}(?:: [^=]+)? = [^(]*;$`);
    const isIdle = lines.every((other) => !mention.test(other) || setting.test(other));
    return isIdle ? [setting] : [];
  });
  return lines.filter((line) => !idle.some((setting) => setting.test(line)));
}
