/** One struct as a chain of calls that build a parser; for a struct with parameters, a function of these. */
import type {
  Argument,
  Count,
  Expr,
  Field,
  FieldType,
  IntType,
  Node,
  Order,
  Param,
  ParamType,
  Rep,
  RunNode,
  Slot,
  Struct,
  SwitchNode,
} from "../../schema/ir.js";
import { pathsOf } from "../../schema/reads.js";
import type { DefinitionContext } from "../definitions.js";
import { camelCase } from "../names.js";
import { code, join, type Part, type Printer } from "../printer.js";
import { type Environment, expression, literal } from "../typescript/expressions.js";
import type { SupportName } from "./support.js";

export function printParser(out: Printer, struct: Struct, context: DefinitionContext): void {
  const writer = new ParserWriter(struct, context);
  const parser = context.imported("Parser");
  const name = context.name(struct);
  const params = struct.params.map((param) => `${writer.param(param)}: ${parameterType(param.type)}`);
  if (params.length === 0) {
    out.line(`export const ${name}: `, parser, " = new ", parser, "()");
    out.indented(() => writer.calls(out, struct.nodes, ";"));
    return;
  }
  out.block([`export function ${name}(${params.join(", ")}): `, parser], () => {
    out.line("return new ", parser, "()");
    out.indented(() => writer.calls(out, struct.nodes, ";"));
  });
}

/** One call of the chain. */
interface Call {
  /** What the parser's byte order must be set to before it. */
  readonly order?: string;
  /** `end` follows the call. */
  print(out: Printer, end: string): void;
}

class ParserWriter {
  private readonly struct: Struct;
  private readonly context: DefinitionContext;
  private readonly params: ReadonlyMap<Param, string>;

  constructor(struct: Struct, context: DefinitionContext) {
    this.struct = struct;
    this.context = context;
    const scope = context.parameterScope();
    this.params = new Map(struct.params.map((param) => [param, scope.claim(camelCase(param.name))]));
  }

  calls(out: Printer, nodes: readonly Node[], end: string): void {
    chain(
      out,
      nodes.flatMap((node) => this.node(node)),
      end,
    );
  }

  param(param: Param): string {
    return this.params.get(param) ?? param.name;
  }

  private order(order: Order): string {
    return typeof order === "string" ? JSON.stringify(order) : this.param(order);
  }

  private node(node: Node): Call[] {
    switch (node.kind) {
      case "run":
        return this.run(node);
      case "field":
        return this.field(node.field);
      case "if":
        return [{ print: (out, end) => this.choice(out, node, end) }];
      case "switch":
        return [{ print: (out, end) => this.tagged(out, node, end) }];
      case "where":
        return [];
      default:
        throw new Error(`${this.struct.name} has a ${node.kind}, for which binary-parser has no words`);
    }
  }

  private run(run: RunNode): Call[] {
    return run.slots.flatMap((slot, index) => {
      if (slot.kind === "field") return this.field(slot.field);
      // Bits that follow bits would be taken from one longer integer.
      const next = run.slots[index + 1];
      return [...this.bits(slot), ...(mayBeginWithBits(next) ? [call("seek", ["0"])] : [])];
    });
  }

  /** From the most significant bit downwards, which is how binary-parser reads a big-endian integer. */
  private bits({ fields }: Extract<Slot, { kind: "bits" }>): Call[] {
    return [...fields].reverse().map((field) => {
      const width = field.type.kind === "bits" ? field.type.width : 0;
      return { ...named(`bit${width}`, this.property(field), constantOf(field)), order: '"big"' };
    });
  }

  /** `name`: of the property, where it is not the field's own. */
  private field(field: Field, name: string = this.property(field)): Call[] {
    const { type } = field;
    switch (type.kind) {
      case "int": {
        const { int } = type;
        const given = [
          ...constantOf(field),
          ...(isNumber64(int) ? [`formatter: ${this.support("exact")}`] : []),
        ];
        const made = named(this.method(int), name, given);
        return [isNative(int) ? { ...made, order: this.order(int.order) } : made];
      }
      case "bytes":
      case "text":
        return [named("buffer", name, this.bytes(type))];
      case "struct":
        return [named("nest", name, [["type: ", this.nested(type.struct, type.args)]])];
      case "array":
        return [named("array", name, this.array(type))];
      case "bits":
        throw new Error(`${field.name} stands outside its container`);
    }
  }

  private array({ element, count }: Extract<FieldType, { kind: "array" }>): Part[] {
    const length = this.length(count);
    switch (element.kind) {
      case "int": {
        const type = this.scalar(element.int);
        const exact = isNumber64(element.int)
          ? [`formatter: (values: bigint[]) => values.map(${this.support("exact")})`]
          : [];
        return [["type: ", type], length, ...exact];
      }
      case "struct":
        return [["type: ", this.nested(element.struct, element.args)], length];
      default: {
        // Elements are integers or objects: anything else is the only property of one, and taken out again.
        const parser = this.context.imported("Parser");
        const [method, given] =
          element.kind === "array"
            ? ["array", this.array(element)]
            : ["buffer", element.kind === "bits" ? [] : this.bytes(element)];
        return [
          code`type: new ${parser}().${method}("element", { ${join(given, ", ")} })`,
          length,
          "formatter: (elements: { element: unknown }[]) => elements.map(({ element }) => element)",
        ];
      }
    }
  }

