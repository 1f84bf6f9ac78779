/** Runs: nothing of them is handed on before all of it is there and checked. */
import type { Field, RunNode } from "../../../schema/ir.js";
import { camelCase, SCHEMA_FILE } from "../../names.js";
import { code, type Part } from "../../printer.js";
import { withoutUnused } from "../function.js";
import { place } from "../integers.js";
import { descend, rawValue } from "../memory.js";
import { FixedReader } from "../read/fixed.js";
import { printRunCheck } from "../scan/struct.js";
import { closedEnumOf, valueType } from "../types.js";
import type { Label, Machine } from "./machine.js";

export class RunStates {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  add(node: RunNode, entry: Label, exit: Label): void {
    const { out, context } = this.machine;
    const first = node.slots[0];
    const name = camelCase((first?.kind === "field" ? first.field : first?.fields[0])?.name ?? "nothing");
    const check = this.check(node, name);
    this.machine.state(entry, `${name}Run`, () => {
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
      this.machine.goTo(exit);
    });
  }

  /** A method that checks what is in a run, where there is something to check. Gives its name. */
  private check(node: RunNode, name: string): string | undefined {
    const { out, context } = this.machine;
    const body = (): void => printRunCheck(out, context, node);
    const lines = withoutUnused(out.capture(body));
    if (lines.length <= 1) return undefined;
    const claimed = this.machine.names.claim(`${name}Check`);
    this.machine.part(claimed, () => this.machine.method(claimed, ["reader: Reader", "at: number"], body));
    return claimed;
  }

  private slotField(field: Field, run: RunNode, offset: number): void {
    const { out, context } = this.machine;
    const slot = run.slots.find((each) => each.offset === offset);
    if (slot === undefined) return;
    const here = place("at", offset);
    if (this.machine.referenced.constrained.has(field))
      out.line(`this.#${this.machine.placeOf(field)} = reader.base + `, here, ";");
    for (const { path, local } of this.machine.referenced.inside(field)) {
      const located = descend({ field, base: "at", offset, bits: undefined, orders: context }, path.slice(1));
      out.line(code`this.#${local} = ${rawValue(located, "view")};`);
    }
    const isReported = field.role.kind !== "constant";
    const method = isReported ? `handler.${this.machine.handler.of(field).whole}` : "";
    const isClosed = closedEnumOf(field.type) !== undefined;
    // What must be done first has variables of its own.
    const isBlock = isClosed || field.type.kind === "array";
    const value = (): Part => {
      if (slot.kind === "bits") {
        const raw = rawValue({ field, base: "at", offset, bits: slot, orders: context }, "view");
        // It has been scanned.
        return isClosed ? code`(${raw}) as ${valueType(field.type, context.module)}` : raw;
      }
      const variable = isBlock ? undefined : context.local(field);
      return new FixedReader(this.machine.body()).value(field.type, "at", offset, field.name, variable);
    };
    const at = code`reader.base + ${here}`;
    if (this.machine.referenced.fields.has(field)) {
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
}
