/** `write…` puts a value at the cursor of a writer; `encode…` gives the bytes of a value, and refuses what does not fit. */
import type {
  Expr,
  Field,
  FieldType,
  IfNode,
  IntType,
  Measured,
  Node,
  OptionalNode,
  RangeNode,
  RunNode,
  Slot,
  Struct,
  SwitchNode,
  WhereNode,
} from "../../schema/ir.js";
import { armsOf, flatten, isKept, type Member, membersOf, presenceOf, valueMembersOf } from "../members.js";
import { SCHEMA_FILE } from "../names.js";
import { code, join, type Part, type Printer } from "../printer.js";
import { printChoice } from "./choice.js";
import type { StructContext, Variables } from "./context.js";
import { sizeText } from "./docs.js";
import { type Environment, expression, fieldsOf, literal, negation, readsRemaining } from "./expressions.js";
import { printFunction } from "./function.js";
import { isWideNumber, place, rawInteger, writeInteger } from "./integers.js";
import { easilyMeasured, measuredNumber, nestedValue, repOf, stepped } from "./nested.js";
import { constantCount, onlyRunOf } from "./read.js";
import { closedEnumOf } from "./types.js";

export function printWrite(out: Printer, struct: Struct, context: StructContext): void {
  const { module } = context;
  const { names } = module;
  const params = context.parameters();
  const passed = context.passedOn();
  const writer = { name: "writer", type: module.runtimeType("Writer") };
  const value = { name: "value", type: names.type(struct) };
  const flat = struct.fixed === undefined ? undefined : onlyRunOf(struct);

  if (struct.fixed !== undefined) {
    const doc = [`Writes the ${sizeText(struct.size)} at \`at\`, for which the caller has made room.`];
    const at = { name: "at", type: "number" };
    const signature = {
      doc,
      exported: true,
      name: names.of(struct, "writeAt"),
      params: [writer, at, value, ...params],
      result: "void",
    };
    if (flat === undefined) {
      printFunction(out, signature, () => {
        out.line("const back = writer.at;");
        out.line("writer.at = at;");
        out.line(`${names.of(struct, "write")}(writer, value`, passed, ");");
        out.line("writer.at = back;");
      });
    } else {
      const preludes = [{ name: "view", line: "const { view } = writer;" }];
      printFunction(out, signature, () => new StructWriter(out, context).flat(), preludes);
    }
    out.blank();
  }

  const doc = ["Writes at the cursor. Offsets in its errors count from the start of the writer's memory."];
  const signature = {
    doc,
    exported: true,
    name: names.of(struct, "write"),
    params: [writer, value, ...params],
    result: "void",
  };
  if (flat !== undefined) {
    printFunction(out, signature, () => {
      out.line(`${names.of(struct, "writeAt")}(writer, writer.take(${struct.fixed}), value`, passed, ");");
    });
  } else {
    printFunction(out, signature, () => new StructWriter(out, context).whole());
  }
  out.blank();

  const encode = {
    doc: [
      `Encodes \`struct ${struct.name}\`.`,
      "@throws WireError when a part of the value does not fit its field, or breaks a rule of the schema.",
    ],
    exported: true,
    name: names.of(struct, "encode"),
    params: [value, ...params],
    result: "Uint8Array",
  };
  printFunction(out, encode, () => {
    const size: Part =
      struct.fixed === undefined
        ? [`${names.of(struct, "sizeof")}(value`, passed, ")"]
        : names.of(struct, "size");
    out.line("const writer = new ", module.runtime("Writer"), "(", size, ");");
    out.line(`${names.of(struct, "write")}(writer, value`, passed, ");");
    out.line("return writer.written();");
  });
}

/** An integer that may not fit. */
interface Fit {
  readonly misfits: Part;
  /** What the slow path needs to name it: name, bits (negative when signed), offset, line. */
  readonly entry: Part;
  readonly value: Part;
}

/** A derived field that can be written only when what it measures has been. */
interface Patch {
  readonly field: Field;
  readonly slot: Slot;
  readonly at: Part;
}

class StructWriter {
  private readonly out: Printer;
  private readonly context: StructContext;
  private readonly variables: Variables;
  private readonly env: Environment;
  /** By what they wait for. */
  private readonly patches = new Map<Field | RangeNode, Patch>();
  /** Derived fields that still hold a placeholder. */
  private readonly pending = new Set<Field>();
  /** Constraints on those. */
  private readonly postponed: { readonly node: WhereNode; readonly waitsFor: Field }[] = [];
  /** What derived fields measure: its own size or count needs no check. */
  private readonly measured: ReadonlySet<Field | RangeNode>;
  /** What is written whenever the nodes that are being printed are: a field that measures it is always patched. */
  private readonly certain = new Set<Field | RangeNode>();
  /** What an `if` around has found given. */
  private readonly found = new Set<Field | SwitchNode>();
  private readonly places = new Map<Field, Part>();

