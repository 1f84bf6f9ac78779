/**
 * Fields that have not been made into a tree: they are walked again when they are wanted. What prints them in their order,
 * or does not want those of this record, never needs all of them in memory.
 */
import type { Fault, Visitor } from "../runtime/index.js";
import { type MeaningOf, type Node, TreeBuilder } from "./node.js";

/** Only to be used while `Sink.record` runs: the bytes belong to the parser. */
export interface LentFields {
  /** Where index 0 of the walked bytes stands in the capture. */
  readonly base: number;
  readonly meaningOf: MeaningOf | undefined;
  /** Of all that the walk opens, in that order: it tells them when it closes. */
  readonly sizes: readonly number[];
  walk(visitor: Visitor): void;
}

/** The fields of a record, lent or not. */
export function fieldsOf({
  fields,
  lent,
}: {
  readonly fields: readonly Node[] | undefined;
  readonly lent?: LentFields | undefined;
}): readonly Node[] | undefined {
  if (lent === undefined) return fields;
  const tree = new TreeBuilder(lent.base, lent.meaningOf);
  lent.walk(tree);
  return tree.roots;
}

/** Keeps what is wrong, and how large is what the walk opens. */
export class SizeCollector implements Visitor {
  readonly faults: Fault[] = [];
  readonly sizes: number[] = [];
  private readonly path: number[] = [];

  open(_site: unknown, _index: number, at: number): void {
    this.path.push(this.sizes.length);
    this.sizes.push(at);
  }

  close(at: number): void {
    const opened = this.path.pop();
    if (opened !== undefined) this.sizes[opened] = at - (this.sizes[opened] ?? at);
  }

  field(): void {}

  fault(fault: Fault): void {
    this.faults.push(fault);
  }
}
