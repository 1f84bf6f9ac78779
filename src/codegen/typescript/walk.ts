/**
 * `walk…` reports every field of a value to a visitor, with its place and its meaning. It finds what `scan…` finds, in
 * the same order, but shows first what is whole, and goes on behind a range that is broken.
 */
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
import { expressionsOf, flatten, membersOf } from "../members.js";
import { camelCase, pascalCase, SCHEMA_FILE } from "../names.js";
import { code, type Part, type Printer } from "../printer.js";
import { printChoice } from "./choice.js";
import type { StructContext, Variables } from "./context.js";
import { type Environment, expression, fieldsOf, goesOn, literal, negation, rangeOf } from "./expressions.js";
import { mentions, type Prelude, printFunction } from "./function.js";
import { isInexact, isWideNumber, place, rawInteger } from "./integers.js";
import { type BitsSlot, descend, rawValue } from "./memory.js";
import { nestedValue, repOf } from "./nested.js";
import { constantCount } from "./read.js";
import { printSites, siteOf } from "./sites.js";
import { closedEnumOf } from "./types.js";

export function printWalk(out: Printer, struct: Struct, context: StructContext): void {
  printSites(out, struct, context);
  if (membersOf(struct.nodes).length > 0) out.blank();
  new StructWalker(out, context).print();
}

const PRELUDES: readonly Prelude[] = [{ name: "view", line: "const { view } = reader;" }];

/** A variable of the function. The function for the body of a range is given those that it uses. */
interface Local {
  readonly name: string;
  readonly type: Part;
}

/** The run that is being printed. */
interface Run {
  /** The variable that holds its place. */
  readonly at: string;
  /** The variable that says that all of it is there and nothing has been found wrong; none where nothing can be. */
  readonly sound: string | undefined;
  /** What to do where a slot does not fit. */
  readonly short: Part;
}

/** The loop over an array that is being printed. */
interface Loop {
  readonly field: Field;
  /** The variable that ends the loop when it becomes false. */
  readonly whole: string;
  /** The visitor that is told about faults. */
  readonly visitor: string;
  /** Somebody else has reported already that there are too few bytes. */
  readonly bounded: boolean;
}

