/**
 * `scan…` checks a value in place, allocates nothing while all is well, and says what is wrong when it is not;
 * `check…` does so from bytes. The order of the checks is the order in which every other feature reports errors.
 */
import type {
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
import { expressionsOf, flatten, runsOf } from "../members.js";
import { camelCase, SCHEMA_FILE } from "../names.js";
import { code, type Part, type Printer } from "../printer.js";
import { printChoice } from "./choice.js";
import type { StructContext, Variables } from "./context.js";
import {
  type Environment,
  expression,
  fieldsOf,
  goesOn,
  isVariable,
  literal,
  negation,
  rangeOf,
} from "./expressions.js";
import { printFunction, withoutUnused } from "./function.js";
import {
  extract,
  halfPlace,
  isHalved,
  isInexact,
  isInexactAt,
  isWideNumber,
  place,
  rawInteger,
  writtenOut,
} from "./integers.js";
import { descend, rawValue } from "./memory.js";
import { nestedValue } from "./nested.js";
import { constantCount, onlyRunOf } from "./read.js";
import { closedEnumOf } from "./types.js";

export function printScan(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  for (const run of runsOf(struct.nodes)) printLeaves(out, run, context);
  out.blank();
  const params = context.parameters();
  const passed = context.passedOn();
  const reader = { name: "reader", type: module.runtimeType("Reader") };
  const preludes = [{ name: "view", line: "const { view } = reader;" }];
  const run = struct.fixed === undefined ? undefined : onlyRunOf(struct);

  if (struct.fixed !== undefined && struct.checked) {
    const doc = [
      `Checks the ${struct.fixed} bytes at \`at\`, which the caller has made sure of. Otherwise like scan.`,
    ];
    const at = { name: "at", type: "number" };
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "scanAt"),
      params: [reader, at, ...params],
      result: "boolean",
    };
    if (run === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = reader.at;");
        out.line("reader.at = at;");
        out.line(`const sound = ${names.of(struct, "scan")}(reader`, passed, ");");
        out.line("reader.at = back;");
        out.line("return sound;");
      });
    } else {
      const body = (): void => new StructScanner(out, context).flat();
      printFunction(out, signature, () => out.insert(withoutUnused(out.capture(body))), preludes);
    }
    out.blank();
  }

  const doc = [
    "Checks what begins at the cursor and moves behind it. False: `reader.fault` says what is wrong.",
  ];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "scan"),
    params: [reader, ...params],
    result: "boolean",
  };
  if (run !== undefined) {
    printFunction(out, signature, () => {
      printBounds(out, run, "at", context);
      out.line(
        struct.checked ? `return ${names.of(struct, "scanAt")}(reader, at` : "return true",
        struct.checked ? [passed, ");"] : ";",
      );
    });
  } else {
    const body = (): void => new StructScanner(out, context).whole();
    printFunction(out, signature, () => out.insert(withoutUnused(out.capture(body))), preludes);
  }
  out.blank();
  printCheck(out, struct, context);
}

function printCheck(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const source = { name: "source", type: module.runtimeType("Source") };
  const doc = [`What is wrong with the bytes as \`struct ${struct.name}\`; undefined when nothing is.`];
  const result: Part = [module.runtimeType("WireError"), " | undefined"];
  printFunction(
    out,
    { doc, exported: true, name: names.of(struct, "check"), params: [source, ...params], result },
    () => {
      out.line("const reader = ", module.runtime("readerOf"), "(source);");
      const scan = [`${names.of(struct, "scan")}(reader`, passed, ")"];
      const ended = [module.runtime("ended"), `(reader, source, ${SCHEMA_FILE}, ${struct.line})`];
      out.line("return ", module.runtime("verdict"), "(", scan, " && ", ended, ", reader);");
    },
  );
}

function printLeaves(out: Printer, run: RunNode, context: StructContext): void {
  const items = run.leaves.map(({ path, offset, size, file, line }) => {
    const elsewhere = file === context.module.module.file ? "" : `, ${JSON.stringify(file)}`;
    return `[${JSON.stringify(path)}, ${offset}, ${size}, ${line}${elsewhere}]`;
  });
  out.list(
    code`const ${context.leaves(run)}: readonly ${context.module.runtimeType("Leaf")}[] = [`,
    items,
    "];",
  );
}

