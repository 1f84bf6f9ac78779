/** `read…` makes a value at the cursor of a reader; `decode…` makes one from bytes and says what is wrong with them. */
import type {
  Expr,
  Field,
  FieldType,
  IntType,
  Node,
  RangeNode,
  RunNode,
  Slot,
  Struct,
  SwitchNode,
  WhereNode,
} from "../../schema/ir.js";
import { expressionsOf, isKept, presenceFieldsOf, valueMembersOf } from "../members.js";
import { SCHEMA_FILE } from "../names.js";
import { code, type Part, type Printer } from "../printer.js";
import { printChoice } from "./choice.js";
import type { StructContext, Variables } from "./context.js";
import { sizeText } from "./docs.js";
import {
  type Environment,
  expression,
  fieldsOf,
  goesOn,
  isVariable,
  literal,
  negation,
} from "./expressions.js";
import { printFunction } from "./function.js";
import {
  extract,
  halfPlace,
  isHalved,
  isInexact,
  isWideNumber,
  place,
  rawInteger,
  writtenOut,
} from "./integers.js";
import { nestedValue, repOf } from "./nested.js";
import { closedEnumOf, valueType } from "./types.js";

export function printRead(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const reader = { name: "reader", type: module.runtimeType("Reader") };
  const params = context.parameters();
  const passed = context.passedOn();
  const result = names.type(struct);
  const preludes = [{ name: "view", line: "const { view } = reader;" }];

  if (struct.fixed !== undefined) {
    const at = { name: "at", type: "number" };
    const doc = [`Reads the ${sizeText(struct.size)} at \`at\`, which the caller has made sure of.`];
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "readAt"),
      params: [reader, at, ...params],
      result,
    };
    const run = onlyRunOf(struct);
    if (run === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = reader.at;");
        out.line("reader.at = at;");
        out.line(`const value = ${names.of(struct, "read")}(reader`, passed, ");");
        out.line("reader.at = back;");
        out.line("return value;");
      });
    } else {
      printFunction(out, signature, () => new StructReader(out, context).flat(), preludes);
    }
    out.blank();
  }

  const doc = ["Reads at the cursor. For structs inside others: its errors have no path. Otherwise, decode."];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "read"),
    params: [reader, ...params],
    result,
  };
  if (struct.fixed !== undefined && onlyRunOf(struct) !== undefined) {
    printFunction(out, signature, () => {
      out.line(`return ${names.of(struct, "readAt")}(reader, reader.take(${struct.fixed})`, passed, ");");
    });
  } else {
    printFunction(out, signature, () => new StructReader(out, context).whole(), preludes);
  }
  out.blank();
  printDecode(out, struct, context);
}

function printDecode(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const source = { name: "source", type: module.runtimeType("Source") };
  const doc = [
    `Decodes \`struct ${struct.name}\`: the whole of the bytes, or what begins at the cursor of a reader.`,
    `@throws WireError when the bytes are no such value.`,
  ];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "decode"),
    params: [source, ...params],
    result: names.type(struct),
  };
  printFunction(out, signature, () => {
    out.line("const reader = ", module.runtime("readerOf"), "(source);");
    out.line("const { at, end, depth } = reader;");
    out.line("try {");
    out.indented(() => {
      out.line(`const value = ${names.of(struct, "read")}(reader`, passed, ");");
      out.line("if (reader !== source) reader.finish();");
      out.line("return value;");
    });
    out.line("} catch (error) {");
    out.indented(() => {
      const scan = [`${names.of(struct, "scan")}(reader.rewind(at, end, depth)`, passed, ")"];
      const ended = [module.runtime("ended"), `(reader, source, ${SCHEMA_FILE}, ${struct.line})`];
      out.line("throw ", module.runtime("explain"), "(error, ", scan, " && ", ended, ", reader);");
    });
    out.line("}");
  });
}

/** The run that is all of the struct besides constraints, if there is just one. */
export function onlyRunOf(struct: Struct): RunNode | undefined {
  const [first, ...others] = struct.nodes;
  return first?.kind === "run" && others.every((node) => node.kind === "where") ? first : undefined;
}

