/**
 * Payloads that a push parser lends piece by piece instead of gathering them: bytes whose number is known before they
 * come, at the end of a struct that is otherwise of constant size.
 */
import type { Arm, Expr, Field, Node, Param, RunNode, Struct, SwitchNode } from "../../../schema/ir.js";
import { looksAhead } from "../../../schema/reads.js";
import { isKept } from "../../members.js";
import { SCHEMA_FILE } from "../../names.js";
import { code, type Part, type Printer } from "../../printer.js";
import type { Body } from "../body.js";
import { printChoice } from "../choice.js";
import type { StructContext } from "../context.js";
import { type Environment, expression } from "../expressions.js";
import { printFunction } from "../function.js";
import { place } from "../integers.js";
import { descend, rawValue } from "../memory.js";
import { locate } from "../nested.js";
import { FixedReader } from "../read/fixed.js";

export type Lendable =
  | { readonly kind: "bytes" }
  | {
      readonly kind: "struct";
      readonly struct: Struct;
      /** What comes before the payload. */
      readonly head: RunNode;
      /** The fields of the head that a value has. */
      readonly fields: readonly Field[];
      readonly length: Expr;
      /** What errors about the payload are called, and where it is declared. */
      readonly name: string;
      readonly line: number;
      /** The switch that says whether the payload is bytes; none where it always is. */
      readonly choice: SwitchNode | undefined;
    };

/** The size of a struct can be told from what stands before its only part of variable size. */
export interface Extent {
  readonly struct: Struct;
  readonly head: RunNode;
  /** How many units of `unit` bytes follow the head. */
  readonly length: Expr;
  readonly unit: number;
}

export function extentOf(struct: Struct): Extent | undefined {
  const [head, tail, ...others] = struct.nodes.filter((node) => node.kind !== "where");
  if (head?.kind !== "run" || tail === undefined || others.length > 0) return undefined;
  if (tail.kind === "range") return { struct, head, length: tail.length, unit: 1 };
  if (tail.kind !== "field") return undefined;
  const { type } = tail.field;
  if (type.kind !== "bytes" && type.kind !== "text" && type.kind !== "array") return undefined;
  const { count } = type;
  if (count.kind === "bytes") return { struct, head, length: count.expr, unit: 1 };
  if (count.kind !== "expr") return undefined;
  if (type.kind !== "array") return { struct, head, length: count.expr, unit: 1 };
  const { min, max } = type.elementSize;
  return min === max ? { struct, head, length: count.expr, unit: min } : undefined;
}

/** Whether the field, or each of its elements, can be lent. Reserved bytes are checked, not handed on. */
export function lendableOf({ type, role }: Field): Lendable | undefined {
  if (type.kind === "bytes" && role.kind === "value") {
    const { kind } = type.count;
    return kind === "expr" || kind === "bytes" || kind === "rest" ? { kind: "bytes" } : undefined;
  }
  if (type.kind !== "array" || type.element.kind !== "struct") return undefined;
  return lendableStruct(type.element.struct);
}

function lendableStruct(struct: Struct): Lendable | undefined {
  const nodes = struct.nodes.filter((node) => node.kind !== "where");
  const [head, tail, ...others] = nodes;
  // A constraint behind the payload could fail after all of it has been lent.
  const isLast = struct.nodes[struct.nodes.length - 1] === tail;
  if (head?.kind !== "run" || tail === undefined || others.length > 0 || !isLast) return undefined;
  const fields = head.slots
    .flatMap((slot) => (slot.kind === "bits" ? slot.fields : [slot.field]))
    .filter(isKept);
  const shared = { kind: "struct", struct, head, fields } as const;
  if (tail.kind === "field") {
    const { type, name, line, role } = tail.field;
    if (type.kind !== "bytes" || role.kind !== "value") return undefined;
    if (type.count.kind !== "expr" && type.count.kind !== "bytes") return undefined;
    return { ...shared, length: type.count.expr, name, line, choice: undefined };
  }
  if (tail.kind !== "range" || tail.body.length !== 1) return undefined;
  const [inside] = tail.body;
  const range = { length: tail.length, name: tail.name, line: tail.line };
  if (inside?.kind === "switch") {
    const arms = [
      ...inside.cases.map(({ arm }) => arm),
      inside.default.kind === "refuse" ? undefined : inside.default.arm,
    ];
    if (!arms.some(isBytes) || looksAhead(inside.on)) return undefined;
    return { ...shared, ...range, choice: inside };
  }
  return inside !== undefined && isRestOfBytes(inside)
    ? { ...shared, ...range, choice: undefined }
    : undefined;
}

function isBytes(arm: Arm | undefined): boolean {
  const [only, ...others] = arm?.nodes ?? [];
  return only !== undefined && others.length === 0 && isRestOfBytes(only);
}