  private bytes(type: Extract<FieldType, { kind: "bytes" | "text" }>): Part[] {
    const made = (bytes: Part): Part => {
      if (type.kind === "bytes") return bytes;
      const text: Part = [this.support("text"), "(", bytes, ")"];
      return type.padded ? [this.support("withoutPadding"), "(", text, ")"] : text;
    };
    const result = type.kind === "bytes" ? "Uint8Array" : "string";
    const { count } = type;
    if (count.kind === "rest") {
      return [
        'readUntil: "eof"',
        ...(type.kind === "text" ? [["formatter: (bytes: Uint8Array) => ", made("bytes")]] : []),
      ];
    }
    const whole = (length: Part): Part => made([this.support("whole"), "(bytes, ", length, ")"]);
    if (count.kind === "const") {
      return [this.length(count), ["formatter: (bytes: Uint8Array) => ", whole(String(count.value))]];
    }
    const expr = count.kind === "while" ? count.condition : count.expr;
    const self = this.thisOf(expr);
    const head = self === undefined ? "" : `this: ${self}, `;
    return [
      this.length(count),
      [
        `formatter(${head}bytes: Uint8Array): ${result} { return `,
        whole(expression(expr, this.environment())),
        "; }",
      ],
    ];
  }

  private length(count: Count): Part {
    switch (count.kind) {
      case "const":
        return `length: ${count.value}`;
      case "rest":
        return 'readUntil: "eof"';
      case "expr":
      case "bytes":
        return count.expr.kind === "field"
          ? `length: ${JSON.stringify(this.path(count.expr.path))}`
          : this.computed("length", count.expr);
      case "while":
        throw new Error(`${this.struct.name} has an array that goes on while a condition holds`);
    }
  }

  /** Members of the branches become properties of this struct: the choice has no name of its own. */
  private choice(out: Printer, node: Extract<Node, { kind: "if" }>, end: string): void {
    const parser = this.context.imported("Parser");
    out.line(".choice({");
    out.indented(() => {
      out.line(this.computed("tag", node.condition), ",");
      out.line("choices: {");
      out.indented(() => {
        for (const [tag, nodes] of [node.else, node.then].entries()) {
          const empty = nodes.every(({ kind }) => kind === "where");
          out.line(`${tag}: new `, parser, empty ? "()," : "()");
          if (!empty) out.indented(() => this.calls(out, nodes, ","));
        }
      });
      out.line("},");
    });
    out.line(`})${end}`);
  }

  /** The case and its value, as an object. binary-parser numbers the arms: its own tags are neither ranges nor bigints. */
  private tagged(out: Printer, node: SwitchNode, end: string): void {
    const parser = this.context.imported("Parser");
    out.line(`.choice(${JSON.stringify(this.context.property(node, this.struct))}, {`);
    out.indented(() => {
      this.printTag(out, node);
      out.line("choices: {");
      out.indented(() => {
        const kept = node.default.kind === "refuse" ? [] : [node.default.arm.field];
        for (const [index, chosen] of [...node.cases, ...kept].entries()) {
          const name = JSON.stringify(this.context.caseName(chosen, this.struct));
          const field = "labels" in chosen ? chosen.arm?.field : chosen;
          out.line(`${index}: new `, parser, "()");
          out.indented(() => {
            const value = field === undefined ? [] : this.field(field, "value");
            // Its own offset is the only thing that binary-parser can make a property of without reading.
            chain(out, [named("saveOffset", "case", [`formatter: () => ${name}`]), ...value], ",");
          });
        }
      });
      out.line("},");
    });
    out.line(`})${end}`);
  }

  /** No arm has the number -1: binary-parser then throws. */
  private printTag(out: Printer, node: SwitchNode): void {
    const { on, cases } = node;
    const rep = on.rep === "bigint" ? "bigint" : "number";
    const reads = node.default.kind === "skip" ? [on, node.default.condition] : [on];
    const self = this.thisOf(...reads);
    out.block(
      `tag(${self === undefined ? "" : `this: ${self}`}): number`,
      () => {
        out.line("const value = ", expression(on, this.environment()), ";");
        for (const [index, { labels }] of cases.entries()) {
          const tests = labels.map(({ from, to }) => between("value", from, to, rep));
          out.when(join(tests, " || "), `return ${index};`);
        }
        const last = String(cases.length);
        const condition =
          node.default.kind === "skip" ? expression(node.default.condition, this.environment()) : undefined;
        out.line(
          "return ",
          condition === undefined
            ? node.default.kind === "keep"
              ? last
              : "-1"
            : [condition, ` ? ${last} : -1`],
          ";",
        );
      },
      ",",
    );
  }