  constructor(out: Printer, context: StructContext) {
    this.out = out;
    this.context = context;
    this.variables = context.variables();
    this.measured = new Set(
      membersOf(context.struct.nodes).flatMap((member) =>
        member.kind === "switch" || member.field.role.kind !== "derived"
          ? []
          : [measuredNode(member.field.role.of)],
      ),
    );
    this.env = {
      field: ([first, ...others]) => {
        if (first?.role.kind === "constant") return literal(first.role.value, repOf(first), 16);
        return nestedValue(context, first, others);
      },
      param: (param) => context.local(param),
      remaining: () => {
        throw new Error("what remains is not known on encode");
      },
    };
  }

  /** The body of a function that is given the place of the one run. */
  flat(): void {
    this.variables.claim("at");
    this.variables.claim("view");
    this.destructure();
    for (const node of this.context.struct.nodes) {
      if (node.kind === "run") this.slots(node, "at", "view");
      else if (node.kind === "where") this.where(node);
    }
  }

  whole(): void {
    this.destructure();
    this.nodes(this.context.struct.nodes);
  }

  private destructure(): void {
    const members = valueMembersOf(this.context.struct.nodes);
    if (members.length === 0) return;
    const names = members.map((member): Part => {
      const subject = member.kind === "field" ? member.field : member.node;
      const [property, local] = [this.context.property(subject), this.context.local(subject)];
      const name = property === local ? local : `${property}: ${local}`;
      return member.kind === "field" && isLeftToZero(member.field)
        ? `${name} = ${literal(0n, repOf(member.field))}`
        : name;
    });
    this.out.list("const {", names, "} = value;", " ");
  }