/** One check for the whole run; then the cursor stands behind it. */
function printBounds(out: Printer, run: RunNode, at: string, context: StructContext): void {
  out.line(`const ${at} = reader.at;`);
  if (run.size > 0) {
    out.when(
      `${run.size} > reader.end - ${at}`,
      `return reader.short(${at}, ${context.leaves(run)}, ${SCHEMA_FILE});`,
    );
  }
  out.line(`reader.at = ${at} + ${run.size};`);
}

export class StructScanner {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly variables: Variables;
  private readonly env: Environment;
  /** Fields that an expression reads. */
  private readonly referenced: ReadonlySet<Field>;
  /** Paths into nested structs that expressions read, and the variables that hold them. */
  private readonly paths: readonly { readonly path: readonly Field[]; readonly local: string }[];
  /** Where the fields lie that have been gone past. */
  private readonly places = new Map<Field, Part>();
  /** Fields whose place an error of a constraint names. */
  private readonly constrained: ReadonlySet<Field>;
  /** Where the struct begins. */
  private start = "at";

  constructor(out: Printer, context: StructContext) {
    const { struct } = context;
    this.out = out;
    this.context = context;
    this.variables = context.variables();
    const paths = expressionsOf(struct).flatMap(fieldsOf);
    this.referenced = new Set(paths.filter((path) => path.length === 1).flat());
    const deep = new Map(paths.filter((path) => path.length > 1).map((path) => [keyOf(path), path]));
    this.paths = [...deep].map(([key, path]) => ({
      path,
      local: this.variables.claim(camelCase(key.replaceAll(".", "_"))),
    }));
    this.constrained = new Set(
      flatten(struct.nodes).flatMap((node) =>
        node.kind === "where" && node.field !== undefined ? [node.field] : [],
      ),
    );
    this.env = {
      field: (path) =>
        this.paths.find((each) => keyOf(each.path) === keyOf(path))?.local ??
        nestedValue(context, path[0], path.slice(1)),
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
    this.out.line("return true;");
  }

  /** The body of a function that checks one run at `at`, which the caller has made sure of. */
  run(node: RunNode): void {
    this.variables.claim("at");
    this.slots(node, "at");
    this.out.line("return true;");
  }

  whole(): void {
    const { nodes } = this.context.struct;
    if (
      nodes[0]?.kind !== "run" &&
      flatten(nodes).some((node) => node.kind === "where" && node.field === undefined)
    ) {
      this.start = this.variables.claim("start");
      this.out.line(`const ${this.start} = reader.at;`);
    }
    this.nodes(nodes);
    this.out.line("return true;");
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  private node(node: Node): void {
    const { out } = this;
    switch (node.kind) {
      case "run": {
        const at = this.variables.claim("at");
        printBounds(out, node, at, this.context);
        this.slots(node, at);
        break;
      }
      case "field":
        this.field(node.field);
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.env), ") {");
        out.indented(() => this.nodes(node.then));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.nodes(node.else));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.nodes(node.body));
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
    this.within(expression(node.length, this.env), node.name, node.line, () => this.nodes(node.body));
  }

  /** What `body` prints is bounded to `length` bytes and must use them up. */
  private within(length: Part, name: string, line: number, body: () => void): void {
    const { out } = this;
    const { module } = this.context;
    const outer = this.variables.claim("outer");
    const where = `${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line}`;
    out.line(`const ${outer} = reader.end;`);
    out.when(code`!${module.runtime("narrow")}(reader, ${length}, ${where})`, "return false;");
    body();
    out.when(code`!${module.runtime("widen")}(reader, ${outer}, ${where})`, "return false;");
  }

  private where(node: WhereNode): void {
    const at = (node.field === undefined ? this.start : this.places.get(node.field)) ?? "reader.at";
    const name = JSON.stringify(node.field?.name ?? "");
    this.out.when(
      negation(node.condition, this.env),
      code`return reader.fail("constraint", ${name}, ${at}, ${SCHEMA_FILE}, ${node.line}, ${JSON.stringify(node.text)});`,
    );
  }

  private slots(run: RunNode, at: string): void {
    for (const slot of run.slots) {
      const here = place(at, slot.offset);
      if (slot.kind === "bits") {
        for (const field of slot.fields) this.places.set(field, here);
        this.bits(slot, at);
      } else {
        this.places.set(slot.field, here);
        this.slot(slot.field, at, slot.offset);
      }
    }
  }

  private slot(field: Field, at: string, offset: number): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (role.kind === "reserved" && type.kind !== "int") {
      this.reserved(field, here, String(field.size.min));
    }
    if (type.kind === "int")
      this.integer(field, type.int, writtenOut(type.int, "view", here, this.context), here);
    else this.fixed(type, at, offset, { field, name: field.name, index: undefined });
    if (type.kind === "struct") this.pathsOf(field, at, offset);
  }

  /** Makes variables of what expressions read inside a nested struct whose place is known. */
  private pathsOf(field: Field, at: string, offset: number): void {
    for (const { path, local } of this.paths) {
      if (path[0] !== field) continue;
      const located = descend(
        { field, base: at, offset, bits: undefined, orders: this.context },
        path.slice(1),
      );
      this.out.line(code`const ${local} = ${rawValue(located, "view")};`);
    }
  }

  private slotValue(field: Field, slot: Slot, at: Part, offset: number): Part {
    if (slot.kind === "bits") {
      if (isHalved(slot) && field.type.kind === "bits") {
        const moved = { ...slot, offset };
        const half = code`view.getUint32(${halfPlace(moved, field.type.shift, at, this.context)}, ${this.context.order(slot.int.order)})`;
        return extract(field, half, 32);
      }
      const int = containerOf(slot);
      return extract(field, rawInteger(int, "view", place(at, offset), this.context), slot.int.bits);
    }
    if (field.type.kind !== "int") throw new Error(`${field.name} is no number`);
    return writtenOut(field.type.int, "view", place(at, offset), this.context);
  }

  /** All the checks that an integer or a bit field may ask for, in their order. */
  private integer(field: Field, int: IntType, raw: Part, here: Part): void {
    const { out, context } = this;
    const { role, type } = field;
    const closed = closedEnumOf(type);
    const wide = type.kind === "int" && isWideNumber(int);
    const checks =
      (wide ? 1 : 0) +
      (role.kind === "constant" ? 2 : 0) +
      (closed === undefined ? 0 : 2) +
      (role.kind === "reserved" ? 1 : 0);
    let value = raw;
    if (this.referenced.has(field) || checks > 1) {
      value = context.local(field);
      out.line(code`const ${value} = ${raw};`);
    }
    const where = code`${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line}`;
    if (wide) {
      const inexact = value === raw ? isInexactAt(int, "view", here, context) : isInexact(int, value);
      out.when(inexact, code`return reader.fail("range", ${where});`);
    }
    if (role.kind === "constant") {
      const expected = literal(role.value, int.rep, 16);
      out.when(
        code`${value} !== ${expected}`,
        code`return ${context.module.runtime("otherConstant")}(reader, ${where}, ${expected}, ${value});`,
      );
    }
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(${value})`,
        code`return reader.fail("enum", ${where}, String(${value}));`,
      );
    }
    if (role.kind === "reserved") {
      const zero = int.rep === "bigint" ? "0n" : "0";
      const bare = value === raw && type.kind === "bits" ? code`(${value})` : value;
      out.when(code`reader.strict && ${bare} !== ${zero}`, code`return reader.fail("reserved", ${where});`);
    }
  }

  private reserved(field: Field, here: Part, size: Part): void {
    this.out.when(
      code`reader.strict && !reader.isZero(${here}, ${size})`,
      code`return reader.fail("reserved", ${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line});`,
    );
  }

  private bits(slot: Slot & { kind: "bits" }, at: string): void {
    const { out, context } = this;
    const checked = slot.fields.filter(
      (field) =>
        this.referenced.has(field) ||
        field.role.kind === "constant" ||
        field.role.kind === "reserved" ||
        closedEnumOf(field.type) !== undefined,
    );
    if (checked.length === 0) return;
    const here = place(at, slot.offset);
    if (isHalved(slot)) {
      for (const field of checked) {
        if (field.type.kind === "bits")
          this.integer(field, field.type.int, this.slotValue(field, slot, at, slot.offset), here);
      }
      return;
    }
    let container: Part = rawInteger(containerOf(slot), "view", here, context);
    if (checked.length > 1) {
      const bits = this.variables.claim("bits");
      out.line(code`const ${bits} = ${container};`);
      container = bits;
    }
    for (const field of checked) {
      if (field.type.kind === "bits")
        this.integer(field, field.type.int, extract(field, container, slot.int.bits), here);
    }
  }

  /** A value of constant size that is there: only what is in it is checked. */
  private fixed(type: FieldType, base: Part, offset: number, what: Subject): void {
    const { out, context } = this;
    if (!needsCheck(type)) return;
    const here = place(base, offset);
    switch (type.kind) {
      case "struct": {
        const scan = context.module.feature("scanAt", type.struct);
        const inside = `return reader.inside(${insideArguments(what)});`;
        out.when(code`!${scan}(reader, ${here}${context.arguments(type.args, this.env)})`, inside);
        break;
      }
      case "int": {
        const raw = rawInteger(type.int, "view", here, context);
        const where = code`${pathText(what)}, ${here}, ${SCHEMA_FILE}, ${what.field.line}`;
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
        this.fixedElements(type, String(constantCount(type)), base, offset, what);
        break;
      default:
        break;
    }
  }

  private fixedElements(
    type: FieldType & { kind: "array" },
    count: Part,
    base: Part,
    offset: number,
    what: Subject,
  ): void {
    const { out } = this;
    if (!needsCheck(type.element)) return;
    const i = this.variables.claim("i");
    const next = this.variables.claim("next");
    out.line(`let ${next} = `, place(base, offset), ";");
    out.block(code`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      this.fixed(type.element, next, 0, element(what, i));
      out.line(`${next} += ${type.elementSize.min};`);
    });
  }

  /** A field of a size that is not constant. */
  private field(field: Field): void {
    const { out, context } = this;
    const { type } = field;
    const paths = this.paths.filter(({ path }) => path[0] === field);
    let from: string | undefined;
    if (this.constrained.has(field) || paths.length > 0) {
      from = this.variables.claim("from");
      out.line(`const ${from} = reader.at;`);
      this.places.set(field, from);
    }
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct": {
        const scan = context.module.feature("scan", type.struct);
        out.when(
          code`!${scan}(reader${context.arguments(type.args, this.env)})`,
          `return reader.inside(${JSON.stringify(field.name)});`,
        );
        if (from !== undefined) this.pathsOf(field, from, 0);
        break;
      }
      case "bytes":
      case "text":
        this.bytes(field, type);
        break;
      case "array":
        this.elements(field, type);
        break;
    }
  }

  private bytes(field: Field, { count }: FieldType & { kind: "bytes" | "text" }): void {
    const { out } = this;
    const reserved = field.role.kind === "reserved";
    switch (count.kind) {
      case "while":
        out.line("while (", goesOn(count.condition, this.env), ") reader.at++;");
        break;
      case "rest":
        if (reserved) this.reserved(field, "reader.at", "reader.end - reader.at");
        out.line("reader.at = reader.end;");
        break;
      case "const":
      case "expr":
      case "bytes": {
        const expr = count.kind === "const" ? undefined : count.expr;
        const length =
          expr === undefined ? String(constantCount({ kind: "bytes", count })) : expression(expr, this.env);
        const size = this.named("size", length);
        this.bounds(field, size, size);
        if (reserved) this.reserved(field, `reader.at - ${size}`, size);
        break;
      }
    }
  }

  /** A variable that holds the value: itself, if it is one already. */
  private named(name: string, value: Part): string {
    const text = this.out.text(value);
    if (isVariable(text)) return text;
    const variable = this.variables.claim(name);
    this.out.line(`const ${variable} = ${text};`);
    return variable;
  }

  /** Checks that `size` bytes are there for the field and goes past them. */
  private bounds(field: Field, size: Part, taken: Part): void {
    const { out } = this;
    out.when(
      code`${size} > reader.end - reader.at`,
      code`return reader.lacks(${JSON.stringify(field.name)}, reader.at, ${size}, ${SCHEMA_FILE}, ${field.line});`,
    );
    if (taken !== "") out.line(code`reader.at += ${taken};`);
  }

  private elements(field: Field, type: FieldType & { kind: "array" }): void {
    const { count, elementSize } = type;
    const fixed = elementSize.max === elementSize.min;
    const rest = (): void => {
      if (fixed) this.rest(field, type);
      else this.repeated(field, type, "reader.at < reader.end");
    };
    switch (count.kind) {
      case "const":
        this.counted(field, type, String(count.value), BigInt(count.value));
        break;
      case "expr": {
        const size = this.named("count", expression(count.expr, this.env));
        this.counted(field, type, size, rangeOf(count.expr).max);
        break;
      }
      case "bytes":
        this.within(expression(count.expr, this.env), field.name, field.line, rest);
        break;
      case "rest":
        rest();
        break;
      case "while":
        this.repeated(field, type, goesOn(count.condition, this.env));
        break;
    }
  }

  /** So many elements; there can be up to `most`. */
  private counted(field: Field, type: FieldType & { kind: "array" }, count: string, most: bigint): void {
    const { out } = this;
    const { min, max } = type.elementSize;
    const product = min === 1 ? count : `${count} * ${min}`;
    const exact = most * BigInt(min) <= BigInt(Number.MAX_SAFE_INTEGER);
    const need = this.named("need", exact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`);
    if (min === max) {
      this.bounds(field, need, need);
      this.fixedElements(type, count, `reader.at - ${need}`, 0, {
        field,
        name: field.name,
        index: undefined,
      });
      return;
    }
    this.bounds(field, need, "");
    const i = this.variables.claim("i");
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => this.element(field, type, i));
  }

  /** Elements of constant size up to the end of the range. */
  private rest(field: Field, type: FieldType & { kind: "array" }): void {
    const { out } = this;
    const size = type.elementSize.min;
    if (size === 1 && !needsCheck(type.element)) {
      out.line("reader.at = reader.end;");
      return;
    }
    const left = this.variables.claim("left");
    out.line(`const ${left} = reader.end - reader.at;`);
    if (size > 1) {
      out.when(
        `${left} % ${size} !== 0`,
        code`return ${this.context.module.runtime("partElement")}(reader, ${JSON.stringify(field.name)}, ${size}, ${SCHEMA_FILE}, ${field.line});`,
      );
    }
    out.line("reader.at = reader.end;");
    const what = { field, name: field.name, index: undefined };
    this.fixedElements(type, size === 1 ? left : `${left} / ${size}`, `reader.at - ${left}`, 0, what);
  }

  private repeated(field: Field, type: FieldType & { kind: "array" }, test: Part): void {
    const i = this.variables.claim("i");
    this.out.block(code`for (let ${i} = 0; ${test}; ${i}++)`, () => this.element(field, type, i));
  }

  /** One element at the cursor. */
  private element(
    field: Field,
    { element: type, elementSize }: FieldType & { kind: "array" },
    i: string,
  ): void {
    const { out, context } = this;
    const what = element({ field, name: field.name, index: undefined }, i);
    if (elementSize.min === elementSize.max) {
      const at = this.variables.claim("at");
      out.line(`const ${at} = reader.at;`);
      out.when(
        `${elementSize.min} > reader.end - ${at}`,
        code`return reader.lacks(${pathText(what)}, ${at}, ${elementSize.min}, ${SCHEMA_FILE}, ${field.line});`,
      );
      out.line(`reader.at = ${at} + ${elementSize.min};`);
      this.fixed(type, at, 0, what);
      return;
    }
    if (type.kind !== "struct") throw new Error("only structs have a size that is not constant");
    out.when(
      code`!${context.module.feature("scan", type.struct)}(reader${context.arguments(type.args, this.env)})`,
      `return reader.inside(${insideArguments(what)});`,
    );
  }

  private choice(node: SwitchNode): void {
    printChoice(this.out, node, this.context, this.env, this.variables, {
      arm: (_, arm) => {
        if (arm !== undefined) this.nodes(arm.nodes);
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        const tag = code`String(${expression(node.on, this.env)})`;
        this.out.line(
          code`return reader.fail("tag", ${JSON.stringify(node.name)}, reader.at, ${SCHEMA_FILE}, ${line}, ${tag});`,
        );
      },
    });
  }
}

/** What an error is about: a field, or an element of it. */
interface Subject {
  readonly field: Field;
  /** The field's name with the indices of outer dimensions, as the inside of a template literal. */
  readonly name: string;
  /** The variable that holds the index in the innermost dimension. */
  readonly index: string | undefined;
}

function element(what: Subject, i: string): Subject {
  return what.index === undefined
    ? { ...what, index: i }
    : { ...what, name: `${what.name}[\${${what.index}}]`, index: i };
}

function pathText({ name, index }: Subject): string {
  if (index !== undefined) return `\`${name}[\${${index}}]\``;
  return name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
}

function insideArguments({ name, index }: Subject): string {
  const text = name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
  return index === undefined ? text : `${text}, ${index}`;
}

/** Whether there is anything to check in a value of constant size. */
function needsCheck(type: FieldType): boolean {
  switch (type.kind) {
    case "int":
      return isWideNumber(type.int) || closedEnumOf(type) !== undefined;
    case "struct":
      return type.struct.checked;
    case "array":
      return needsCheck(type.element);
    default:
      return false;
  }
}

/** The integer that holds bit fields, as it is read to take them out. */
function containerOf({ int }: Slot & { kind: "bits" }): IntType {
  return { ...int, signed: false, rep: int.bits === 64 ? "bigint" : "number" };
}

function keyOf(path: readonly Field[]): string {
  return path.map(({ name }) => name).join(".");
}