  /** An option that binary-parser computes from earlier fields of the same struct. */
  private computed(name: string, expr: Expr): Part {
    const self = this.thisOf(expr);
    const value = expression(expr, this.environment());
    return [
      `${name}(${self === undefined ? "" : `this: ${self}`}): number { return `,
      expr.rep === "number" ? value : ["Number(", value, ")"],
      "; }",
    ];
  }

  /** The type of what an expression reads, as far as it reads it. */
  private thisOf(...exprs: readonly Expr[]): string | undefined {
    const paths = exprs.flatMap(pathsOf);
    if (paths.length === 0) return undefined;
    return shapeOf(
      paths.map((path) => ({ names: path.map((field) => this.property(field)), type: typeOf(path) })),
    );
  }

  private environment(): Environment {
    return {
      field: (path) => `this.${this.path(path)}`,
      param: (param) => this.param(param),
      remaining: () => "0",
    };
  }

  private path(path: readonly Field[]): string {
    return path.map((field) => this.property(field)).join(".");
  }

  private nested(struct: Struct, args: readonly Argument[]): Part {
    const given = args.map((arg) =>
      arg.kind === "order" ? this.order(arg.order) : expression(arg.expr, this.environment()),
    );
    const definition = this.context.definition(struct);
    return given.length === 0 ? definition : [definition, "(", join(given, ", "), ")"];
  }

  private property(field: Field): string {
    return this.context.property(field, field.struct);
  }

  private support(name: SupportName): string {
    return this.context.call(name);
  }

  private method(int: IntType): string {
    const suffix = int.bits === 8 || isNative(int) ? "" : int.order === "little" ? "le" : "be";
    return `${int.signed ? "" : "u"}int${int.bits}${suffix}`;
  }

  /** The name of an element's type. */
  private scalar(int: IntType): string {
    if (!isNative(int)) return JSON.stringify(this.method(int));
    const method = this.method(int);
    return `${this.order(int.order)} === "little" ? "${method}le" : "${method}be"`;
  }
}

function chain(out: Printer, calls: readonly Call[], end: string): void {
  let current: string | undefined;
  for (const [index, call] of calls.entries()) {
    if (call.order !== undefined && call.order !== current) out.line(`.endianness(${call.order})`);
    current = call.order ?? current;
    call.print(out, index === calls.length - 1 ? end : "");
  }
}

function named(method: string, name: string, options: readonly Part[]): Call {
  return call(method, [JSON.stringify(name)], options);
}

function call(method: string, args: readonly string[], options: readonly Part[] = []): Call {
  const head = `.${method}(${args.join(", ")}`;
  return {
    print(out, end) {
      if (options.length === 0) out.line(`${head})${end}`);
      else out.list(`${head}, {`, options, `})${end}`, " ");
    },
  };
}

/** binary-parser takes an `assert` of 0 for none, and compares a bigint with nothing but itself. */
function constantOf({ role, type }: Field): string[] {
  if (role.kind !== "constant") return [];
  if (type.kind === "int" && type.int.bits === 64)
    return [`assert: (value) => BigInt(value) === ${literal(role.value, "bigint", 16)}`];
  if (role.value === 0n) return ["assert: (value) => value === 0"];
  return [`assert: ${literal(role.value, "number", 16)}`];
}

function parameterType(type: ParamType): string {
  switch (type.kind) {
    case "order":
      return '"little" | "big"';
    case "bool":
      return "boolean";
    case "int":
      return type.int.rep;
  }
}

function between(name: string, from: bigint, to: bigint, rep: Rep): string {
  if (from === to) return `${name} === ${literal(from, rep, 16)}`;
  return `(${name} >= ${literal(from, rep, 16)} && ${name} <= ${literal(to, rep, 16)})`;
}

function isNumber64(int: IntType): boolean {
  return int.bits === 64 && int.rep === "number";
}

/** The order is an argument of the definition. */
function isNative(int: IntType): boolean {
  return int.bits > 8 && typeof int.order === "object";
}

function mayBeginWithBits(slot: Slot | undefined): boolean {
  return slot !== undefined && (slot.kind === "bits" || slot.field.type.kind === "struct");
}

function typeOf(path: readonly Field[]): string {
  const type = path[path.length - 1]?.type;
  return type?.kind === "int" || type?.kind === "bits" ? type.int.rep : "unknown";
}

/** `{ hdr: { length: number }; flags: number }` */
function shapeOf(paths: readonly { readonly names: readonly string[]; readonly type: string }[]): string {
  const firsts = [...new Set(paths.map(({ names }) => names[0] ?? ""))];
  const properties = firsts.map((first) => {
    const below = paths.filter(({ names }) => names[0] === first);
    const [leaf] = below.filter(({ names }) => names.length === 1);
    const type = leaf?.type ?? shapeOf(below.map(({ names, type }) => ({ names: names.slice(1), type })));
    return `${first}: ${type}`;
  });
  return `{ ${properties.join("; ")} }`;
}