/** An element of an array takes 8 bytes in memory. Twice the input is the most that is allocated on its word. */
const SMALLEST_PREALLOCATED = 4;

export class StructReader {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly variables: Variables;
  private readonly env: Environment;
  /** Fields that an expression reads: each is read from memory once, into a variable. */
  private readonly referenced: ReadonlySet<Field>;
  /** Reserved fields by which encoding tells that an `optional` is there. */
  private readonly presence: ReadonlySet<Field>;
  /** Fields that nothing else needs are read where the value is made. */
  private readonly inlined = new Map<Field, Part>();
  /** Where the fields of runs lie. */
  private readonly places = new Map<Field, Part>();
  /** 64-bit numbers in variables of which it is not yet known that they are exact. */
  private unproven: { readonly field: Field; readonly inexact: Part; readonly here: Part }[] = [];
  /** What is printed now happens for every value, or in the one arm of a switch that the field belongs to. */
  private always = true;

  constructor(out: Printer, context: StructContext, env?: Environment) {
    this.out = out;
    this.context = context;
    this.variables = context.variables();
    this.referenced = new Set(
      expressionsOf(context.struct)
        .flatMap(fieldsOf)
        .flatMap((path) => path.slice(0, 1)),
    );
    this.presence = new Set(presenceFieldsOf(context.struct.nodes));
    this.env = env ?? {
      field: ([first, ...others]) => nestedValue(context, first, others),
      param: (param) => context.local(param),
      remaining: () => "reader.end - reader.at",
      peek: (int) => rawInteger(int, "reader.view", "reader.at", context),
    };
  }

  /** The body of a function that is given the place of the one run. */
  flat(): void {
    this.variables.claim("at");
    for (const node of this.context.struct.nodes) {
      if (node.kind === "run") this.slots(node, "at");
      else if (node.kind === "where") this.where(node);
    }
    this.result();
  }

  whole(): void {
    this.declareConditional(this.context.struct.nodes);
    this.nodes(this.context.struct.nodes);
    this.result();
  }

