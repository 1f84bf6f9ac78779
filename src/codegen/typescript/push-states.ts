/** The states of a push parser: a method for each member of the stream, which goes on where the last chunk ended. */
import type {
  Expr,
  Field,
  FieldType,
  IfNode,
  Node,
  OptionalNode,
  RangeNode,
  RunNode,
  SwitchNode,
  WhereNode,
} from "../../schema/ir.js";
import { expressionsOf, flatten } from "../members.js";
import { camelCase, PROTOTYPE_NAMES, pascalCase, SCHEMA_FILE, Scope } from "../names.js";
import { code, type Part, type Printer } from "../printer.js";
import { printChoice } from "./choice.js";
import type { StructContext, Variables } from "./context.js";
import {
  type Environment,
  expression,
  fieldsOf,
  goesOn,
  negation,
  rangeOf,
  readsRemaining,
} from "./expressions.js";
import { mentions, withoutUnused } from "./function.js";
import { isInexact, isWideNumber, place, rawInteger } from "./integers.js";
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
import { descend, rawValue } from "./memory.js";
import type { PushHandler } from "./push-handler.js";
import { constantCount, StructReader } from "./read.js";
import { StructScanner } from "./scan.js";
import { closedEnumOf, valueType } from "./types.js";

/** A place in the machine. Its number is known when all states are. */
interface Label {
  number: number;
}

interface State {
  readonly name: string;
  print(): void;
}

/** What a method may find in a private field of the class. */
interface Kept {
  readonly local: string;
  readonly initial: "0" | "0n";
}

/** Where the parser stands in the array that it is reading. */
const COUNTERS: readonly Kept[] = [
  { local: "index", initial: "0" },
  { local: "count", initial: "0" },
];

/** For elements whose size can be told from their head. */
interface Quick {
  readonly extent: Extent;
  /** The function that tells the size. */
  readonly needed: string;
  /** The arguments of the struct, each after a comma. */
  readonly args: () => Part;
}

export class PushStates {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly handler: PushHandler;
  private readonly names: Scope;
  private readonly states: State[] = [];
  /** Methods that states call. */
  private readonly parts: State[] = [];
  /** Functions of the module that methods call. */
  private readonly functions: (() => void)[] = [];
  private readonly kept: Kept[] = [];
  /** Methods of the handler that take pieces of payloads. */
  private readonly lenders: string[] = [];
  private readonly referenced: ReadonlySet<Field>;
  private readonly constrained: ReadonlySet<Field>;
  private readonly paths: readonly { readonly path: readonly Field[]; readonly local: string }[];
  private readonly finish: Label = { number: -1 };
  private readonly env: Environment;

  constructor(out: Printer, context: StructContext, handler: PushHandler) {
    const { struct } = context;
    this.out = out;
    this.context = context;
    this.handler = handler;
    const params = context.parameters();
    this.names = new Scope(
      PROTOTYPE_NAMES,
      new Set(["handler", "index", "count", ...params.map(({ name }) => name)]),
    );
    const paths = expressionsOf(struct).flatMap(fieldsOf);
    this.referenced = new Set(paths.filter((path) => path.length === 1).flat());
    const variables = context.variables();
    const deep = new Map(paths.filter((path) => path.length > 1).map((path) => [keyOf(path), path]));
    this.paths = [...deep].map(([key, path]) => ({
      path,
      local: variables.claim(camelCase(key.replaceAll(".", "_"))),
    }));
    this.constrained = new Set(
      flatten(struct.nodes).flatMap((node) =>
        node.kind === "where" && node.field !== undefined ? [node.field] : [],
      ),
    );
    this.env = {
      field: (path) => this.pathLocal(path),
      param: (param) => context.local(param),
      remaining: () => "remaining",
    };
    for (const field of this.referenced) this.keep(context.local(field), field);
    for (const { path, local } of this.paths) this.keep(local, path[path.length - 1]);
    for (const field of this.constrained) this.kept.push({ local: this.placeOf(field), initial: "0" });
    for (const { local } of this.kept) this.names.claim(local);
    this.compile(struct.nodes, this.finish);
    this.finish.number = this.states.length;
  }