  private nodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.kind === "field") this.certain.add(node.field);
      else if (node.kind === "range") this.certain.add(node);
    }
    nodes.forEach((node, index) => {
      if (node.kind === "optional") this.optional(node, nodes.slice(index + 1));
      else this.node(node);
    });
  }

  private node(node: Exclude<Node, OptionalNode>): void {
    switch (node.kind) {
      case "run": {
        const at = this.variables.claim("at");
        const view = this.variables.claim("view");
        this.out.line(`const ${at} = writer.take(${node.size});`);
        const body = this.out.capture(() => this.slots(node, at, view));
        if (body.some((line) => line.includes(view)))
          this.out.line(view === "view" ? "const { view } = writer;" : `const ${view} = writer.view;`);
        this.out.insert(body);
        break;
      }
      case "field":
        this.measuring(node.field, () => this.field(node.field, this.context.local(node.field)));
        break;
      case "range":
        this.range(node);
        break;
      case "if":
        this.condition(node);
        break;
      case "switch":
        if (node.conditional) this.missing(node, node.name, node.line);
        this.choice(node);
        break;
      case "where":
        this.where(node);
        break;
    }
  }

  // Conditions

  private condition(node: IfNode): void {
    const { out } = this;
    const presence = presenceOf(node.then);
    if (!readsRemaining(node.condition)) out.line("if (", expression(node.condition, this.env), ") {");
    else out.line("if (", this.anyGiven(presence), ") {");
    out.indented(() => {
      for (const member of valueMembersOf(node.else)) this.unexpected(member);
      this.nodes(node.then);
    });
    const excluded = valueMembersOf(node.then);
    if (excluded.length > 0 || node.else.length > 0) {
      out.line("} else {");
      out.indented(() => {
        for (const member of excluded) this.unexpected(member);
        this.nodes(node.else);
      });
    }
    out.line("}");
  }

  /** There when its first value is given. One further on without it would be read as this one. */
  private optional(node: OptionalNode, following: readonly Node[]): void {
    const { out } = this;
    const presence = presenceOf(node.body);
    const [first] = presence;
    if (first === undefined) return;
    if (presence.length === 1) this.found.add(subjectOf(first));
    out.line("if (", this.anyGiven(presence), ") {");
    out.indented(() => this.nodes(node.body));
    const later = valueMembersOf(following.filter((each) => each.kind === "optional"));
    const telling = new Set(presence.map(subjectOf));
    const others = valueMembersOf(node.body).filter((member) => !telling.has(subjectOf(member)));
    if (later.length > 0) {
      out.chain(
        "} else if (",
        later.map((member) => this.isGiven(member)),
        "||",
        ") {",
      );
      out.indented(() =>
        out.line("throw ", this.missingError(subjectOf(first).name, subjectOf(first).line), ";"),
      );
    }
    if (others.length > 0) {
      out.line("} else {");
      out.indented(() => {
        for (const member of others) this.unexpected(member);
      });
    }
    out.line("}");
  }

  private anyGiven(members: readonly Member[]): Part {
    if (members.length === 0) return "false";
    return join(
      members.map((member) => this.isGiven(member)),
      " || ",
    );
  }

  private isGiven(member: Member): Part {
    return `${this.context.local(subjectOf(member))} !== undefined`;
  }

  private missingError(name: string, line: number): Part {
    return code`${this.context.module.runtime("missing")}(writer, ${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line})`;
  }

  private missing(subject: Field | SwitchNode, name: string, line: number): void {
    if (this.found.has(subject)) return;
    this.out.when(
      `${this.context.local(subject)} === undefined`,
      "throw ",
      this.missingError(name, line),
      ";",
    );
  }

  private unexpected(member: Member): void {
    const { name, line } = subjectOf(member);
    const error = code`${this.context.module.runtime("unexpected")}(writer, ${JSON.stringify(name)}, ${SCHEMA_FILE}, ${line})`;
    this.out.when(this.isGiven(member), "throw ", error, ";");
  }

  private where(node: WhereNode): void {
    if (readsRemaining(node.condition)) return;
    const waitsFor = fieldsOf(node.condition)
      .flat()
      .find((field) => this.pending.has(field));
    if (waitsFor !== undefined) {
      this.postponed.push({ node, waitsFor });
      return;
    }
    const at = (node.field === undefined ? undefined : this.places.get(node.field)) ?? "writer.at";
    const name = JSON.stringify(node.field?.name ?? "");
    this.out.when(
      negation(node.condition, this.env),
      code`throw ${this.context.module.runtime("broken")}(writer, ${name}, ${at}, ${SCHEMA_FILE}, ${node.line}, ${JSON.stringify(node.text)});`,
    );
  }

  // Runs

  private slots(run: RunNode, at: string, view: string): void {
    for (const slot of run.slots) {
      for (const field of fieldsOfSlot(slot)) this.prepare(field, slot, place(at, slot.offset));
    }
    this.checkFits(
      run.slots.flatMap((slot) => fieldsOfSlot(slot).flatMap((field) => this.fitOf(field, slot.offset))),
      at,
    );
    for (const slot of run.slots) {
      for (const field of fieldsOfSlot(slot)) this.checkClosed(field, place(at, slot.offset));
    }
    for (const slot of run.slots) {
      if (slot.kind === "bits") this.out.line(this.container(slot, at, view));
      else this.slot(slot.field, at, slot.offset, view);
    }
  }

  /** Makes sure that there is a value to write. */
  private prepare(field: Field, slot: Slot, at: Part): void {
    this.places.set(field, at);
    const local = this.context.local(field);
    if (field.conditional && field.role.kind === "value") this.missing(field, field.name, field.line);
    if (field.role.kind !== "derived") return;
    const { of, steps } = field.role;
    const measurable = easilyMeasured(of);
    if (measurable === undefined) {
      this.patches.set(measuredNode(of), { field, slot, at });
      this.pending.add(field);
      return;
    }
    const measured = measuredNumber(measurable, this.context.local(measurable.field));
    this.checkDivisions(field, measured, at);
    this.out.line(code`const ${local} = ${stepped(measured, steps, repOf(field))};`);
  }

  /** What is to be divided must come out even: otherwise no value of the field says this length. */
  private checkDivisions(field: Field, measured: Part, at: Part): void {
    if (field.role.kind !== "derived") return;
    const { steps } = field.role;
    steps.forEach(({ op, by }, index) => {
      if (op !== "div") return;
      const before = stepped(measured, steps.slice(0, index), "number");
      this.out.when(
        code`(${before}) % ${by.toString()} !== 0`,
        code`throw writer.error("length", ${JSON.stringify(field.name)}, ${at}, ${schemaLine(field.line)}, ${JSON.stringify(`not a multiple of ${by}`)});`,
      );
    });
  }

  private fitOf(field: Field, offset: number): Fit[] {
    const { type, role } = field;
    if (
      role.kind === "constant" ||
      this.pending.has(field) ||
      isAnyLength(field) ||
      (type.kind !== "int" && type.kind !== "bits")
    )
      return [];
    const value = this.given(field);
    const bits = type.kind === "bits" ? type.width : type.int.signed ? -type.int.bits : type.int.bits;
    return [
      {
        misfits: misfits(
          type.kind === "bits" ? { ...type.int, signed: false } : type.int,
          Math.abs(bits),
          value,
        ),
        entry: code`[${JSON.stringify(field.name)}, ${bits}, ${offset}, ${field.line}]`,
        value,
      },
    ];
  }

  /** One condition for all; which of them it was is found out when it holds. */
  private checkFits(fits: readonly Fit[], at: Part): void {
    if (fits.length === 0) return;
    const { out } = this;
    out.chain(
      "if (",
      fits.map((fit) => fit.misfits),
      "||",
      ") {",
    );
    out.indented(() =>
      this.throwMisfit(
        at,
        fits.map((fit) => fit.entry),
        fits.map((fit) => fit.value),
      ),
    );
    out.line("}");
  }

  private throwMisfit(at: Part, entries: readonly Part[], values: readonly Part[]): void {
    const head = code`throw ${this.context.module.runtime("misfit")}(writer, ${at}, ${SCHEMA_FILE}, `;
    this.out.listAndRest(head, entries, values, ");");
  }

  private checkClosed(field: Field, at: Part): void {
    const closed = closedEnumOf(field.type);
    if (closed === undefined || field.role.kind === "constant") return;
    this.guard(closed, this.given(field), JSON.stringify(field.name), at, field.line);
  }

  private guard(
    closed: NonNullable<ReturnType<typeof closedEnumOf>>,
    value: Part,
    name: string,
    at: Part,
    line: number,
  ): void {
    this.out.when(
      code`!${this.context.module.feature("is", closed)}(${value})`,
      code`throw writer.error("enum", ${name}, ${at}, ${schemaLine(line)}, String(${value}));`,
    );
  }

  /** The variable that holds a number to write. Reserved ones that some values lack have no default. */
  private given(field: Field): Part {
    const local = this.context.local(field);
    if (field.role.kind !== "reserved" || !field.conditional) return local;
    return `(${local} ?? ${literal(0n, repOf(field))})`;
  }

  private slot(field: Field, at: string, offset: number, view: string): void {
    const { type, role } = field;
    const here = place(at, offset);
    if (type.kind === "int") {
      if (role.kind === "derived" && this.pending.has(field) && this.certain.has(measuredNode(role.of)))
        return;
      const value =
        role.kind === "constant"
          ? literal(role.value, type.int.rep, 16)
          : this.pending.has(field)
            ? literal(0n, type.int.rep)
            : this.given(field);
      this.out.line(writeInteger(type.int, view, here, value, this.context));
      return;
    }
    const local = this.context.local(field);
    if (role.kind === "reserved" && type.kind === "bytes") {
      this.reserved(field, here, String(field.size.min));
      return;
    }
    this.fixed(type, local, at, offset, view, subject(field));
  }

  /** Bytes as they were, or zeros. */
  private reserved(field: Field, at: Part, size: Part): void {
    const { module } = this.context;
    const name = JSON.stringify(field.name);
    this.out.line(
      code`${module.runtime("writeReserved")}(writer, ${this.context.local(field)}, ${at}, ${size}, ${name}, ${SCHEMA_FILE}, ${field.line});`,
    );
  }

  private container(slot: Slot & { kind: "bits" }, at: string, view: string): Part {
    const big = slot.int.bits === 64;
    const parts = slot.fields.map((field): Part => {
      if (field.type.kind !== "bits") throw new Error(`${field.name} is not a bit field`);
      const { shift, int } = field.type;
      const value: Part =
        field.role.kind === "constant"
          ? literal(field.role.value, int.rep, 16)
          : this.pending.has(field)
            ? literal(0n, int.rep)
            : this.given(field);
      const wide = big && int.rep === "number" ? code`BigInt(${value})` : value;
      return shift === 0 ? wide : code`(${wide} << ${shift}${big ? "n" : ""})`;
    });
    // DataView takes the low 32 bits, so a sign that came from the shift does no harm.
    const int: IntType = { ...slot.int, signed: false, rep: big ? "bigint" : "number" };
    return writeInteger(int, view, place(at, slot.offset), join(parts, " | "), this.context);
  }

  // Values

  /** A value of constant size, for which there is room. */
  private fixed(type: FieldType, value: Part, base: Part, offset: number, view: string, what: Subject): void {
    const { out, context } = this;
    const here = place(base, offset);
    switch (type.kind) {
      case "int": {
        const fits = misfits(type.int, type.int.bits, value);
        const bits = type.int.signed ? -type.int.bits : type.int.bits;
        out.line("if (", fits, ") {");
        out.indented(() =>
          this.throwMisfit(here, [code`[${pathText(what)}, ${bits}, 0, ${what.line}]`], [value]),
        );
        out.line("}");
        const closed = closedEnumOf(type);
        if (closed !== undefined) this.guard(closed, value, pathText(what), here, what.line);
        out.line(writeInteger(type.int, view, here, value, context));
        break;
      }
      case "bits":
        throw new Error("a bit field is not a value of its own");
      case "bytes":
        this.checkLength(value, String(constantCount(type)), "bytes", what, here);
        out.line(code`writer.bytes.set(${value}, ${here});`);
        break;
      case "text":
        this.text(value, here, String(constantCount(type)), what);
        break;
      case "struct":
        this.nested(what, () => {
          const write = context.module.feature("writeAt", type.struct);
          out.line(code`${write}(writer, ${here}, ${value}${context.arguments(type.args, this.env)});`);
        });
        break;
      case "array":
        this.checkLength(value, String(constantCount(type)), "elements", what, here);
        this.fixedElements(type, value, here, view, what);
        break;
    }
  }

  /** Errors of what `body` prints are told what it is called here. */
  private nested(what: Subject, body: () => void): void {
    const { out, context } = this;
    out.line("try {");
    out.indented(body);
    out.line("} catch (error) {");
    out.indented(() =>
      out.line(code`throw ${context.module.runtime("inside")}(error, ${insideArguments(what)});`),
    );
    out.line("}");
  }

  private text(value: Part, at: Part, size: Part, what: Subject): void {
    this.out.when(
      code`!${this.context.module.runtime("writeText")}(writer.bytes, ${at}, ${size}, ${value})`,
      code`throw writer.error("range", ${pathText(what)}, ${at}, ${schemaLine(what.line)}, JSON.stringify(${value}));`,
    );
  }

  private checkLength(
    value: Part,
    needed: Part,
    unit: "bytes" | "elements" | "characters",
    what: Subject,
    at: Part,
  ): void {
    const error = code`${this.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, ${at}, ${SCHEMA_FILE}, ${what.line}, ${needed}, ${value}.length, "${unit}")`;
    this.out.when(code`${value}.length !== ${needed}`, "throw ", error, ";");
  }

  /** Elements of constant size, for which there is room from `at` on. */
  private fixedElements(
    type: FieldType & { kind: "array" },
    value: Part,
    at: Part,
    view: string,
    what: Subject,
  ): void {
    const { out } = this;
    const size = type.elementSize.min;
    const start = typeof at === "string" ? at : this.variables.claim("start");
    if (start !== at) out.line(code`const ${start} = ${at};`);
    const next = this.variables.claim("next");
    const item = this.variables.claim("item");
    const index = size === 1 ? `${next} - ${start}` : `(${next} - ${start}) / ${size}`;
    const each = element(what, index);
    out.line(`let ${next} = ${start};`);
    const loop = (body: () => void): void => {
      out.block(code`for (const ${item} of ${value})`, () => {
        body();
        out.line(`${next} += ${size};`);
      });
    };
    const { element: of } = type;
    if (of.kind !== "struct") {
      loop(() => this.fixed(of, item, next, 0, view, each));
      return;
    }
    // One `try` around the loop, not one for each element.
    this.nested(each, () => {
      loop(() => {
        const write = this.context.module.feature("writeAt", of.struct);
        out.line(code`${write}(writer, ${next}, ${item}${this.context.arguments(of.args, this.env)});`);
      });
    });
  }

  /** A field of a size that is not constant. */
  private field(field: Field, value: string): void {
    const { out, context } = this;
    const { type, role } = field;
    if (field.conditional && role.kind === "value") this.missing(field, field.name, field.line);
    if ([...this.context.struct.nodes].length > 0 && this.isConstrained(field)) {
      const from = this.variables.claim("from");
      out.line(`const ${from} = writer.at;`);
      this.places.set(field, from);
    }
    const what = subject(field);
    switch (type.kind) {
      case "int":
      case "bits":
        throw new Error(`${field.name} has a constant size`);
      case "struct":
        this.nested(what, () => {
          const write = context.module.feature("write", type.struct);
          out.line(code`${write}(writer, ${value}${context.arguments(type.args, this.env)});`);
        });
        break;
      case "bytes":
        if (role.kind === "reserved") {
          this.reservedBytes(field, type, value);
          break;
        }
        this.checkCount(field, type, value, what);
        out.line(`writer.put(${value});`);
        break;
      case "text": {
        this.checkCount(field, type, value, what);
        const at = this.variables.claim("start");
        out.line(`const ${at} = writer.take(${value}.length);`);
        this.text(value, at, `${value}.length`, what);
        break;
      }
      case "array":
        this.elements(field, type, value, what);
        break;
    }
  }

  private isConstrained(field: Field): boolean {
    return flatten(this.context.struct.nodes).some((node) => node.kind === "where" && node.field === field);
  }

  private reservedBytes(field: Field, { count }: FieldType & { kind: "bytes" }, value: string): void {
    const known =
      (count.kind === "expr" || count.kind === "bytes") &&
      !readsRemaining(count.expr) &&
      !this.measured.has(field);
    const size = this.variables.claim("size");
    this.out.line(`const ${size} = `, known ? this.number(count.expr) : `${value}?.length ?? 0`, ";");
    this.reserved(field, `writer.take(${size})`, size);
  }

  private elements(field: Field, type: FieldType & { kind: "array" }, value: string, what: Subject): void {
    const { out, context } = this;
    const { min, max } = type.elementSize;
    this.checkCount(field, type, value, what);
    if (min === max) {
      const start = this.variables.claim("start");
      const view = this.variables.claim("view");
      out.line(`const ${start} = writer.take(${value}.length${min === 1 ? "" : ` * ${min}`});`);
      const body = out.capture(() => this.fixedElements(type, value, start, view, what));
      if (body.some((line) => line.includes(view)))
        out.line(view === "view" ? "const { view } = writer;" : `const ${view} = writer.view;`);
      out.insert(body);
      return;
    }
    const { element: of } = type;
    if (of.kind !== "struct") throw new Error("only structs have a size that is not constant");
    const item = this.variables.claim("item");
    const i = this.variables.claim("i");
    const exact =
      type.count.kind === "bytes" && !this.measured.has(field) && !readsRemaining(type.count.expr);
    const from = exact ? this.variables.claim("from") : "";
    if (exact) out.line(`const ${from} = writer.at;`);
    out.line(`let ${i} = 0;`);
    this.nested(element(what, i), () => {
      out.block(`for (const ${item} of ${value})`, () => {
        out.line(
          code`${context.module.feature("write", of.struct)}(writer, ${item}${context.arguments(of.args, this.env)});`,
        );
        out.line(`${i}++;`);
      });
    });
    if (exact && type.count.kind === "bytes") this.checkSize(from, type.count.expr, field.name, field.line);
  }

  /** The number of elements or bytes is what the other fields say, where it is not they that follow it. */
  private checkCount(
    field: Field,
    type: FieldType & { kind: "bytes" | "text" | "array" },
    value: string,
    what: Subject,
  ): void {
    const { count } = type;
    if (this.measured.has(field)) return;
    const unit = type.kind === "text" ? "characters" : type.kind === "bytes" ? "bytes" : "elements";
    switch (count.kind) {
      case "const":
        this.checkLength(value, String(count.value), unit, what, "writer.at");
        break;
      case "expr":
        if (!readsRemaining(count.expr))
          this.checkLength(value, this.number(count.expr), unit, what, "writer.at");
        break;
      case "bytes": {
        // Elements of different sizes are counted when they have been written.
        if (
          readsRemaining(count.expr) ||
          (type.kind === "array" && type.elementSize.min !== type.elementSize.max)
        )
          break;
        const size = type.kind === "array" ? type.elementSize.min : 1;
        const needed = this.number(count.expr);
        const error = code`${this.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, writer.at, ${SCHEMA_FILE}, ${what.line}, ${needed}, ${value}.length * ${size}, "bytes")`;
        this.out.when(code`${value}.length * ${size} !== ${needed}`, "throw ", error, ";");
        break;
      }
      case "while":
        // Where the condition does not depend on what is left, it says "all" or "none".
        if (!readsRemaining(count.condition)) {
          const error = code`${this.context.module.runtime("wrongLength")}(writer, ${pathText(what)}, writer.at, ${SCHEMA_FILE}, ${what.line}, 0, ${value}.length, "${unit}")`;
          this.out.when(
            code`${value}.length > 0 && ${negation(count.condition, this.env)}`,
            "throw ",
            error,
            ";",
          );
        }
        break;
      case "rest":
        break;
    }
  }

  /** An expression as a number that an `!==` may follow. */
  private number(expr: Expr): Part {
    if (expr.rep === "bigint") return code`Number(${expression(expr, this.env)})`;
    const simple = expr.kind === "field" || expr.kind === "param" || expr.kind === "int";
    return simple ? expression(expr, this.env) : ["(", expression(expr, this.env), ")"];
  }

  private range(node: RangeNode): void {
    const { out } = this;
    const exact = !this.measured.has(node) && !readsRemaining(node.length);
    this.measuring(node, () => {
      if (!exact) {
        this.nodes(node.body);
        return;
      }
      const from = this.variables.claim("from");
      out.line(`const ${from} = writer.at;`);
      this.nodes(node.body);
      this.checkSize(from, node.length, node.name, node.line);
    });
  }

  private checkSize(from: string, length: Expr, name: string, line: number): void {
    const needed = this.number(length);
    const error = code`${this.context.module.runtime("wrongLength")}(writer, ${JSON.stringify(name)}, ${from}, ${SCHEMA_FILE}, ${line}, ${needed}, writer.at - ${from}, "bytes")`;
    this.out.when(code`writer.at - ${from} !== ${needed}`, "throw ", error, ";");
  }

  /** Writes the derived field that waits for what `body` prints. */
  private measuring(subjectNode: Field | RangeNode, body: () => void): void {
    const patch = this.patches.get(subjectNode);
    if (patch === undefined) {
      body();
      return;
    }
    const { out, context } = this;
    const { field, slot, at } = patch;
    if (field.role.kind !== "derived") throw new Error(`${field.name} is not derived`);
    const start = this.variables.claim("from");
    out.line(`const ${start} = writer.at;`);
    body();
    const size = code`writer.at - ${start}`;
    this.checkDivisions(field, size, at);
    const { steps } = field.role;
    const local = context.local(field);
    out.line(
      code`const ${local} = ${stepped(steps.length === 0 ? size : code`(${size})`, steps, repOf(field))};`,
    );
    this.pending.delete(field);
    const constraints = this.postponed.filter(({ waitsFor }) => waitsFor === field).map(({ node }) => node);
    // A size that its constraint holds within its bits is not asked twice.
    if (!constraints.some(({ condition }) => isCapOf(condition, field))) {
      this.checkFits(this.fitOf(field, 0), at);
    }
    for (const node of constraints) this.where(node);
    if (field.type.kind === "bits" && slot.kind === "bits") this.patchBits(field, slot, at);
    else if (field.type.kind === "int")
      out.line(writeInteger(field.type.int, "writer.view", at, local, context));
  }

  private patchBits(field: Field, slot: Slot & { kind: "bits" }, at: Part): void {
    if (field.type.kind !== "bits") return;
    const big = slot.int.bits === 64;
    const int: IntType = { ...slot.int, signed: false, rep: big ? "bigint" : "number" };
    const local = this.context.local(field);
    const wide = big && field.type.int.rep === "number" ? `BigInt(${local})` : local;
    const { shift } = field.type;
    const shifted = shift === 0 ? wide : `(${wide} << ${shift}${big ? "n" : ""})`;
    const bits = rawInteger(int, "writer.view", at, this.context);
    this.out.line(writeInteger(int, "writer.view", at, code`${bits} | ${shifted}`, this.context));
  }

  /** The tag is not known on encode: the value says by itself which case it is. */
  private choiceByName(node: SwitchNode): void {
    const { out, context } = this;
    const local = context.local(node);
    out.block(`switch (${local}.case)`, () => {
      for (const { field, from } of armsOf(node)) {
        const arm =
          from === undefined ? (node.default.kind === "refuse" ? undefined : node.default.arm) : from.arm;
        const chosen = from ?? field;
        if (chosen === undefined || arm === undefined) continue;
        out.line(`case ${JSON.stringify(context.caseName(chosen))}: {`);
        out.indented(() => {
          this.armValue(arm.field, local);
          this.nodes(arm.nodes);
          out.line("break;");
        });
        out.line("}");
      }
    });
  }

  private armValue(field: Field, union: string): void {
    const zero = isLeftToZero(field) ? ` ?? ${literal(0n, repOf(field))}` : "";
    if (field.role.kind !== "constant")
      this.out.line(`const ${this.context.local(field)} = ${union}.value${zero};`);
  }

  private choice(node: SwitchNode): void {
    if (readsRemaining(node.on)) {
      this.choiceByName(node);
      return;
    }
    const { out, context } = this;
    const local = context.local(node);
    const single = node.cases.length + (node.default.kind === "refuse" ? 0 : 1) === 1;
    printChoice(out, node, context, this.env, this.variables, {
      arm: (name, arm) => {
        // With one case there is no other that TypeScript knows of, and `case` has no type on the bad path.
        const given = single ? "" : `, ${local}.case`;
        out.when(
          `${local}.case !== ${JSON.stringify(name)}`,
          code`throw writer.error("case", ${JSON.stringify(node.name)}, writer.at, ${schemaLine(node.line)}${given});`,
        );
        if (arm === undefined) return;
        this.armValue(arm.field, local);
        this.nodes(arm.nodes);
      },
      refuse: () => {
        const line = node.default.kind === "refuse" ? node.default.line : node.line;
        out.line(
          code`throw writer.error("tag", ${JSON.stringify(node.name)}, writer.at, ${schemaLine(line)}, String(${expression(node.on, this.env)}));`,
        );
      },
    });
  }
}

