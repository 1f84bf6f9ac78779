/**
 * The body of the method that finds the places of a view. The value has been scanned: only memory that changes can fail
 * here.
 */
import type { Count, Expr, Field, FieldType, Node, SwitchNode } from "../../../schema/ir.js";
import { partsOf } from "../../../schema/reads.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { Body } from "../body.js";
import { printChoice } from "../choice.js";
import { type Environment, expression, goesOn, operand } from "../expressions.js";
import type { ViewPlaces } from "./places.js";

export function printLocate(out: Printer, places: ViewPlaces): void {
  places.printReset(out);
  new Locator(out, places).locate(places.struct.nodes, true);
}

class Locator {
  private readonly body: Body;
  private readonly places: ViewPlaces;

  constructor(out: Printer, places: ViewPlaces) {
    const { context } = places;
    this.body = { out, context, variables: context.variables(), env: places };
    this.places = places;
  }

  locate(nodes: readonly Node[], last: boolean): void {
    let length = nodes.length;
    while (last && length > 0 && !nodes.slice(length - 1).some((node) => this.isKept(node))) length--;
    const body = nodes.slice(0, length);
    body.forEach((node, index) => {
      this.locateNode(node, last && index === body.length - 1);
    });
  }

  /** Whether locating has to look at the node for its own sake. */
  private isKept(node: Node): boolean {
    switch (node.kind) {
      case "run":
        return this.places.startOf(node) !== undefined;
      case "field":
        return this.places.endOf(node.field) !== undefined;
      case "range":
        return node.body.some((each) => this.isKept(each));
      case "if":
        return [...node.then, ...node.else].some((each) => this.isKept(each));
      case "optional":
        return node.body.some((each) => this.isKept(each));
      case "switch":
        return true;
      case "where":
        return false;
    }
  }

  private locateNode(node: Node, last: boolean): void {
    const { out } = this.body;
    switch (node.kind) {
      case "run":
        this.keep(this.places.startOf(node));
        if (!last) out.line(`reader.take(${node.size});`);
        break;
      case "field":
        this.keep(this.places.startOf(node.field));
        this.locateType(node.field);
        this.keep(this.places.endOf(node.field));
        break;
      case "range": {
        const outer = this.body.variables.claim("outer");
        out.line(`const ${outer} = reader.enter(`, number(node.length, this.places), ");");
        this.locate(node.body, false);
        out.line(`reader.leave(${outer});`);
        break;
      }
      case "if":
        out.block(["if (", expression(node.condition, this.places), ")"], () => this.locate(node.then, last));
        if (node.else.length > 0) out.block("else", () => this.locate(node.else, last));
        break;
      case "optional":
        out.block("if (reader.at < reader.end)", () => this.locate(node.body, last));
        break;
      case "switch":
        this.locateSwitch(node);
        break;
      case "where":
        break;
    }
  }

  private locateSwitch(node: SwitchNode): void {
    const { out } = this.body;
    this.keep(this.places.startOf(node));
    printChoice(this.body, node, {
      arm: (name, arm) => {
        out.line(this.places.caseOf(node), ` = ${JSON.stringify(name)};`);
        this.locate(arm?.nodes ?? [], false);
      },
      refuse: () => out.line("throw this.$refused();"),
    });
    this.keep(this.places.endOf(node));
  }

  private keep(memo: string | undefined): void {
    const { out } = this.body;
    if (memo !== undefined) out.line(`this.#${memo} = reader.at;`);
  }

  /** Moves the reader behind a field whose size varies. */
  private locateType(field: Field): void {
    const { type } = field;
    const { starts } = this.places.of(field);
    switch (type.kind) {
      case "bytes":
      case "text":
        this.skip(type.count, 1);
        break;
      case "array":
        if (starts === undefined) this.skip(type.count, type.elementSize.min);
        else this.locateElements(type, starts);
        break;
      case "struct":
        this.skipStruct(type);
        break;
      default:
        throw new Error(`${field.name} is of constant size`);
    }
  }

  private skipStruct(type: FieldType): void {
    const { out } = this.body;
    if (type.kind !== "struct") throw new Error("elements that vary in size are structs");
    const scan = this.body.context.module.feature("scan", type.struct);
    out.when(code`!${scan}(reader${this.places.argumentsOf(type.args)})`, "throw this.$refused();");
  }

  private skip(count: Count, size: number): void {
    const { out } = this.body;
    switch (count.kind) {
      case "const":
        out.line(`reader.take(${count.value * size});`);
        break;
      case "expr":
        out.line("reader.take(", times(count.expr, size, this.places), ");");
        break;
      case "bytes":
        out.line("reader.take(", number(count.expr, this.places), ");");
        break;
      case "rest":
        out.line("reader.at = reader.end;");
        break;
      case "while":
        out.line("while (", goesOn(count.condition, this.places), `) reader.take(${size});`);
        break;
    }
  }

  private locateElements(type: FieldType & { readonly kind: "array" }, starts: string): void {
    const { out } = this.body;
    const { count, element } = type;
    const each = (): void => {
      out.line(`this.#${starts}.push(reader.at);`);
      this.skipStruct(element);
    };
    switch (count.kind) {
      case "const":
      case "expr": {
        const limit = count.kind === "const" ? String(count.value) : number(count.expr, this.places);
        out.block(["for (let i = 0, count = ", limit, "; i < count; i++)"], each);
        break;
      }
      case "bytes": {
        const outer = this.body.variables.claim("outer");
        out.line(`const ${outer} = reader.enter(`, number(count.expr, this.places), ");");
        out.block("while (reader.at < reader.end)", each);
        out.line(`reader.leave(${outer});`);
        break;
      }
      case "rest":
        out.block("while (reader.at < reader.end)", each);
        break;
      case "while":
        out.block(["while (", goesOn(count.condition, this.places), ")"], each);
        break;
    }
  }
}

/** A number of elements or bytes. */
function number(expr: Expr, env: Environment): Part {
  const value = expr.rep === "bigint" ? code`Number(${expression(expr, env)})` : expression(expr, env);
  return canFall(expr) ? code`Math.max(0, ${value})` : value;
}

function times(expr: Expr, size: number, env: Environment): Part {
  if (size === 1) return number(expr, env);
  const plain = expr.rep !== "bigint" && !canFall(expr);
  return code`${plain ? operand(expr, env) : number(expr, env)} * ${size}`;
}

/**
 * Whether only a constraint keeps a length from being negative. Memory that changes after the scan may break it, and a
 * negative length would go back, to bytes in front of the value.
 */
function canFall(expr: Expr): boolean {
  const parts = partsOf(expr);
  // What does not come from the memory stays as it is.
  if (!parts.some((part) => part.kind === "field")) return false;
  return parts.some((part) => {
    if (part.kind === "unary" || part.kind === "binary") return part.op === "-";
    const field = part.kind === "field" ? part.path[part.path.length - 1] : undefined;
    return field?.type.kind === "int" && field.type.int.signed;
  });
}