class StructWalker {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly variables: Variables;
  private readonly env: Environment;
  private readonly referenced: ReadonlySet<Field>;
  private readonly paths: readonly { readonly path: readonly Field[]; readonly local: string }[];
  /** Fields whose place an error of a constraint names. */
  private readonly constrained: ReadonlySet<Field>;
  private readonly places = new Map<Field, Part>();
  /** Functions for the bodies of ranges, to stand behind the one that is being printed. */
  private readonly bodies: (readonly string[])[] = [];
  /** The variables that have been declared so far where the printer is. */
  private readonly locals: Local[] = [];
  /** The variable that holds where the struct begins. */
  private start: string | undefined;

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
    this.env = {
      field: (path) =>
        this.paths.find((each) => keyOf(each.path) === keyOf(path))?.local ??
        nestedValue(context, path[0], path.slice(1)),
      param: (param) => context.local(param),
      remaining: () => "reader.end - reader.at",
      peek: (int) => rawInteger(int, "reader.view", "reader.at", context),
    };
    this.constrained = new Set(
      flatten(struct.nodes).flatMap((node) =>
        node.kind === "where" && node.field !== undefined ? [node.field] : [],
      ),
    );
    this.locals.push(...context.parameters());
  }

  print(): void {
    const { out, context } = this;
    const { struct, module } = context;
    const doc = [
      `Reports every field of the \`${struct.name}\` at the cursor. False when it had to end before the value does.`,
    ];
    const params = [this.reader(), this.visitor(), ...context.parameters()];
    const signature = {
      doc,
      exported: true,
      name: module.names.of(struct, "walk"),
      params,
      result: "boolean",
    };
    printFunction(out, signature, () => this.whole(struct), PRELUDES);
    for (const lines of this.bodies) {
      out.blank();
      out.insert(lines);
    }
  }

  private whole({ nodes }: Struct): void {
    if (flatten(nodes).some((node) => node.kind === "where" && node.field === undefined)) {
      this.start = this.declare(this.variables.claim("start"), "number", "reader.at");
    }
    this.nodes(nodes);
    this.out.line("return true;");
  }

  private reader(): Local {
    return { name: "reader", type: this.context.module.runtimeType("Reader") };
  }

  private visitor(): Local {
    return { name: "visitor", type: this.context.module.runtimeType("Visitor") };
  }

  private runtime(name: string): Part {
    return this.context.module.runtime(name);
  }

  /** Declares a variable that what follows may use. */
  private declare(name: string, type: Part, value: Part): string {
    this.out.line(code`const ${name} = ${value};`);
    this.locals.push({ name, type });
    return name;
  }

  /** What is declared inside is not known outside. */
  private scoped(print: () => void): void {
    const known = this.locals.length;
    print();
    this.locals.length = known;
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) this.node(node);
  }

  private node(node: Node): void {
    const { out } = this;
    switch (node.kind) {
      case "run":
        this.run(node);
        break;
      case "field":
        this.field(node.field);
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        out.line("if (", expression(node.condition, this.env), ") {");
        out.indented(() => this.scoped(() => this.nodes(node.then)));
        if (node.else.length > 0) {
          out.line("} else {");
          out.indented(() => this.scoped(() => this.nodes(node.else)));
        }
        out.line("}");
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.scoped(() => this.nodes(node.body)));
        break;
      case "switch":
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  /** An expression that reports a fault and is false. */
  private failure(fault: string, name: string, at: Part, line: number, detail: Part = ""): Part {
    const what = code`${JSON.stringify(fault)}, ${JSON.stringify(name)}, ${at}, ${SCHEMA_FILE}, ${line}`;
    return code`reader.fail(${what}${detail === "" ? "" : [", ", detail]}) || ${this.runtime("report")}(reader, visitor)`;
  }

  private where(node: WhereNode): void {
    const at = (node.field === undefined ? this.start : this.places.get(node.field)) ?? "reader.at";
    const failure = this.failure(
      "constraint",
      node.field?.name ?? "",
      at,
      node.line,
      JSON.stringify(node.text),
    );
    this.out.when(negation(node.condition, this.env), "return ", failure, ";");
  }

  private choice(node: SwitchNode): void {
    printChoice(this.out, node, this.context, this.env, this.variables, {
      arm: (_, arm) => {
        if (arm !== undefined) this.scoped(() => this.nodes(arm.nodes));
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        const tag = code`String(${expression(node.on, this.env)})`;
        this.out.line("return ", this.failure("tag", node.name, "reader.at", line, tag), ";");
      },
    });
  }

  /** The body of a range is a function of its own: whatever breaks in it, the walk goes on behind the range. */
  private range(node: RangeNode): void {
    const { module, struct } = this.context;
    const length = this.bound(node.length, node.name, node.line, "length");
    const name = module.names.scope.claim(module.names.of(struct, "walk") + pascalCase(node.name));
    const kept = this.keptOf(node);
    const box = kept.length === 0 ? undefined : this.box(kept);
    const passed = this.rangeBody(name, node, kept, box);
    const whole = this.within(length, node.name, node.line, (inner, sound) => {
      this.out.line(`const ${sound} = ${name}(reader, ${inner}${passed});`);
    });
    if (box === undefined) return;
    // What follows depends on something in the range, so it cannot be read when that is broken.
    this.out.when(`!${whole}`, "return false;");
    for (const local of kept) this.declare(local.name, local.type, `${box.name}.${local.name}`);
  }

  /** The variables of the body of a range that what follows the range needs. */
  private keptOf({ body }: RangeNode): Local[] {
    const { struct } = this.context;
    const fields = new Set(
      membersOf(body).flatMap((member) => (member.kind === "field" ? [member.field] : [])),
    );
    const inside = new Set(expressionsOf({ ...struct, nodes: body }));
    const outside = expressionsOf(struct).filter((expr) => !inside.has(expr));
    const kept = new Map<string, Local>();
    for (const path of outside.flatMap(fieldsOf)) {
      const [first] = path;
      const last = path[path.length - 1];
      if (first === undefined || last === undefined || !fields.has(first)) continue;
      const local =
        this.paths.find((each) => keyOf(each.path) === keyOf(path))?.local ?? this.context.local(first);
      kept.set(local, { name: local, type: repOf(last) });
    }
    return [...kept.values()];
  }

  /** An object through which the function for the body of a range gives its variables back. */
  private box(kept: readonly Local[]): Local {
    const name = this.variables.claim("kept");
    const properties = kept.map((local) => `${local.name}: ${local.type === "bigint" ? "0n" : "0"}`);
    const type = `{ ${kept.map((local) => `${local.name}: ${this.out.text(local.type)}`).join("; ")} }`;
    this.out.line(`const ${name} = { ${properties.join(", ")} };`);
    return { name, type };
  }

  /** Prints the function for later, and gives the arguments that it takes behind reader and visitor. */
  private rangeBody(
    name: string,
    { body }: RangeNode,
    kept: readonly Local[],
    box: Local | undefined,
  ): string {
    const { out } = this;
    const candidates = box === undefined ? [...this.locals] : [...this.locals, box];
    const lines = dedented(
      out.capture(() => {
        this.scoped(() => this.nodes(body));
        for (const local of kept) out.line(`${box?.name}.${local.name} = ${local.name};`);
        out.line("return true;");
      }),
    );
    const used = candidates.filter((local) => mentions(lines.join("\n"), local.name));
    const params = [this.reader(), this.visitor(), ...used];
    const signature = { doc: [], exported: false, name, params, result: "boolean" };
    const again = (): void => {
      for (const line of lines) out.line(line);
    };
    this.bodies.push(dedented(out.capture(() => printFunction(out, signature, again, PRELUDES))));
    return used.map((local) => `, ${local.name}`).join("");
  }

  /** A range of `length` bytes; what `walk` prints goes through it and declares whether it came to its end. */
  private within(
    length: string,
    path: string,
    line: number,
    walk: (inner: string, whole: string) => void,
  ): string {
    const { out, variables } = this;
    const from = variables.claim("from");
    const outer = variables.claim("outer");
    const inner = variables.claim("inner");
    const whole = variables.claim("whole");
    out.line(`const ${from} = reader.at;`);
    out.line(`const ${outer} = reader.end;`);
    out.line(`const ${inner} = `, this.runtime("enterRange"), `(reader, visitor, ${length});`);
    walk(inner, whole);
    const where = `${JSON.stringify(path)}, ${SCHEMA_FILE}, ${line}`;
    const leave = code`${this.runtime("leaveRange")}(reader, visitor, ${whole}, ${from}, ${length}, ${outer}, ${where})`;
    out.when(code`!${leave}`, "return false;");
    return whole;
  }

  /** A number that bounds something, in a variable, and not negative. */
  private bound(expr: Expr, path: string, line: number, name: string): string {
    const value =
      expr.rep === "bigint" ? code`Number(${expression(expr, this.env)})` : expression(expr, this.env);
    const text = this.out.text(value);
    const isNamed = /^[\w$]+$/.test(text) && !/^\d/.test(text);
    const local = isNamed ? text : this.declare(this.variables.claim(name), "number", text);
    if (rangeOf(expr).min < 0n) {
      this.out.when(
        `${local} < 0`,
        "return ",
        this.failure("range", path, "reader.at", line, `String(${local})`),
        ";",
      );
    }
    return local;
  }

  private run(node: RunNode): void {
    const { out, context } = this;
    if (node.slots.length === 0) return;
    const at = this.declare(this.variables.claim("at"), "number", "reader.at");
    const short = code`return ${this.runtime("reportShort")}(reader, visitor, ${at}, ${context.leaves(node)}, ${SCHEMA_FILE});`;
    const sound = node.slots.some(canFail) ? this.variables.claim("sound") : undefined;
    const run: Run = { at, sound, short };
    if (sound !== undefined) out.line(`let ${sound} = ${node.size} <= reader.end - ${at};`);
    for (const slot of node.slots) {
      const fields = slot.kind === "bits" ? slot.fields : [slot.field];
      for (const field of fields) this.places.set(field, place(at, slot.offset));
      const missing = `${slot.offset + slot.size} > reader.end - ${at}`;
      const composed =
        slot.kind === "field" && (slot.field.type.kind === "struct" || slot.field.type.kind === "array");
      // What is composed shows those of its parts that are whole.
      if (!composed) out.when(missing, short);
      if (slot.kind === "bits") this.bits(slot, run);
      else this.slot(slot, run);
      if (composed) out.when(missing, short);
      if (slot.kind === "field" && slot.field.type.kind === "struct")
        this.pathsOf(slot.field, at, slot.offset);
    }
    out.line(`reader.at = ${at} + ${node.size};`);
    if (sound !== undefined) out.when(`!${sound}`, "return false;");
  }

  private slot({ field, offset, size }: Slot & { readonly kind: "field" }, run: Run): void {
    const { out } = this;
    const { type } = field;
    const here = place(run.at, offset);
    switch (type.kind) {
      case "int":
        this.integer(field, type.int, rawInteger(type.int, "view", here, this.context), here, run);
        return;
      case "bits":
        throw new Error(`${field.name} is in no slot of its own`);
      case "bytes":
      case "text":
        out.line(
          code`visitor.field(${this.site(field)}, -1, ${here}, ${size}, ${this.blob(type, here, place(run.at, offset + size), size)});`,
        );
        break;
      case "struct":
      case "array": {
        const inner = this.variables.claim("inner");
        // What is wrong inside is news only if all of the run is there, and nothing before it is wrong.
        if (canFailIn(type))
          out.line(`const ${inner} = `, this.runtime("heeding"), `(reader, visitor, !${run.sound});`);
        out.line("reader.at = ", here, ";");
        if (type.kind === "struct") {
          out.line(code`visitor.open(${this.site(field)}, -1, ${here});`);
          const walk = this.context.module.feature("walk", type.struct);
          const call = code`${walk}(reader, ${inner}${this.context.arguments(type.args, this.env)})`;
          out.when(code`!${call}`, `${run.sound} = false;`);
          out.line("visitor.close(reader.at);");
        } else {
          const whole = this.variables.claim("whole");
          this.array(
            field,
            type,
            { field, whole, visitor: inner, bounded: true },
            `i < ${constantCount(type)}`,
          );
          out.when(`!${whole}`, `${run.sound} = false;`);
        }
        break;
      }
    }
    if (field.role.kind === "reserved") {
      this.check(
        run,
        code`reader.strict && !reader.isZero(${here}, ${size})`,
        this.failure("reserved", field.name, here, field.line),
      );
    }
  }

  /** A check of something in a run. The first that fails is the one that counts. */
  private check({ sound }: Run, wrong: Part, failure: Part): void {
    if (sound === undefined) throw new Error("a run in which nothing can be wrong is checked");
    this.out.when(code`${sound} && ${wrong}`, code`${sound} = ${failure};`);
  }

  private site(field: Field): string {
    return siteOf(field, this.context);
  }

  /** Bytes or text that is there. */
  private blob(
    type: FieldType & { readonly kind: "bytes" | "text" },
    from: Part,
    to: Part,
    size: Part | number,
  ): Part {
    if (type.kind === "bytes") return code`reader.bytes.subarray(${from}, ${to})`;
    return code`${this.runtime(type.padded ? "readPaddedText" : "readText")}(reader.bytes, ${from}, ${size})`;
  }

  /** An integer or a bit field of a run. `bits` is how the visitor is told about the latter. */
  private integer(field: Field, int: IntType, raw: Part, here: Part, run: Run, bits = ""): void {
    const { out, context } = this;
    const { role, type } = field;
    const wide = type.kind === "int" && isWideNumber(int);
    const closed = closedEnumOf(type);
    const local = context.local(field);
    const isUsed =
      this.referenced.has(field) ||
      wide ||
      closed !== undefined ||
      role.kind === "constant" ||
      role.kind === "reserved";
    const value = isUsed ? this.declare(local, int.rep, raw) : raw;
    // Above 2^53 the number is not what lies there.
    const exact = code`${this.runtime(int.signed ? "exactS64" : "exactU64")}(view, ${here}, ${context.order(int.order)})`;
    const shown = wide ? exact : value;
    out.line(code`visitor.field(${this.site(field)}, -1, ${here}, ${int.bits / 8}, ${shown}${bits});`);
    const failure = (fault: string, detail: Part = ""): Part =>
      this.failure(fault, field.name, here, field.line, detail);
    if (wide) this.check(run, isInexact(int, value), failure("range"));
    if (role.kind === "constant") {
      const expected = literal(role.value, int.rep, 16);
      const where = code`${JSON.stringify(field.name)}, ${here}, ${SCHEMA_FILE}, ${field.line}`;
      const other = code`${this.runtime("otherConstant")}(reader, ${where}, ${expected}, ${value})`;
      this.check(
        run,
        code`${value} !== ${expected}`,
        code`${other} || ${this.runtime("report")}(reader, visitor)`,
      );
    }
    if (closed !== undefined) {
      this.check(
        run,
        code`!${context.module.feature("is", closed)}(${value})`,
        failure("enum", `String(${local})`),
      );
    }
    if (role.kind === "reserved") {
      this.check(
        run,
        code`reader.strict && ${value} !== ${int.rep === "bigint" ? "0n" : "0"}`,
        failure("reserved"),
      );
    }
  }

  private bits(slot: BitsSlot, run: Run): void {
    const here = place(run.at, slot.offset);
    for (const field of slot.fields) {
      if (field.type.kind !== "bits") continue;
      const { shift, width } = field.type;
      const int = { ...field.type.int, bits: slot.int.bits };
      const located = { field, base: run.at, offset: slot.offset, bits: slot, orders: this.context };
      this.integer(field, int, rawValue(located, "view"), here, run, `, ${shift}, ${width}`);
    }
  }

  /** Makes variables of what expressions read inside a nested struct whose place is known. */
  private pathsOf(field: Field, at: string, offset: number): void {
    for (const { path, local } of this.paths) {
      if (path[0] !== field) continue;
      const located = descend(
        { field, base: at, offset, bits: undefined, orders: this.context },
        path.slice(1),
      );
      const { type } = located.field;
      const rep = type.kind === "int" || type.kind === "bits" ? type.int.rep : "number";
      this.declare(local, rep, rawValue(located, "view"));
    }
  }

  /** A field of a size that is not constant. */
  private field(field: Field): void {
    const { out, context } = this;
    const { type } = field;
    const from = this.variables.claim("from");
    if (this.needsPlace(field)) this.declare(from, "number", "reader.at");
    this.places.set(field, from);
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct": {
        const walk = context.module.feature("walk", type.struct);
        const whole = this.variables.claim("whole");
        out.line(code`visitor.open(${this.site(field)}, -1, reader.at);`);
        out.line(code`const ${whole} = ${walk}(reader, visitor${context.arguments(type.args, this.env)});`);
        out.line("visitor.close(reader.at);");
        out.when(`!${whole}`, "return false;");
        this.pathsOf(field, from, 0);
        break;
      }
      case "bytes":
      case "text":
        this.blobField(field, type, from);
        break;
      case "array":
        this.arrayField(field, type, from);
        break;
    }
    if (field.role.kind === "reserved") {
      const failure = this.failure("reserved", field.name, from, field.line);
      out.when(`reader.strict && !reader.isZero(${from}, reader.at - ${from})`, "return ", failure, ";");
    }
  }

  /** Whether what is printed for a field of variable size, or for a constraint on it, refers to where it begins. */
  private needsPlace(field: Field): boolean {
    const { type, role } = field;
    if (role.kind === "reserved" || type.kind === "bytes" || type.kind === "text") return true;
    if (type.kind === "array" && (type.count.kind === "const" || type.count.kind === "expr")) return true;
    return this.constrained.has(field) || this.paths.some(({ path }) => path[0] === field);
  }

  private blobField(field: Field, type: FieldType & { readonly kind: "bytes" | "text" }, from: string): void {
    const { out } = this;
    const { count } = type;
    let size: string;
    switch (count.kind) {
      case "while":
        out.line("while (", goesOn(count.condition, this.env), ") reader.at++;");
        size = `reader.at - ${from}`;
        break;
      case "rest":
        out.when(code`${this.runtime("isCut")}(reader, visitor)`, "return false;");
        out.line("reader.at = reader.end;");
        size = `reader.at - ${from}`;
        break;
      default: {
        size =
          count.kind === "const"
            ? String(count.value)
            : this.bound(count.expr, field.name, field.line, "size");
        const lack = code`${this.runtime("reportLack")}(reader, visitor, ${JSON.stringify(field.name)}, ${from}, ${size}, ${SCHEMA_FILE}, ${field.line})`;
        out.when(`${size} > reader.end - ${from}`, "return ", lack, ";");
        out.line(`reader.at = ${from} + ${size};`);
      }
    }
    out.line(
      code`visitor.field(${this.site(field)}, -1, ${from}, ${size}, ${this.blob(type, from, "reader.at", size)});`,
    );
  }

  private arrayField(field: Field, type: FieldType & { readonly kind: "array" }, from: string): void {
    const { out } = this;
    const { count } = type;
    switch (count.kind) {
      case "const":
        this.counted(field, type, from, String(count.value), BigInt(count.value));
        break;
      case "expr":
        this.counted(
          field,
          type,
          from,
          this.bound(count.expr, field.name, field.line, "count"),
          rangeOf(count.expr).max,
        );
        break;
      case "bytes": {
        const length = this.bound(count.expr, field.name, field.line, "length");
        this.within(length, field.name, field.line, (inner, whole) => this.rest(field, type, inner, whole));
        break;
      }
      case "rest": {
        const whole = this.variables.claim("whole");
        this.rest(field, type, "visitor", whole);
        out.when(`!${whole}`, "return false;");
        break;
      }
      case "while": {
        const whole = this.variables.claim("whole");
        const test = goesOn(count.condition, this.env);
        if (type.element.kind === "array") {
          this.whileRows(field, type, whole, test);
          break;
        }
        this.array(field, type, { field, whole, visitor: "visitor", bounded: false }, test);
        out.when(`!${whole}`, "return false;");
        break;
      }
    }
  }

  /** So many elements; there can be up to `most`. Those that are there are shown, even if there are fewer. */
  private counted(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    from: string,
    count: string,
    most: bigint,
  ): void {
    const { out } = this;
    const { min } = type.elementSize;
    const product = min === 1 ? count : `${count} * ${min}`;
    const isExact = most * BigInt(min) <= BigInt(Number.MAX_SAFE_INTEGER);
    const need = this.variables.claim("need");
    const inner = this.variables.claim("inner");
    const whole = this.variables.claim("whole");
    out.line(`const ${need} = ${isExact ? product : `Math.min(${product}, Number.MAX_SAFE_INTEGER)`};`);
    const tooFew = `${need} > reader.end - ${from}`;
    if (canFailIn(type.element))
      out.line(`const ${inner} = `, this.runtime("heeding"), `(reader, visitor, ${tooFew});`);
    this.array(field, type, { field, whole, visitor: inner, bounded: true }, `i < ${count}`);
    const where = code`${JSON.stringify(field.name)}, ${from}, ${need}, ${SCHEMA_FILE}, ${field.line}`;
    out.when(tooFew, code`return ${this.runtime("reportLack")}(reader, visitor, ${where});`);
    out.when(`!${whole}`, "return false;");
  }

  /** Rows of a constant size as long as `test` holds. What is missing in the last one is missing in the row as a whole. */
  private whileRows(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    whole: string,
    test: Part,
  ): void {
    const { out } = this;
    const { min } = type.elementSize;
    const from = this.variables.claim("from");
    out.line(`const ${from} = reader.at;`);
    const fits = code`${test} && ${min} <= reader.end - reader.at`;
    this.array(field, type, { field, whole, visitor: "visitor", bounded: true }, fits);
    out.when(`!${whole}`, "return false;");
    const path = `\`${field.name}[\${(reader.at - ${from}) / ${min}}]\``;
    const where = code`${path}, reader.at, ${min}, ${SCHEMA_FILE}, ${field.line}`;
    out.when(test, code`return ${this.runtime("reportLack")}(reader, visitor, ${where});`);
  }

  /** Elements up to the end of the range. Declares `whole`. */
  private rest(
    field: Field,
    type: FieldType & { readonly kind: "array" },
    visitor: string,
    whole: string,
  ): void {
    const { out } = this;
    const { min, max } = type.elementSize;
    if (min !== max || min === 1) {
      this.array(field, type, { field, whole, visitor, bounded: min === max }, "reader.at < reader.end");
      return;
    }
    const left = this.variables.claim("left");
    const heeding = this.variables.claim("inner");
    out.line(`const ${left} = reader.end - reader.at;`);
    if (canFailIn(type.element)) {
      out.line(
        `const ${heeding} = `,
        this.runtime("heeding"),
        `(reader, ${visitor}, ${left} % ${min} !== 0);`,
      );
    }
    const all = this.variables.claim("all");
    this.array(
      field,
      type,
      { field, whole: all, visitor: heeding, bounded: true },
      `${min} <= reader.end - reader.at`,
    );
    const path = `\`${field.name}[\${Math.floor(${left} / ${min})}]\``;
    const where = code`${path}, reader.end - (${left} % ${min}), ${min}, ${SCHEMA_FILE}, ${field.line}`;
    const part = code`${this.runtime("reportLack")}(reader, ${visitor}, ${where})`;
    out.line(code`const ${whole} = ${left} % ${min} === 0 ? ${all} : ${part};`);
  }

  /** Opens the array, goes through its elements while `test` holds, and declares whether all were whole. */
  private array(field: Field, type: FieldType & { readonly kind: "array" }, loop: Loop, test: Part): void {
    const { out } = this;
    out.line(code`visitor.open(${this.site(field)}, -1, reader.at);`);
    out.line(`let ${loop.whole} = true;`);
    out.block(code`for (let i = 0; ${loop.whole} && ${test}; i++)`, () =>
      this.scoped(() => this.element(type.element, loop, "i", `[\${i}]`)),
    );
    out.line("visitor.close(reader.at);");
  }

  /** One element at the cursor. `path` is the inside of a template literal. */
  private element(type: FieldType, loop: Loop, i: string, path: string): void {
    const { out, context } = this;
    const site = this.site(loop.field);
    if (type.kind === "struct") {
      const walk = context.module.feature("walk", type.struct);
      out.line(`visitor.open(${site}, ${i}, reader.at);`);
      out.line(
        code`${loop.whole} = ${walk}(reader, ${loop.visitor}${context.arguments(type.args, this.env)});`,
      );
      out.line("visitor.close(reader.at);");
      return;
    }
    if (type.kind === "array") {
      const j = String.fromCharCode(i.charCodeAt(0) + 1);
      out.line(`visitor.open(${site}, ${i}, reader.at);`);
      out.block(`for (let ${j} = 0; ${loop.whole} && ${j} < ${constantCount(type)}; ${j}++)`, () => {
        this.element(type.element, loop, j, `[\${${j}}]`);
      });
      out.line("visitor.close(reader.at);");
      return;
    }
    if (type.kind === "bits") throw new Error("bit fields are no elements");
    const size = type.kind === "int" ? type.int.bits / 8 : constantCount(type);
    const here = this.variables.claim("at");
    const lack = code`${this.runtime("reportLack")}(reader, ${loop.visitor}, \`${path}\`, ${here}, ${size}, ${SCHEMA_FILE}, ${loop.field.line})`;
    out.line(`const ${here} = reader.at;`);
    out.block(`if (${size} > reader.end - ${here})`, () => {
      out.line(`${loop.whole} = `, loop.bounded ? "false" : lack, ";");
      out.line("break;");
    });
    const value =
      type.kind === "int" ? this.elementValue(type, here) : this.blob(type, here, `${here} + ${size}`, size);
    out.line(code`visitor.field(${site}, ${i}, ${here}, ${size}, ${value});`);
    out.line(`reader.at = ${here} + ${size};`);
    if (type.kind === "int") this.elementChecks(type, loop, here, path);
  }

  private elementValue({ int }: FieldType & { readonly kind: "int" }, here: string): Part {
    if (!isWideNumber(int)) return rawInteger(int, "view", here, this.context);
    return code`${this.runtime(int.signed ? "exactS64" : "exactU64")}(view, ${here}, ${this.context.order(int.order)})`;
  }

  private elementChecks(
    type: FieldType & { readonly kind: "int" },
    loop: Loop,
    here: string,
    path: string,
  ): void {
    const { out, context } = this;
    const raw = rawInteger(type.int, "view", here, context);
    const failure = (fault: string, detail: Part): Part => {
      const what = code`"${fault}", \`${path}\`, ${here}, ${SCHEMA_FILE}, ${loop.field.line}${detail}`;
      return code`${loop.whole} = reader.fail(${what}) || ${this.runtime("report")}(reader, ${loop.visitor});`;
    };
    if (isWideNumber(type.int)) out.when(isInexact(type.int, raw), failure("range", ""));
    const closed = closedEnumOf(type);
    if (closed !== undefined) {
      out.when(
        code`!${context.module.feature("is", closed)}(${raw})`,
        failure("enum", code`, String(${raw})`),
      );
    }
  }
}

