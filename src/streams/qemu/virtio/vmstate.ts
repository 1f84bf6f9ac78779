/**
 * A vmstate that QEMU writes where the description does not reach: inside the field `virtio`, everything is one opaque
 * field to it. Its fields come from a schema, its subsections are found by their names.
 */
import type { Layout } from "./layout.js";

export interface Vmstate {
  /** What QEMU calls it. The names of its subsections begin with it. */
  readonly name: string;
  /**
   * Its fields. More than one where neither name nor version says which is there, the most likely first: the first
   * that fits, with what follows it, is it. None for a state that has only subsections.
   */
  readonly layouts: readonly Layout[];
  readonly subsections: readonly Vmstate[];
  /** Of a subsection: the version in its head. 1 if undefined. */
  readonly version?: number;
}

/** A vmstate whose fields are always the same. */
export function vmstate(name: string, layout?: Layout, ...subsections: Vmstate[]): Vmstate {
  return { name, layouts: layout === undefined ? [] : [layout], subsections };
}