/** What an error is about: a field, or an element of it. */
interface Subject {
  /** The field's name with the indices of outer dimensions, as the inside of a template literal. */
  readonly name: string;
  /** An expression for the index in the innermost dimension. */
  readonly index: string | undefined;
  readonly line: number;
}

function subject({ name, line }: Field): Subject {
  return { name, index: undefined, line };
}

function element(what: Subject, index: string): Subject {
  return what.index === undefined
    ? { ...what, index }
    : { ...what, name: `${what.name}[\${${what.index}}]`, index };
}

function pathText({ name, index }: Subject): string {
  if (index !== undefined) return `\`${name}[\${${index}}]\``;
  return name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
}

function insideArguments({ name, index }: Subject): string {
  const text = name.includes("$") ? `\`${name}\`` : JSON.stringify(name);
  return index === undefined ? text : `${text}, ${index}`;
}

function subjectOf(member: Member): Field | SwitchNode {
  return member.kind === "field" ? member.field : member.node;
}

function measuredNode(of: Measured): Field | RangeNode {
  return of.kind === "range" ? of.range : of.field;
}

/** Whether the condition is an upper bound of the field that all values within it fit: a measured size is never negative. */
function isCapOf(condition: Expr, field: Field): boolean {
  if (condition.kind !== "binary" || (condition.op !== "<" && condition.op !== "<=")) return false;
  const { left, right } = condition;
  if (left.kind !== "field" || left.path.length !== 1 || left.path[0] !== field) return false;
  return right.kind === "int" && right.value <= left.range.max;
}

