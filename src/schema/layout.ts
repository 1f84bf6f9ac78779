/**
 * Layout: gives items their place. Consecutive members of constant size become runs; every size, offset and bound is
 * computed here, once, and nothing after this adds sizes up again.
 */
import type { ArmItem, Draft, Item, SwitchItem } from "./draft.js";
import type {
  Arm,
  Case,
  Count,
  Default,
  Field,
  FieldType,
  Leaf,
  Node,
  RunNode,
  Size,
  Slot,
  Struct,
  WhereNode,
} from "./ir.js";
import { intervalOf } from "./ranges.js";
import { peekedBytes, usesRemaining } from "./reads.js";
import type { Scope } from "./scope.js";
import { sizeOfType } from "./sizes.js";
import type { Span } from "./syntax.js";

export interface Layout {
  readonly nodes: readonly Node[];
  readonly size: Size;
  readonly greedy: boolean;
}

/** An array of structs with more leaves than this counts as one leaf: error tables stay small. */
const MAX_OPENED_LEAVES = 128;

export function layOut(scope: Scope, items: readonly Item[]): Layout {
  const block = new Block(scope, 0, undefined);
  block.addAll(items);
  return block.finish();
}

/** What the end of a block so far depends on. */
type Greed = "none" | "optional" | "struct" | "rest";

class Block {
  private readonly scope: Scope;
  private readonly nodes: Node[] = [];
  private slots: Slot[] = [];
  private runOffset: number | undefined;
  private runSize = 0;
  /** Constraints wait until the run that they look at is complete: bounds come before meaning. */
  private waiting: WhereNode[] = [];
  /** From the start of the struct, while that is the same for every value. */
  private offset: number | undefined;
  private min = 0;
  private max: number | undefined = 0;
  private greed: Greed;
  private greedy = false;
  /** After a list whose condition peeks: how many bytes what follows must have, so that a list cut short is noticed. */
  private open = 0;

  constructor(scope: Scope, offset: number | undefined, greed: Greed | undefined) {
    this.scope = scope;
    this.offset = offset;
    this.greed = greed ?? "none";
  }

  addAll(items: readonly Item[]): void {
    for (const item of items) this.add(item);
  }

  finish(): Layout {
    this.closeRun();
    return {
      nodes: this.nodes,
      size: { min: this.min, max: this.max },
      greedy: this.greedy || this.open > 0,
    };
  }

  private add(item: Item): void {
    switch (item.kind) {
      case "field":
        this.addField(item.field, item.span);
        return;
      case "bits": {
        this.follow("fixed", item.span);
        const size = item.int.bits / 8;
        for (const field of item.fields) this.place(field, { min: size, max: size });
        this.slot({ kind: "bits", int: item.int, offset: this.runSize, size, fields: item.fields });
        return;
      }
      case "where":
        if (this.slots.length > 0) this.waiting.push(item.node);
        else this.nodes.push(item.node);
        return;
      case "range": {
        this.follow("fixed", item.span);
        this.closeRun();
        const inner = new Block(this.scope, this.offset, undefined);
        inner.addAll(item.body);
        const { nodes: body, size: bodySize } = inner.finish();
        const length = intervalOf(item.length);
        const min = Math.max(Number(length.min), bodySize.min);
        const max = Math.min(Number(length.max), bodySize.max ?? Number.MAX_SAFE_INTEGER);
        if (min > max) {
          const message = `the range is between ${length.min} and ${length.max} bytes, what is in it between ${bodySize.min} and ${bodySize.max ?? "any"}`;
          this.scope.error("size-conflict", item.span, message);
        }
        const size: Size = { min, max: max >= Number.MAX_SAFE_INTEGER ? undefined : max };
        this.nodes.push({ kind: "range", length: item.length, body, size, line: item.line, name: item.name });
        this.advance(size);
        return;
      }
      case "if": {
        this.closeRun();
        const then = this.branch(item.then);
        const otherwise = this.branch(item.else);
        this.nodes.push({
          kind: "if",
          condition: item.condition,
          then: then.nodes,
          else: otherwise.nodes,
          line: item.line,
        });
        this.advance(hull([then.size, otherwise.size]));
        if (then.greedy || otherwise.greedy) this.becomeGreedy("struct");
        return;
      }
      case "optional": {
        this.follow("optional", item.span);
        this.closeRun();
        const inner = new Block(this.scope, this.offset, undefined);
        inner.addAll(item.body);
        const body = inner.finish();
        this.nodes.push({ kind: "optional", body: body.nodes, line: item.line });
        // What follows is optional too: where it is there, this was complete, so it still has a constant offset.
        const next =
          body.size.min === body.size.max && this.offset !== undefined
            ? this.offset + body.size.min
            : undefined;
        this.advance({ min: 0, max: body.size.max });
        this.offset = next;
        this.becomeGreedy("optional");
        return;
      }
      case "switch":
        this.addSwitch(item);
    }
  }