  /** What is made in a branch is declared before it. */
  private declareConditional(nodes: readonly Node[]): void {
    const { out, context } = this;
    for (const node of nodes) {
      if (node.kind === "range") this.declareConditional(node.body);
      if (node.kind !== "if" && node.kind !== "optional") continue;
      const members = valueMembersOf([node]);
      for (const member of members) {
        const [subject, type] =
          member.kind === "switch"
            ? [member.node, context.module.union(member.node)]
            : [member.field, valueType(member.field.type, context.module)];
        out.line(code`let ${context.local(subject)}: ${type} | undefined;`);
      }
    }
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  /** Nodes that some values lack: their variables stand before the branch. */
  private branch(nodes: readonly Node[]): void {
    const { always } = this;
    this.always = false;
    this.nodes(nodes);
    this.always = always;
  }

  private node(node: Node): void {
    const { out } = this;
    switch (node.kind) {
      case "run": {
        const at = this.variables.claim("at");
        out.line(`const ${at} = reader.take(${node.size});`);
        this.slots(node, at);
        break;
      }
      case "field":
        this.hold(node.field, this.variable(node.field));
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.env), ") {");
        out.indented(() => this.branch(node.then));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.branch(node.else));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.branch(node.body));
        break;
      case "switch":
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  private range(node: RangeNode): void {
    const { out } = this;
    const length = expression(node.length, this.env);
    const outer = this.variables.claim("outer");
    out.line(code`const ${outer} = reader.enter(${length});`);
    this.nodes(node.body);
    out.line(`reader.leave(${outer});`);
  }

  private where(node: WhereNode): void {
    const name = JSON.stringify(node.field?.name ?? "");
    const at = (node.field === undefined ? undefined : this.places.get(node.field)) ?? "reader.at";
    this.out.when(
      negation(node.condition, this.env),
      code`throw reader.error("constraint", ${name}, ${at});`,
    );
  }

  private slots(run: RunNode, at: string): void {
    for (const slot of run.slots) {
      const fields = slot.kind === "bits" ? slot.fields : [slot.field];
      for (const field of fields) this.places.set(field, place(at, slot.offset));
      if (slot.kind === "bits") this.bits(slot, at);
      else this.slot(slot, at);
    }
    this.prove(at);
  }

  /** One condition for all 64-bit numbers of a run; `explain` finds out which of them it was. */
  private prove(at: string): void {
    const [first, ...others] = this.unproven;
    if (first === undefined) return;
    this.unproven = [];
    const { out } = this;
    if (others.length === 0) {
      out.when(
        first.inexact,
        code`throw reader.error("range", ${JSON.stringify(first.field.name)}, ${first.here});`,
      );
      return;
    }
    out.chain(
      "if (",
      [first, ...others].map(({ inexact }) => inexact),
      "||",
      ") {",
    );
    out.indented(() => out.line(`throw reader.error("range", "", ${at});`));
    out.line("}");
  }

  private slot({ field, offset }: Slot & { kind: "field" }, at: string): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (role.kind === "constant" && type.kind === "int") {
      const expected = literal(role.value, type.int.rep, 16);
      this.out.when(
        code`${rawInteger(type.int, "view", here, this.context)} !== ${expected}`,
        `throw reader.error("constant", ${JSON.stringify(field.name)}, `,
        here,
        ");",
      );
      if (this.referenced.has(field)) this.out.line(`const ${this.context.local(field)} = ${expected};`);
      return;
    }
    if (role.kind === "reserved" && type.kind === "bytes" && !this.presence.has(field)) {
      this.keep(field, code`reader.reserved(${here}, ${field.size.min})`);
      return;
    }
    if (role.kind === "reserved" && type.kind === "bytes") this.strictly(field, here, String(field.size.min));
    if (
      type.kind === "int" &&
      isWideNumber(type.int) &&
      role.kind !== "reserved" &&
      closedEnumOf(type) === undefined
    ) {
      const local = this.context.local(field);
      this.out.line(code`${this.declaration(field)}${writtenOut(type.int, "view", here, this.context)};`);
      this.unproven.push({ field, inexact: isInexact(type.int, local), here });
      return;
    }
    // What is nested may be given numbers of this run.
    if (type.kind !== "int") this.prove(at);
    const value =
      type.kind === "array"
        ? this.fixedElements(type, String(constantCount(type)), at, offset, field.name, this.listOf(field))
        : this.fixedValue(type, at, offset, field.name);
    if (role.kind === "reserved" && type.kind === "int") {
      this.reservedInteger(field, value, here);
      return;
    }
    this.keep(field, value);
  }

  /** Reserved bytes that are kept though they be zero. */
  private strictly(field: Field, at: Part, size: Part): void {
    this.out.when(
      code`reader.strict && !reader.isZero(${at}, ${size})`,
      code`throw reader.error("reserved", ${JSON.stringify(field.name)}, ${at});`,
    );
  }

  private reservedInteger(field: Field, value: Part, here: Part): void {
    const local = this.context.local(field);
    const zero = literal(0n, repOf(field));
    this.out.line(code`${this.declaration(field)}${value};`);
    this.out.when(
      `reader.strict && ${local} !== ${zero}`,
      code`throw reader.error("reserved", ${JSON.stringify(field.name)}, ${here});`,
    );
  }

  private bits(slot: Slot & { kind: "bits" }, at: string): void {
    const { out, context } = this;
    const unsigned = { ...slot.int, signed: false };
    const here = place(at, slot.offset);
    let container: (field: Field) => Part;
    let width = slot.int.bits;
    if (isHalved(slot)) {
      const halves = new Map<boolean, string>();
      container = ({ type }) => {
        const shift = type.kind === "bits" ? type.shift : 0;
        const known = halves.get(shift >= 32);
        if (known !== undefined) return known;
        const half = this.variables.claim(shift >= 32 ? "high" : "low");
        halves.set(shift >= 32, half);
        out.line(
          code`const ${half} = view.getUint32(${halfPlace(slot, shift, at, context)}, ${context.order(slot.int.order)});`,
        );
        return half;
      };
      width = 32;
    } else {
      const bits = this.variables.claim("bits");
      const int = slot.int.bits === 64 ? { ...unsigned, rep: "bigint" as const } : unsigned;
      out.line(code`const ${bits} = ${rawInteger(int, "view", here, context)};`);
      container = () => bits;
    }
    for (const field of slot.fields) {
      const value = extract(field, container(field), width);
      this.bitField(field, value, here);
    }
  }

  private bitField(field: Field, value: Part, here: Part): void {
    const { type, role } = field;
    if (type.kind !== "bits") return;
    if (role.kind === "reserved") {
      this.reservedInteger(field, value, here);
      return;
    }
    if (role.kind === "constant") {
      const expected = literal(role.value, type.int.rep, 16);
      this.out.when(
        code`(${value}) !== ${expected}`,
        code`throw reader.error("constant", ${JSON.stringify(field.name)}, ${here});`,
      );
      if (this.referenced.has(field)) this.out.line(`const ${this.context.local(field)} = ${expected};`);
      return;
    }
    this.keep(field, this.guarded(type, value, here, field.name));
  }

  /** A value of a closed enum goes through a variable, which the guard narrows. */
  private guarded(type: FieldType, value: Part, here: Part, name: string): Part {
    const closed = closedEnumOf(type);
    if (closed === undefined) return value;
    const member = this.variables.claim("member");
    this.out.line(code`const ${member} = ${value};`);
    this.out.when(
      code`!${this.context.module.feature("is", closed)}(${member})`,
      code`throw reader.error("enum", ${JSON.stringify(name)}, ${here});`,
    );
    return member;
  }

  /**
   * A value of constant size. Prints what must be done first and gives the expression. `variable`: what may be declared
   * for it, where the function knows of other variables than this reader's.
   */
  fixedValue(type: FieldType, base: Part, offset: number, name: string, variable?: string): Part {
    const { context } = this;
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
        return code`${context.module.feature("readAt", type.struct)}(reader, ${here}${context.arguments(type.args, this.env)})`;
      case "array":
        return this.fixedElements(type, String(constantCount(type)), base, offset, name);
    }
  }

  private integer(int: IntType, here: Part, name: string, variable?: string): Part {
    const raw = writtenOut(int, "view", here, this.context);
    if (!isWideNumber(int)) return raw;
    const number = variable ?? this.variables.claim("number");
    this.out.line(code`const ${number} = ${raw};`);
    this.out.when(
      isInexact(int, number),
      code`throw reader.error("range", ${JSON.stringify(name)}, ${here});`,
    );
    return number;
  }

  /** Elements of constant size, all of which are known to be there. */
  private fixedElements(
    type: FieldType & { kind: "array" },
    count: Part,
    base: Part,
    offset: number,
    name: string,
    list: string = this.variables.claim("list"),
  ): Part {
    const { out } = this;
    const i = this.variables.claim("i");
    const next = this.variables.claim("next");
    const size = type.elementSize.min;
    const element = valueType(type.element, this.context.module);
    out.line(code`const ${list}: ${element}[] = new Array(${count});`);
    out.line(`let ${next} = `, place(base, offset), ";");
    out.block(code`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      out.line(code`${list}[${i}] = ${this.fixedValue(type.element, next, 0, name)};`);
      out.line(`${next} += ${size};`);
    });
    return list;
  }

  /** A variable that holds the value: itself, if it is one already. */
  private named(name: string, value: Part): string {
    const text = this.out.text(value);
    if (isVariable(text)) return text;
    const variable = this.variables.claim(name);
    this.out.line(`const ${variable} = ${text};`);
    return variable;
  }

  /** A value of a size that is not constant. Prints what must be done first and gives the expression. */
  private variable(field: Field): Part {
    const { type } = field;
    const { context } = this;
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct":
        return code`${context.module.feature("read", type.struct)}(reader${context.arguments(type.args, this.env)})`;
      case "bytes":
        return this.bytes(field, type);
      case "text": {
        if (type.count.kind === "while") {
          const from = this.whileBytes(type.count.condition);
          return code`${context.module.runtime("readText")}(reader.bytes, ${from}, reader.at - ${from})`;
        }
        const size = this.named("size", this.byteCount(field, type));
        return code`${context.module.runtime("readText")}(reader.bytes, reader.take(${size}), ${size})`;
      }
      case "array":
        return this.elements(field, type);
    }
  }

  /** Goes past bytes as long as a condition holds, and gives the variable that holds where they begin. */
  private whileBytes(condition: Expr): string {
    const { out } = this;
    const from = this.variables.claim("from");
    out.line(`const ${from} = reader.at;`);
    out.line("while (", goesOn(condition, this.env), ") reader.at++;");
    return from;
  }

  private bytes(field: Field, type: FieldType & { kind: "bytes" }): Part {
    const { count } = type;
    const { out } = this;
    if (count.kind === "while") {
      const from = this.whileBytes(count.condition);
      return `reader.bytes.subarray(${from}, reader.at)`;
    }
    if (field.role.kind === "reserved") {
      // How many there are may be written nowhere else: they are kept even when they are zero.
      const size = this.named("size", this.byteCount(field, type));
      const at = this.variables.claim("at");
      out.line(`const ${at} = reader.take(${size});`);
      this.strictly(field, at, size);
      return `reader.bytes.subarray(${at}, ${at} + ${size})`;
    }
    return count.kind === "rest" ? "reader.rest()" : code`reader.slice(${this.byteCount(field, type)})`;
  }

  /** How many bytes, or characters of one byte. */
  private byteCount(field: Field, { count }: FieldType & { kind: "bytes" | "text" }): Part {
    switch (count.kind) {
      case "const":
        return String(count.value);
      case "expr":
      case "bytes":
        return expression(count.expr, this.env);
      case "rest":
        return "reader.end - reader.at";
      case "while":
        throw new Error(`${field.name}: text does not end by a condition`);
    }
  }

  private elements(field: Field, type: FieldType & { kind: "array" }): Part {
    const { out } = this;
    const { count, elementSize } = type;
    const fixed = elementSize.max === elementSize.min;
    switch (count.kind) {
      case "const":
        return this.counted(type, String(count.value), field);
      case "expr": {
        const size = this.named("count", expression(count.expr, this.env));
        return this.counted(type, size, field);
      }
      case "bytes": {
        const outer = this.variables.claim("outer");
        out.line(code`const ${outer} = reader.enter(${expression(count.expr, this.env)});`);
        const list = fixed ? this.rest(type, field) : this.repeated(type, "reader.at < reader.end", field);
        out.line(`reader.leave(${outer});`);
        return list;
      }
      case "rest":
        return fixed ? this.rest(type, field) : this.repeated(type, "reader.at < reader.end", field);
      case "while":
        return this.repeated(type, goesOn(count.condition, this.env), field);
    }
  }

  /** So many elements. */
  private counted(type: FieldType & { kind: "array" }, count: string, field: Field): Part {
    const { out } = this;
    const { min, max } = type.elementSize;
    if (min === max) {
      const start = this.variables.claim("start");
      out.line(`const ${start} = reader.take(${count} * ${min});`);
      return this.fixedElements(type, count, start, 0, field.name, this.listOf(field));
    }
    const list = this.listOf(field);
    const i = this.variables.claim("i");
    const element = valueType(type.element, this.context.module);
    // Before anything is allocated: the count may be anything.
    out.line(
      this.context.module.runtime("needBytes"),
      `(reader, ${min === 1 ? count : `${count} * ${min}`});`,
    );
    // Room for very small elements would be many times the size of the input, which may yet turn out to be short.
    const roomy = min < SMALLEST_PREALLOCATED;
    out.line(code`const ${list}: ${element}[] = ${roomy ? "[]" : `new Array(${count})`};`);
    const loop = `for (let ${i} = 0; ${i} < ${count}; ${i}++) ${list}`;
    if (roomy) out.line(loop, ".push(", this.element(type), ");");
    else out.line(loop, `[${i}] = `, this.element(type), ";");
    return list;
  }

  /** The variable for a list: the field's own, unless that has been declared before a branch. */
  private listOf(field: Field): string {
    return this.always ? this.context.local(field) : this.variables.claim("list");
  }

  /** Elements of constant size up to the end of the range. */
  private rest(type: FieldType & { kind: "array" }, field: Field): Part {
    const size = this.variables.claim("count");
    this.out.line(
      `const ${size} = `,
      this.context.module.runtime("wholeElements"),
      `(reader, ${type.elementSize.min});`,
    );
    return this.counted(type, size, field);
  }

  private repeated(type: FieldType & { kind: "array" }, test: Part, field: Field): Part {
    const { out } = this;
    const list = this.listOf(field);
    const element = valueType(type.element, this.context.module);
    out.line(code`const ${list}: ${element}[] = [];`);
    if (type.elementSize.min === type.elementSize.max) {
      const next = this.variables.claim("next");
      out.block(code`while (${test})`, () => {
        out.line(`const ${next} = reader.take(${type.elementSize.min});`);
        out.line(code`${list}.push(${this.fixedValue(type.element, next, 0, field.name)});`);
      });
    } else {
      out.line(code`while (${test}) ${list}.push(${this.element(type)});`);
    }
    return list;
  }

  /** One element of a size that is not constant. */
  private element({ element }: FieldType & { kind: "array" }): Part {
    if (element.kind !== "struct") throw new Error("only structs have a size that is not constant");
    return code`${this.context.module.feature("read", element.struct)}(reader${this.context.arguments(element.args, this.env)})`;
  }

  private choice(node: SwitchNode): void {
    const { out, context } = this;
    const local = context.local(node);
    if (this.always) out.line(`let ${local}: ${context.module.union(node)};`);
    const { always } = this;
    printChoice(out, node, context, this.env, this.variables, {
      arm: (name, arm) => {
        if (arm === undefined) {
          out.line(`${local} = { case: ${JSON.stringify(name)}, value: undefined };`);
          return;
        }
        // The block of the case is the arm's own.
        this.always = true;
        this.nodes(arm.nodes);
        this.always = always;
        const { role, type } = arm.field;
        const constant =
          role.kind === "constant" && type.kind === "int" ? literal(role.value, type.int.rep, 16) : undefined;
        const value = constant ?? this.inlined.get(arm.field) ?? context.local(arm.field);
        out.line(code`${local} = { case: ${JSON.stringify(name)}, value: ${value} };`);
      },
      refuse: () => out.line(`throw reader.error("tag", ${JSON.stringify(node.name)}, reader.at);`),
    });
  }

  /** Holds on to a value that lies at a known place: it can be read later, in the literal, when nothing else needs it. */
  private keep(field: Field, value: Part): void {
    if (this.always && !this.referenced.has(field) && value !== this.context.local(field))
      this.inlined.set(field, value);
    else this.hold(field, value);
  }

  /** Holds on to the value of a field in its variable. */
  private hold(field: Field, value: Part): void {
    if (value !== this.context.local(field)) this.out.line(code`${this.declaration(field)}${value};`);
  }

  /** A field that some values lack has been declared before the branch that it is in. */
  private declaration(field: Field): string {
    const local = this.context.local(field);
    return this.always || !isKept(field) ? `const ${local} = ` : `${local} = `;
  }

  /** All properties in one literal: every value of the struct has the same shape. */
  private result(): void {
    const properties = valueMembersOf(this.context.struct.nodes).map((member): Part => {
      const subject = member.kind === "switch" ? member.node : member.field;
      const property = this.context.property(subject);
      const value =
        (member.kind === "field" ? this.inlined.get(member.field) : undefined) ?? this.context.local(subject);
      return value === property ? property : code`${property}: ${value}`;
    });
    if (properties.length === 0) this.out.line("return {};");
    else this.out.list("return {", properties, "};", " ");
  }
}

/** How many elements an array in a run has. */
export function constantCount(type: FieldType & { kind: "bytes" | "text" | "array" }): number {
  if (type.count.kind !== "const") throw new Error("the size is not constant");
  return type.count.value;
}