/** A length that is written as it is fits into anything that holds 53 bits. */
function isAnyLength({ type, role }: Field): boolean {
  return role.kind === "derived" && role.steps.length === 0 && type.kind === "int" && type.int.bits === 64;
}

/** A number that is zero when it is not given. One that some values lack must tell the two apart. */
function isLeftToZero(field: Field): boolean {
  return (
    field.role.kind === "reserved" &&
    !field.conditional &&
    isKept(field) &&
    (field.type.kind === "int" || field.type.kind === "bits")
  );
}

function fieldsOfSlot(slot: Slot): readonly Field[] {
  return slot.kind === "bits" ? slot.fields : [slot.field];
}

function schemaLine(line: number): string {
  return `\`\${${SCHEMA_FILE}}:${line}\``;
}

/** A condition that is true when the value is no integer of so many bits: also for fractions and NaN. */
function misfits(int: IntType, bits: number, value: Part): Part {
  if (int.rep === "bigint")
    return code`${value} !== BigInt.${int.signed ? "asIntN" : "asUintN"}(${bits}, ${value})`;
  if (isWideNumber(int) && bits > 53)
    return int.signed
      ? code`!Number.isSafeInteger(${value})`
      : code`!Number.isSafeInteger(${value}) || ${value} < 0`;
  if (bits > 32) return code`!Number.isSafeInteger(${value}) || ${value} < 0 || ${value} >= ${2 ** bits}`;
  if (int.signed && bits === 32) return code`${value} !== (${value} | 0)`;
  if (int.signed) return code`${value} !== (${value} << ${32 - bits}) >> ${32 - bits}`;
  if (bits === 32) return code`${value} !== ${value} >>> 0`;
  return code`${value} !== (${value} & ${literal((1n << BigInt(bits)) - 1n, "number", 16)})`;
}