  private branch(items: readonly Item[]): Layout {
    const block = new Block(this.scope, this.offset, this.greed);
    block.addAll(items);
    return block.finish();
  }

  private addField(field: Draft<Field>, span: Span): void {
    const size = sizeOfType(field.type);
    const inRun = size.min === size.max && isFlat(field.type);
    this.follow(greedOf(field.type) ?? "fixed", span);
    if (!inRun) this.closeRun();
    this.place(field, size);
    if (inRun) {
      this.slot({ kind: "field", field, offset: this.runSize, size: size.min });
      return;
    }
    this.nodes.push({ kind: "field", field });
    this.advance(size);
    const greed = greedOf(field.type);
    if (greed) this.becomeGreedy(greed);
    // `while` stops where its condition says so: what follows has a place, but the end of the range was looked at.
    if ("count" in field.type && field.type.count.kind === "while") {
      const { condition } = field.type.count;
      // A list that what it ends with tells apart from its elements needs no range: cut short, it lacks that end.
      const peeked = usesRemaining(condition) ? 0 : peekedBytes(condition);
      if (peeked === 0) this.greedy = true;
      else this.open = Math.max(this.open, peeked);
    }
  }

  private addSwitch(item: SwitchItem): void {
    this.closeRun();
    const sizes: Size[] = [];
    let greedy = usesRemaining(item.head.on);
    const place = (arm: ArmItem): Arm => {
      const block = this.branch([
        { kind: "field", field: arm.field, span: arm.span },
        ...(arm.where ? [{ kind: "where", node: arm.where, span: arm.span } as const] : []),
      ]);
      sizes.push(block.size);
      greedy ||= block.greedy;
      return { field: arm.field, nodes: block.nodes };
    };
    const cases: Case[] = item.cases.map((one) => {
      if (!one.arm) sizes.push({ min: 0, max: 0 });
      return { labels: one.labels, name: one.name, line: one.line, arm: one.arm && place(one.arm) };
    });
    let otherwise: Default;
    if (item.default.kind === "refuse") otherwise = item.default;
    else otherwise = { ...item.default, arm: place(item.default.arm) };
    const size = hull(sizes);
    this.nodes.push({ kind: "switch", ...item.head, cases, default: otherwise, size });
    this.advance(size);
    if (greedy) this.becomeGreedy("struct");
  }

  private place(field: Draft<Field>, size: Size): void {
    field.offset = this.offset;
    field.size = size;
  }

  private slot(slot: Slot): void {
    if (this.slots.length === 0) this.runOffset = this.offset;
    this.slots.push(slot);
    this.runSize += slot.size;
    this.advance({ min: slot.size, max: slot.size });
  }

  private closeRun(): void {
    if (this.slots.length > 0) {
      const run: RunNode = {
        kind: "run",
        size: this.runSize,
        offset: this.runOffset,
        slots: this.slots,
        leaves: this.slots.flatMap((slot) => leavesOfSlot(slot, this.scope.module.file)),
      };
      this.nodes.push(run);
      this.slots = [];
      this.runSize = 0;
    }
    this.nodes.push(...this.waiting);
    this.waiting = [];
  }

  private advance(size: Size): void {
    if (this.open > 0 && size.min > 0) {
      if (size.min < this.open) this.greedy = true;
      this.open = 0;
    }
    this.min += size.min;
    this.max = this.max === undefined || size.max === undefined ? undefined : this.max + size.max;
    this.offset = this.offset !== undefined && size.min === size.max ? this.offset + size.min : undefined;
  }

  private becomeGreedy(greed: Greed): void {
    this.greedy = true;
    this.greed = greed;
  }

  /** Refuses a member that could never be reached, or whose start could not be found. */
  private follow(kind: "fixed" | Greed, span: Span): void {
    if (this.greed === "none") return;
    if (this.greed === "rest") {
      this.scope.error("after-rest", span, "nothing can follow a member that takes the rest of the range");
    } else if (kind === "fixed" || kind === "none") {
      const before =
        this.greed === "optional" ? "optional members" : "a member that reads to the end of the range";
      this.scope.error(
        "after-optional",
        span,
        `only optional members and the rest of the range can follow ${before}`,
      );
    }
  }
}