  /** The private fields and the methods. What no method reads is not kept. */
  print(printConstructor: () => void): void {
    const { out } = this;
    let methods = out.capture(() => this.printMethods());
    const text = methods.join("\n");
    for (const { local, initial } of [...this.kept, ...COUNTERS]) {
      const name = `#${local.replaceAll("$", "\\$")}(?![\\w$])`;
      const assigned = new RegExp(`^\\s*this\\.${name} = `);
      if (new RegExp(name).test(methods.filter((line) => !assigned.test(line)).join("\n"))) {
        out.line(`#${local} = ${initial};`);
      } else if (text.includes(`#${local}`)) {
        methods = methods.filter((line) => !assigned.test(line));
      }
    }
    out.blank();
    printConstructor();
    out.insert(methods);
  }

  private printMethods(): void {
    const { out } = this;
    out.blank();
    out.block(
      code`protected override advance(reader: ${this.context.module.runtimeType("Reader")}): void`,
      () => {
        out.line("let goesOn = true;");
        out.block("while (goesOn)", () => {
          out.block("switch (this.state)", () => {
            this.states.forEach(({ name }, index) => {
              out.line(`case ${index}:`);
              out.indented(() => {
                out.line(`goesOn = this.#${name}(reader);`);
                out.line("break;");
              });
            });
            out.line("default:");
            out.indented(() => {
              out.line("this.end(reader);");
              out.line("goesOn = false;");
            });
          });
        });
      },
    );
    for (const state of [...this.states, ...this.parts]) {
      out.blank();
      state.print();
    }
    this.passing();
  }

  printFunctions(): void {
    for (const print of this.functions) {
      this.out.blank();
      print();
    }
  }

  private keep(local: string, field: Field | undefined): void {
    const rep =
      field !== undefined && (field.type.kind === "int" || field.type.kind === "bits")
        ? field.type.int.rep
        : "number";
    this.kept.push({ local, initial: rep === "bigint" ? "0n" : "0" });
  }

  private pathLocal(path: readonly Field[]): string {
    const [first] = path;
    if (first === undefined) throw new Error("a field path is never empty");
    if (path.length === 1) return this.context.local(first);
    const found = this.paths.find((each) => keyOf(each.path) === keyOf(path));
    if (found === undefined) throw new Error(`nothing is kept of ${keyOf(path)}`);
    return found.local;
  }

  /** The private field with the absolute offset of a field that a constraint is about. */
  private placeOf(field: Field): string {
    return `${this.context.local(field)}$At`;
  }

  private compile(nodes: readonly Node[], exit: Label): Label {
    const labels = nodes.map((): Label => ({ number: -1 }));
    nodes.forEach((node, index) => {
      const entry = labels[index] ?? exit;
      this.node(node, entry, labels[index + 1] ?? exit);
    });
    return labels[0] ?? exit;
  }

  private node(node: Node, entry: Label, exit: Label): void {
    switch (node.kind) {
      case "run":
        this.run(node, entry, exit);
        break;
      case "field":
        this.fieldNode(node.field, entry, exit);
        break;
      case "range":
        this.range(node, entry, exit);
        break;
      case "if":
        this.ifNode(node, entry, exit);
        break;
      case "optional":
        this.optional(node, entry, exit);
        break;
      case "switch":
        this.choice(node, entry, exit);
        break;
      case "where":
        this.where(node, entry, exit);
        break;
    }
  }

  /** Adds a state. What `body` prints returns whether the machine goes on. */
  private state(entry: Label, preferred: string, body: () => void): void {
    entry.number = this.states.length;
    const name = this.names.claim(preferred);
    this.states.push({ name, print: () => this.method(name, ["reader: Reader"], body) });
  }

  private goTo(label: Label): void {
    this.out.line(`this.state = ${label.number};`);
    this.out.line("return true;");
  }