function isRestOfBytes(node: Node): boolean {
  if (node.kind !== "field" || node.field.role.kind !== "value") return false;
  const { type } = node.field;
  return type.kind === "bytes" && type.count.kind === "rest";
}

/** A function that gives the size of an element, of which the head is there. */
export function printExtent(
  out: Printer,
  { struct, head, length, unit }: Extent,
  outer: StructContext,
  name: string,
): void {
  const context = outer.module.struct(struct);
  const number = numberOf(length, environmentOf(struct, context));
  const doc = [
    `How many bytes the \`${struct.name}\` at \`at\` takes, of which the first ${head.size} are there.`,
  ];
  const signature = { doc, exported: false, name, params: paramsOf(context), result: "number" };
  printFunction(
    out,
    signature,
    () => out.line(`return ${head.size} + `, unit === 1 ? number : ["(", number, `) * ${unit}`], ";"),
    PRELUDES,
  );
}

const PRELUDES = [{ name: "view", line: "const { view } = reader;" }];

function paramsOf(context: StructContext): { readonly name: string; readonly type: Part }[] {
  const reader = { name: "reader", type: context.module.runtimeType("Reader") };
  return [reader, { name: "at", type: "number" }, ...context.parameters()];
}

/** Expressions over the fields of a head that lies at `at`. */
function environmentOf(struct: Struct, context: StructContext): Environment {
  return {
    field: ([first, ...others]) => {
      const found = first === undefined ? undefined : locate(struct, first);
      if (first === undefined || found === undefined)
        throw new Error("what follows a head is sized by the head");
      const bits = found.slot.kind === "bits" ? found.slot : undefined;
      const located = { field: first, base: "at", offset: found.offset, bits, orders: context };
      return rawValue(descend(located, others), "view");
    },
    param: (param: Param) => context.local(param),
    remaining: () => {
      throw new Error("what follows a head is not sized by the rest of a range");
    },
  };
}

function numberOf(expr: Expr, env: Environment): Part {
  return expr.rep === "bigint" ? code`Number(${expression(expr, env)})` : expression(expr, env);
}

/** The functions that a parser needs to lend: how long the payload is, and what comes before it. */
export interface LendingFunctions {
  readonly payload: string;
  readonly head: string;
}

export function printLending(
  out: Printer,
  lendable: Lendable & { readonly kind: "struct" },
  outer: StructContext,
  type: string,
  names: LendingFunctions,
): void {
  const { module } = outer;
  const context = module.struct(lendable.struct);
  const env = environmentOf(lendable.struct, context);
  const params = paramsOf(context);
  const number = numberOf(lendable.length, env);

  const doc = ["How many bytes follow the head at `at` that can be lent; −1 where they are not just bytes."];
  printFunction(
    out,
    { doc, exported: false, name: names.payload, params, result: "number" },
    () => {
      const { choice } = lendable;
      if (choice === undefined) {
        out.line("return ", number, ";");
        return;
      }
      out.line("let extent = -1;");
      printChoice({ out, context, env, variables: context.variables() }, choice, {
        arm: (_, arm) => {
          if (isBytes(arm)) out.line("extent = ", number, ";");
        },
        refuse: () => undefined,
      });
      out.line("return extent;");
    },
    PRELUDES,
  );
  out.blank();
  printFunction(
    out,
    { doc: [], exported: false, name: names.head, params, result: type },
    () => {
      const body: Body = { out, context, env, variables: context.variables() };
      const properties = lendable.fields.map(
        (field): Part => code`${context.property(field)}: ${headValue(body, field, lendable.head)}`,
      );
      out.list("return {", properties, "};", " ");
    },
    PRELUDES,
  );
}

function headValue(body: Body, field: Field, head: RunNode): Part {
  const { context } = body;
  for (const slot of head.slots) {
    if (slot.kind === "bits") {
      if (slot.fields.includes(field))
        return rawValue({ field, base: "at", offset: slot.offset, bits: slot, orders: context }, "view");
      continue;
    }
    if (slot.field !== field) continue;
    const at = place("at", slot.offset);
    if (field.role.kind === "reserved" && field.type.kind === "bytes")
      return code`reader.reserved(${at}, ${slot.size})`;
    return new FixedReader(body).value(field.type, "at", slot.offset, field.name, context.local(field));
  }
  throw new Error(`${field.name} is not in the head`);
}

/** Where the payload is declared, as the arguments of an error. */
export function declaredAt(
  { struct, line }: Lendable & { readonly kind: "struct" },
  context: StructContext,
): string {
  const file = struct.module === context.module.module ? SCHEMA_FILE : JSON.stringify(struct.module.file);
  return `${file}, ${line}`;
}
