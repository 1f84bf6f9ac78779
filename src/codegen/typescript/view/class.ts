/** The class of a view: its constructor, how it is aimed, and a member for each field and each arm of a switch. */
import type { Field, FieldType, Struct, SwitchNode } from "../../../schema/ir.js";
import { armsOf, membersOf } from "../../members.js";
import { camelCase, PROTOTYPE_NAMES, Scope } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import { onlyRunOf } from "../constant-size.js";
import type { StructContext } from "../context.js";
import { sizeText } from "../docs.js";
import { valueType } from "../types.js";
import { ViewArrays } from "./arrays.js";
import { printLocate } from "./locate.js";
import { docOf, endOf, type Member, type ViewBody } from "./members.js";
import { ViewPlaces } from "./places.js";
import { ViewValues } from "./values.js";

export class ViewClass {
  private readonly view: ViewBody;
  private readonly values: ViewValues;
  private readonly arrays: ViewArrays;

  constructor(out: Printer, struct: Struct, context: StructContext) {
    const names = new Scope(PROTOTYPE_NAMES, new Set(["moveTo"]));
    this.view = { out, context, places: new ViewPlaces(struct, context), names };
    this.values = new ViewValues(this.view);
    this.arrays = new ViewArrays(this.view, this.values);
  }

  print(): void {
    const { out, context, places } = this.view;
    const { struct } = places;
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
      out.block(code`#locate(reader: ${module.runtimeType("Reader")}): void`, () => printLocate(out, places));
    };
    out.block(code`export class ${name} extends ${module.runtime("View")}`, () => {
      out.insert(withoutIdle(out.capture(body)));
    });
  }

  private hasObjects(): boolean {
    const holds = (type: FieldType): boolean =>
      type.kind === "struct" || (type.kind === "array" && holds(type.element));
    return membersOf(this.view.places.struct.nodes).some((member) =>
      member.kind === "field"
        ? holds(member.field.type)
        : armsOf(member.node).some(({ field }) => field !== undefined && holds(field.type)),
    );
  }

  private constructorOf(): void {
    const { out, context } = this.view;
    const params = context.parameters().map(({ name, type }): Part => code`${name}: ${type}`);
    out.doc(["@throws WireError when there is no such value at `at`."]);
    // A parameter with a default does not stand before others: callers would have to write `undefined`.
    const at = params.length === 0 ? "at = 0" : "at: number";
    out.list("constructor(", [code`source: ${context.module.runtimeType("Source")}`, at, ...params], ") {");
    out.indented(() => {
      out.line("super(source);");
      this.view.places.printParams(out);
      out.line("this.moveTo(at);");
    });
    out.line("}");
  }

  private moveTo(): void {
    const { out, context, places } = this.view;
    const { struct } = places;
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
    const members = membersOf(this.view.places.struct.nodes);
    const named = new Map<Field | SwitchNode, string>();
    for (const member of members) {
      const subject = member.kind === "field" ? member.field : member.node;
      named.set(
        subject,
        this.view.names.claim(camelCase(subject.name) + (member.kind === "switch" ? "Case" : "")),
      );
    }
    for (const member of members) {
      if (member.kind === "switch") {
        this.choice(member.node, named.get(member.node) ?? "");
        continue;
      }
      const { field } = member;
      this.member({ field, name: named.get(field) ?? "", place: this.view.places.of(field) });
    }
  }

  private choice(node: SwitchNode, name: string): void {
    const { out, context, places } = this.view;
    out.blank();
    out.doc([
      `Which case \`${node.name}\` holds.${node.conditional ? " Undefined where the condition of the schema does not hold." : ""}`,
    ]);
    const type: Part = [context.module.union(node), `["case"]`, node.conditional ? " | undefined" : ""];
    out.block(code`get ${name}(): ${type}`, () => out.line("return ", places.caseOf(node), ";"));
    for (const { field, from } of armsOf(node)) {
      if (field === undefined) continue;
      const arm = context.caseName(from ?? field);
      const claimed = this.view.names.claim(
        camelCase(node.name) + arm.charAt(0).toUpperCase() + arm.slice(1),
      );
      this.member({ field, name: claimed, place: places.of(field) });
    }
  }

  private member(member: Member): void {
    const { out } = this.view;
    const { type } = member.field;
    switch (type.kind) {
      case "int":
      case "bits":
        this.getter(member, valueType(type, this.view.context.module), () => {
          this.view.out.line("return ", this.values.scalarAt(member), ";");
        });
        break;
      case "bytes":
      case "text": {
        this.getter(member, type.kind === "bytes" ? "Uint8Array" : "string", () => {
          out.line(
            "return ",
            this.values.valueAt(type, member.place.start, endOf(member), member.field),
            ";",
          );
        });
        if (type.kind === "text" && type.padded) this.values.textSetter(member, type);
        break;
      }
      case "struct":
        this.getter(member, this.view.context.module.featureType("view", type.struct), () => {
          out.line(
            "return ",
            this.values.valueAt(type, member.place.start, endOf(member), member.field),
            ";",
          );
        });
        break;
      case "array":
        this.arrays.print(member, type);
        break;
    }
  }

  private getter(member: Member, type: Part, body: () => void): void {
    const { out } = this.view;
    const { field, name, place: at } = member;
    out.blank();
    out.doc(docOf(member));
    const result = at.absent === undefined ? type : code`${type} | undefined`;
    out.block(code`get ${name}(): ${result}`, () => {
      if (at.absent !== undefined) out.when(at.absent, "return undefined;");
      body();
    });
    if (field.type.kind === "int" || field.type.kind === "bits") this.values.setter(member, field.type);
  }
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