/** How a type reads on to the end of its range; undefined when it does not. */
function greedOf(type: FieldType): Greed | undefined {
  if (type.kind === "struct") return type.struct.greedy ? "struct" : undefined;
  if (type.kind === "int" || type.kind === "bits") return undefined;
  return type.count.kind === "rest" ? "rest" : undefined;
}

/** Whether values of the type can lie in a run: everything in them at a constant offset, without decisions. */
function isFlat(type: FieldType): boolean {
  switch (type.kind) {
    case "int":
    case "bits":
      return true;
    case "bytes":
    case "text":
      return type.count.kind === "const";
    case "struct":
      return type.struct.flat;
    case "array":
      return type.count.kind === "const" && isFlat(type.element);
  }
}

export function isFlatStruct(nodes: readonly Node[]): boolean {
  return nodes[0]?.kind === "run" && nodes.slice(1).every((node) => node.kind === "where");
}

function leavesOfSlot(slot: Slot, file: string): Leaf[] {
  if (slot.kind === "bits") {
    const first = slot.fields[0];
    return first ? [{ path: first.name, offset: slot.offset, size: slot.size, file, line: first.line }] : [];
  }
  const { field, offset, size } = slot;
  return leavesOfType(field.type, field.name, offset, size, file, field.line);
}

function leavesOfType(
  type: FieldType,
  path: string,
  offset: number,
  size: number,
  file: string,
  line: number,
): Leaf[] {
  const whole: Leaf = { path, offset, size, file, line };
  if (type.kind === "struct") {
    const inner = leavesOfStruct(type.struct);
    // Structs of structs of structs double their leaves with every line of a schema.
    if (inner.length > MAX_OPENED_LEAVES) return [whole];
    return inner.map((leaf) => ({
      ...leaf,
      path: `${path}.${leaf.path}`,
      offset: offset + leaf.offset,
    }));
  }
  if (type.kind !== "array" || type.count.kind !== "const") return [whole];
  const { element, count } = type;
  const step = type.elementSize.min;
  const perElement = element.kind === "struct" ? leavesOfStruct(element.struct).length : 1;
  if (count.value * perElement > MAX_OPENED_LEAVES) return [whole];
  return Array.from({ length: count.value }, (_, i) =>
    leavesOfType(element, `${path}[${i}]`, offset + i * step, step, file, line),
  ).flat();
}

function leavesOfStruct(struct: Struct): readonly Leaf[] {
  const first = struct.nodes[0];
  return first?.kind === "run" ? first.leaves : [];
}

function hull(sizes: readonly Size[]): Size {
  const maxima = sizes.map((size) => size.max);
  return {
    min: Math.min(...sizes.map((size) => size.min)),
    max: maxima.some((max) => max === undefined) ? undefined : Math.max(...maxima.map((max) => max ?? 0)),
  };
}

/** Whether reading a struct can find anything wrong besides missing bytes. */
export function isChecked(nodes: readonly Node[]): boolean {
  return nodes.some((node) => {
    switch (node.kind) {
      case "run":
        return node.slots.some((slot) =>
          slot.kind === "field" ? isCheckedField(slot.field) : slot.fields.some(isCheckedField),
        );
      case "field":
        return isCheckedField(node.field);
      case "range":
      case "where":
        return true;
      case "if":
        return isChecked(node.then) || isChecked(node.else);
      case "optional":
        return isChecked(node.body);
      case "switch":
        if (node.default.kind !== "keep") return true;
        return [node.default.arm, ...node.cases.map((one) => one.arm)].some(
          (arm) => arm !== undefined && isChecked(arm.nodes),
        );
    }
  });
}

function isCheckedField(field: Field): boolean {
  return field.role.kind === "constant" || field.role.kind === "reserved" || isCheckedType(field.type);
}

function isCheckedType(type: FieldType): boolean {
  switch (type.kind) {
    case "int":
      return (
        (type.int.bits === 64 && type.int.rep === "number") ||
        (type.meaning?.kind === "enum" && type.meaning.closed)
      );
    case "bits":
      return type.meaning?.kind === "enum" && type.meaning.closed;
    case "bytes":
    case "text":
      return false;
    case "struct":
      return type.struct.checked;
    case "array":
      return isExactCount(type.count) || isCheckedType(type.element);
  }
}

/** Counts of bytes and "to the end" can leave part of an element over. */
function isExactCount(count: Count): boolean {
  return count.kind === "bytes" || count.kind === "rest";
}