  /** A method; what it uses of the private fields comes into variables first. */
  private method(name: string, params: readonly string[], body: () => void, result: Part = "boolean"): void {
    const { out, context } = this;
    const lines = withoutUnused(out.capture(() => out.indented(body)));
    const text = lines.join("\n").replace(/#[\w$]+/g, "");
    const isUsed = (local: string): boolean =>
      mentions(text, local) &&
      !new RegExp(`(?:const|let) ${local.replaceAll("$", "\\$")}(?![\\w$])`).test(text);
    const reader = context.module.runtimeType("Reader");
    const given = mentions(text, "reader") ? "reader" : "_reader";
    const printed: Part[] = params.map((param) =>
      param === "reader: Reader" ? code`${given}: ${reader}` : param,
    );
    out.list(`#${name}(`, printed, ["): ", result, " {"]);
    out.indented(() => {
      if (mentions(text, "view")) out.line("const { view } = reader;");
      if (isUsed("handler")) out.line("const handler = this.#handler;");
      for (const { name: local } of context.parameters())
        if (isUsed(local)) out.line(`const ${local} = this.#${local};`);
      for (const { local } of this.kept) if (isUsed(local)) out.line(`const ${local} = this.#${local};`);
    });
    out.insert(lines);
    out.line("}");
  }

  private run(node: RunNode, entry: Label, exit: Label): void {
    const { out, context } = this;
    const first = node.slots[0];
    const name = camelCase((first?.kind === "field" ? first.field : first?.fields[0])?.name ?? "nothing");
    const check = this.check(node, name);
    this.state(entry, `${name}Run`, () => {
      out.line("const at = this.open(reader);");
      out.block(`if (${node.size} > reader.end - at)`, () => {
        out.line(`this.short(reader, ${context.leaves(node)}, ${SCHEMA_FILE});`);
        out.line("return false;");
      });
      if (check !== undefined) out.when(`!this.#${check}(reader, at)`, "throw this.broken(reader);");
      out.line(`reader.at = at + ${node.size};`);
      for (const slot of node.slots) {
        const fields = slot.kind === "bits" ? slot.fields : [slot.field];
        for (const field of fields) this.slotField(field, node, slot.offset);
      }
      this.goTo(exit);
    });
  }

  /** A method that checks what is in a run, where there is something to check. Gives its name. */
  private check(node: RunNode, name: string): string | undefined {
    const { out, context } = this;
    const body = (): void => new StructScanner(out, context).run(node);
    const lines = withoutUnused(out.capture(body));
    if (lines.length <= 1) return undefined;
    const claimed = this.names.claim(`${name}Check`);
    this.parts.push({
      name: claimed,
      print: () => this.method(claimed, ["reader: Reader", "at: number"], body),
    });
    return claimed;
  }

  private slotField(field: Field, run: RunNode, offset: number): void {
    const { out, context } = this;
    const slot = run.slots.find((each) => each.offset === offset);
    if (slot === undefined) return;
    const here = place("at", offset);
    if (this.constrained.has(field)) out.line(`this.#${this.placeOf(field)} = reader.base + `, here, ";");
    for (const { path, local } of this.paths) {
      if (path[0] !== field) continue;
      const located = descend({ field, base: "at", offset, bits: undefined, orders: context }, path.slice(1));
      out.line(code`this.#${local} = ${rawValue(located, "view")};`);
    }
    const isReported = field.role.kind !== "constant";
    const method = isReported ? `handler.${this.handler.of(field).whole}` : "";
    const isClosed = closedEnumOf(field.type) !== undefined;
    // What must be done first has variables of its own.
    const isBlock = isClosed || field.type.kind === "array";
    const value = (): Part => {
      if (slot.kind === "bits") {
        const raw = rawValue({ field, base: "at", offset, bits: slot, orders: context }, "view");
        // It has been scanned.
        return isClosed ? code`(${raw}) as ${valueType(field.type, context.module)}` : raw;
      }
      const reader = new StructReader(out, context, this.env);
      const variable = isBlock ? undefined : context.local(field);
      return reader.fixedValue(field.type, "at", offset, field.name, variable);
    };
    const at = code`reader.base + ${here}`;
    if (this.referenced.has(field)) {
      const local = context.local(field);
      const raw = rawValue(
        { field, base: "at", offset, bits: slot.kind === "bits" ? slot : undefined, orders: context },
        "view",
      );
      out.line(code`const ${local} = ${raw};`);
      out.line(`this.#${local} = ${local};`);
      if (isReported && !isClosed) out.line(code`${method}?.(${local}, ${at});`);
    } else if (isReported && !isBlock) {
      out.line(code`${method}?.(${value()}, ${at});`);
    }
    if (isReported && isBlock) {
      out.block(`if (${method} !== undefined)`, () => {
        out.line(code`${method}(${value()}, ${at});`);
      });
    }
  }

  private where(node: WhereNode, entry: Label, exit: Label): void {
    const { out } = this;
    const place = node.field === undefined ? "this.start" : `this.#${this.placeOf(node.field)}`;
    this.state(entry, `${camelCase(node.field?.name ?? "value")}Where`, () => {
      const what = `"constraint", ${JSON.stringify(node.field?.name ?? "")}, ${place} - reader.base, ${SCHEMA_FILE}, ${node.line}`;
      out.block(["if (", negation(node.condition, this.env), ")"], () => {
        out.line(`throw this.wrong(reader, ${what}, ${JSON.stringify(node.text)});`);
      });
      this.goTo(exit);
    });
  }

  private ifNode(node: IfNode, entry: Label, exit: Label): void {
    let [then, otherwise] = [exit, exit];
    this.state(entry, "condition", () => {
      const choice = code`${expression(node.condition, this.env)} ? ${then.number} : ${otherwise.number}`;
      this.out.line("this.state = ", choice, ";");
      this.out.line("return true;");
    });
    then = this.compile(node.then, exit);
    otherwise = this.compile(node.else, exit);
  }

  private optional(node: OptionalNode, entry: Label, exit: Label): void {
    const { out } = this;
    let body = exit;
    this.state(entry, "optional", () => {
      out.block("if (this.atEnd(reader))", () => this.goTo(exit));
      out.block("if (!this.final && reader.at === reader.bytes.length)", () => {
        out.line("this.more(reader);");
        out.line("return false;");
      });
      this.goTo(body);
    });
    body = this.compile(node.body, exit);
  }

  private range(node: RangeNode, entry: Label, exit: Label): void {
    const { out } = this;
    let body = exit;
    const leave: Label = { number: -1 };
    const where = `${JSON.stringify(node.name)}, ${SCHEMA_FILE}, ${node.line}`;
    this.state(entry, `${camelCase(node.name)}Range`, () => {
      const length = this.bound(node.length, node.name, node.line, "extent");
      out.line(`this.enterRange(reader, ${length}, ${where});`);
      this.goTo(body);
    });
    body = this.compile(node.body, leave);
    this.state(leave, `${camelCase(node.name)}RangeEnd`, () => {
      out.line(`this.leaveRange(reader, ${where});`);
      this.goTo(exit);
    });
  }

  private choice(node: SwitchNode, entry: Label, exit: Label): void {
    const { out, context } = this;
    const arms = new Map<unknown, Label>();
    this.state(entry, `${camelCase(node.name)}Choice`, () => {
      if (readsRemaining(node.on)) this.needRemaining(node.name);
      printChoice(out, node, context, this.env, context.variables(), {
        arm: (_, arm) => out.line(`this.state = ${(arms.get(arm) ?? exit).number};`),
        refuse: () => {
          const line = node.default.kind === "refuse" ? node.default.line : node.line;
          const tag = code`String(${expression(node.on, this.env)})`;
          out.line(
            code`throw this.wrong(reader, "tag", ${JSON.stringify(node.name)}, reader.at, ${SCHEMA_FILE}, ${line}, ${tag});`,
          );
        },
      });
      out.line("return true;");
    });
    const all = node.cases.map(({ arm }) => arm);
    if (node.default.kind !== "refuse") all.push(node.default.arm);
    for (const arm of all) {
      if (arm !== undefined) arms.set(arm, this.compile(arm.nodes, exit));
    }
  }

  /** The number of bytes left in the range; without a range that is known only when no more will come. */
  private needRemaining(name: string, index = ""): void {
    const { out } = this;
    out.line("const remaining = this.remaining(reader);");
    out.block("if (remaining === undefined)", () => {
      out.line(`this.whole(reader, ${JSON.stringify(name)}${index});`);
      out.line("return false;");
    });
  }

  /** A number that bounds something, and not negative. */
  private bound(expr: Expr, path: string, line: number, name: string): string {
    const { out } = this;
    const value =
      expr.rep === "bigint" ? code`Number(${expression(expr, this.env)})` : expression(expr, this.env);
    out.line(code`const ${name} = ${value};`);
    if (rangeOf(expr).min < 0n) {
      const what = `"range", ${JSON.stringify(path)}, reader.at, ${SCHEMA_FILE}, ${line}, String(${name})`;
      out.when(`${name} < 0`, `throw this.wrong(reader, ${what});`);
    }
    return name;
  }

  private fieldNode(field: Field, entry: Label, exit: Label): void {
    switch (field.type.kind) {
      case "struct":
        this.structField(field, field.type, entry, exit);
        break;
      case "bytes":
      case "text":
        this.blob(field, field.type, entry, exit);
        break;
      case "array":
        this.array(field, field.type, entry, exit);
        break;
      default:
        throw new Error(`${field.name} has a constant size`);
    }
  }

  private structField(
    field: Field,
    type: FieldType & { readonly kind: "struct" },
    entry: Label,
    exit: Label,
  ): void {
    const { out, context } = this;
    const name = JSON.stringify(field.name);
    this.state(entry, camelCase(field.name), () => {
      if (type.struct.greedy) out.when(`!this.whole(reader, ${name})`, "return false;");
      out.line("const at = this.open(reader);");
      const args = context.arguments(type.args, this.env);
      out.block(code`if (!${context.module.feature("scan", type.struct)}(reader${args}))`, () => {
        out.line(`this.stuck(reader, at, ${name});`);
        out.line("return false;");
      });
      out.line("const size = reader.at - at;");
      if (this.constrained.has(field)) out.line(`this.#${this.placeOf(field)} = reader.base + at;`);
      for (const { path, local } of this.paths) {
        if (path[0] !== field) continue;
        const located = descend(
          { field, base: "at", offset: 0, bits: undefined, orders: context },
          path.slice(1),
        );
        out.line(code`this.#${local} = ${rawValue(located, "view")};`);
      }
      const method = `handler.${this.handler.of(field).whole}`;
      out.block(`if (${method} !== undefined)`, () => {
        out.line("reader.at = at;");
        const size = field.size.min === field.size.max ? "" : ", size";
        out.line(
          code`${method}(${context.module.feature("read", type.struct)}(reader${args}), reader.base + at${size});`,
        );
        out.line("reader.at = at + size;");
      });
      this.goTo(exit);
    });
  }

  private blob(
    field: Field,
    type: FieldType & { readonly kind: "bytes" | "text" },
    entry: Label,
    exit: Label,
  ): void {
    const { out, context } = this;
    const { count } = type;
    const name = JSON.stringify(field.name);
    const methods = this.handler.of(field);
    const isLent = lendableOf(field) !== undefined;
    const lend: Label = { number: -1 };
    this.state(entry, camelCase(field.name), () => {
      if (count.kind === "rest" || count.kind === "while") {
        if (isLent) {
          out.block(`if (handler.${methods.begin} !== undefined)`, () => {
            out.line("const extent = this.remaining(reader);");
            out.block("if (this.lends(reader, 0, extent ?? Number.POSITIVE_INFINITY))", () => {
              out.line(`handler.${methods.begin}(reader.base + reader.at, extent);`);
              out.line(
                `this.beginLending(reader, 0, extent ?? Number.POSITIVE_INFINITY${this.lender(methods.data)});`,
              );
              this.goTo(lend);
            });
          });
        }
        out.when(`!this.whole(reader, ${name})`, "return false;");
        out.line("const at = this.open(reader);");
        if (count.kind === "rest") out.line("reader.at = reader.end;");
        else {
          out.line("while (", goesOn(count.condition, this.whileEnv()), ") reader.at++;");
        }
        out.line("const size = reader.at - at;");
      } else {
        out.line("const at = this.open(reader);");
        if (count.kind === "const") out.line(`const size = ${count.value};`);
        else this.bound(count.expr, field.name, field.line, "size");
        if (isLent) {
          out.block(`if (handler.${methods.begin} !== undefined && this.lends(reader, 0, size))`, () => {
            out.line(`this.beginLending(reader, 0, size${this.lender(methods.data)});`);
            out.line(`handler.${methods.begin}(reader.base + at, size);`);
            this.goTo(lend);
          });
        }
        out.block("if (size > reader.end - at)", () => {
          out.line(`this.lacks(reader, ${name}, size, ${SCHEMA_FILE}, ${field.line});`);
          out.line("return false;");
        });
        out.line("reader.at = at + size;");
      }
      this.reserved(field);
      if (this.constrained.has(field)) out.line(`this.#${this.placeOf(field)} = reader.base + at;`);
      const value =
        type.kind === "text"
          ? code`${context.module.runtime(type.padded ? "readPaddedText" : "readText")}(reader.bytes, at, size)`
          : "reader.bytes.subarray(at, at + size)";
      const size = field.size.min === field.size.max ? "" : ", size";
      out.line(code`handler.${methods.whole}?.(${value}, reader.base + at${size});`);
      this.goTo(exit);
    });
    if (!isLent) return;
    this.state(lend, `${camelCase(field.name)}Lend`, () => {
      this.lend(methods.data, `${name}, ${SCHEMA_FILE}, ${field.line}`);
      out.line(`handler.${methods.end}?.(reader.base + reader.at);`);
      this.goTo(exit);
    });
  }

  private reserved(field: Field): void {
    if (field.role.kind !== "reserved") return;
    const what = `"reserved", ${JSON.stringify(field.name)}, at, ${SCHEMA_FILE}, ${field.line}`;
    this.out.when("reader.strict && !reader.isZero(at, size)", `throw this.wrong(reader, ${what});`);
  }

  /** Tells the engine which of the payloads it is lending: an argument, left out for the first. */
  private lender(data: string): string {
    const known = this.lenders.indexOf(data);
    const number = known < 0 ? this.lenders.push(data) - 1 : known;
    return number === 0 ? "" : `, ${number}`;
  }

  /** For pieces from the middle of a payload, which the engine passes on without a reader. */
  private passing(): void {
    const { out, lenders } = this;
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
  private lend(data: string, where: string): void {
    const { out } = this;
    out.line("const from = reader.base + reader.at;");
    out.line("const slice = this.lend(reader);");
    out.when("slice.length > 0", `handler.${data}?.(slice, from);`);
    out.block("if (this.left > 0)", () => {
      out.line(`this.lendMore(reader, ${where});`);
      out.line("return false;");
    });
  }

  private whileEnv(): Environment {
    return { ...this.env, remaining: () => "reader.end - reader.at" };
  }

  private array(field: Field, type: FieldType & { readonly kind: "array" }, entry: Label, exit: Label): void {
    const { out } = this;
    const { count, elementSize } = type;
    const name = camelCase(field.name);
    const where = `${JSON.stringify(field.name)}, ${SCHEMA_FILE}, ${field.line}`;
    const loop: Label = { number: -1 };
    const isStructs = type.element.kind === "struct" && elementSize.min !== elementSize.max;
    const element = type.element.kind === "struct" && isStructs ? type.element : undefined;
    const quick = element && this.quick(field, element);
    const item = this.item(field, type, quick);
    const isCounted = count.kind === "const" || count.kind === "expr";
    const batch =
      element === undefined || quick === undefined || count.kind === "while"
        ? undefined
        : this.batch(field, element, quick, isCounted);
    this.state(entry, `${name}Begin`, () => {
      if (this.constrained.has(field)) out.line(`this.#${this.placeOf(field)} = reader.base + reader.at;`);
      out.line("this.#index = 0;");
      if (count.kind === "const" || count.kind === "expr") {
        const number =
          count.kind === "const"
            ? String(count.value)
            : this.bound(count.expr, field.name, field.line, "count");
        out.line(`this.#count = ${number};`);
        const most = count.kind === "const" ? BigInt(count.value) : rangeOf(count.expr).max;
        const product = elementSize.min === 1 ? number : `${number} * ${elementSize.min}`;
        const isExact = most * BigInt(elementSize.min) <= BigInt(Number.MAX_SAFE_INTEGER);
        out.line(
          `this.expect(reader, ${isExact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`}, ${where});`,
        );
      }
      if (count.kind === "bytes") {
        out.line(
          `this.enterRange(reader, ${this.bound(count.expr, field.name, field.line, "extent")}, ${where});`,
        );
      }
      this.goTo(loop);
    });
    this.state(loop, name, () => {
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
            if (readsRemaining(count.condition)) this.needRemaining(field.name, ", this.#index");
            out.when(negation(count.condition, this.env), "break;");
          }
          next();
          if (batch !== undefined) out.line(whole);
        });
        if (count.kind === "bytes") out.line(`this.leaveRange(reader, ${where});`);
      }
      this.goTo(exit);
    });
  }

  /** A method that reads one element. Gives its name. */
  private item(field: Field, type: FieldType & { readonly kind: "array" }, quick: Quick | undefined): string {
    const name = this.names.claim(`${camelCase(field.name)}Item`);
    const lendable = lendableOf(field);
    const body =
      type.element.kind === "struct" && type.elementSize.min !== type.elementSize.max
        ? this.structItem(field, type.element, lendable?.kind === "struct" ? lendable : undefined, quick)
        : this.fixedItem(field, type);
    this.parts.push({ name, print: () => this.method(name, ["reader: Reader"], body) });
    return name;
  }

  private structItem(
    field: Field,
    type: FieldType & { readonly kind: "struct" },
    lendable: (Lendable & { readonly kind: "struct" }) | undefined,
    quick: Quick | undefined,
  ): () => void {
    const { out, context } = this;
    const { module } = context;
    const name = JSON.stringify(field.name);
    const methods = this.handler.of(field);
    let functions: LendingFunctions | undefined;
    if (lendable !== undefined) {
      const head = this.handler.head(field);
      const claimed = {
        payload: module.names.scope.claim(`payloadBehind${head}`),
        head: module.names.scope.claim(`read${head}`),
      };
      functions = claimed;
      this.functions.push(() => printLending(out, lendable, context, head, claimed));
    }
    return () => {
      const args = context.arguments(type.args, this.env);
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
            out.line(`this.beginLending(reader, ${size}, extent${this.lender(methods.data)});`);
          });
        });
        out.block("if (this.left > 0)", () => {
          this.lend(
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

  /** What it takes to read elements whose size can be told from their head without scanning them first. */
  /** The method that reads one element, and says what is wrong when it cannot. */
  private reading(field: Field, type: FieldType & { readonly kind: "struct" }): string {
    const { out, context } = this;
    const { module } = context;
    const read = this.names.claim(`${camelCase(field.name)}Read`);
    const body = (): void => {
      const args = context.arguments(type.args, this.env);
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
      this.method(read, ["reader: Reader", "at: number"], body, module.type(type.struct));
    this.parts.push({ name: read, print });
    return read;
  }

  private quick(field: Field, type: FieldType & { readonly kind: "struct" }): Quick | undefined {
    const { out, context } = this;
    const { module } = context;
    const extent = extentOf(type.struct);
    if (extent === undefined) return undefined;
    const needed = module.names.scope.claim(
      `extentOf${pascalCase(context.struct.name)}${pascalCase(field.name)}`,
    );
    this.functions.push(() => printExtent(out, extent, context, needed));
    return { extent, needed, args: () => context.arguments(type.args, this.env) };
  }

  /** A method that reads as many elements as are whole, small enough and sound. Gives its name. */
  private batch(
    field: Field,
    element: FieldType & { readonly kind: "struct" },
    { extent, needed, args }: Quick,
    isCounted: boolean,
  ): string {
    const { out } = this;
    const read = this.reading(field, element);
    const methods = this.handler.of(field);
    const { size } = extent.head;
    const name = this.names.claim(`${camelCase(field.name)}Batch`);
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
    this.parts.push({ name, print: () => this.method(name, ["reader: Reader"], body, "void") });
    return name;
  }

  private fixedItem(
    field: Field,
    { element, elementSize }: FieldType & { readonly kind: "array" },
  ): () => void {
    const { out, context } = this;
    const size = elementSize.min;
    const path = `${field.name}[\${index}]`;
    const { whole } = this.handler.of(field);
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
        const value = new StructReader(out, context, this.env).fixedValue(element, "at", 0, field.name);
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
    const { out, context } = this;
    if (element.kind === "array") {
      if (!isChecked(element)) return;
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
      out.block(code`if (!${scan}(reader, ${at}${context.arguments(element.args, this.env)}))`, () => {
        out.line(`reader.inside(\`${path}\`);`);
        out.line("throw this.broken(reader);");
      });
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

/** Whether there is anything to check in elements that are there. */
function isChecked(type: FieldType): boolean {
  if (type.kind === "array") return isChecked(type.element);
  if (type.kind === "struct") return type.struct.checked;
  return type.kind === "int" && (isWideNumber(type.int) || closedEnumOf(type) !== undefined);
}

function keyOf(path: readonly Field[]): string {
  return path.map(({ name }) => name).join(".");
}