/** Whether anything but missing bytes can be wrong in a slot, or something in it has to be told that there is. */
function canFail(slot: Slot): boolean {
  if (slot.kind === "bits")
    return slot.fields.some(({ role, type }) => isCheckedRole(role.kind) || closedEnumOf(type) !== undefined);
  const { type, role } = slot.field;
  if (isCheckedRole(role.kind) || type.kind === "struct" || type.kind === "array") return true;
  return type.kind === "int" && (isWideNumber(type.int) || closedEnumOf(type) !== undefined);
}

/** Whether what is printed for the parts of a value needs a visitor that heeds faults or does not. */
function canFailIn(type: FieldType): boolean {
  if (type.kind === "array") return canFailIn(type.element);
  return (
    type.kind === "struct" ||
    (type.kind === "int" && (isWideNumber(type.int) || closedEnumOf(type) !== undefined))
  );
}

function isCheckedRole(role: Field["role"]["kind"]): boolean {
  return role === "constant" || role === "reserved";
}

/** Lines printed at some depth, moved to the margin. */
function dedented(lines: readonly string[]): string[] {
  const depth = Math.min(
    ...lines.filter((line) => line !== "").map((line) => line.length - line.trimStart().length),
  );
  return lines.map((line) => line.slice(depth));
}

function keyOf(path: readonly Field[]): string {
  return path.map(({ name }) => name).join(".");
}
