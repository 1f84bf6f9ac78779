/** The values of a record, each with its path: what verbs print, compare and look for. */
import type { FieldValue } from "../runtime/index.js";
import { fieldsOf } from "./lent-fields.js";
import type { Node } from "./node.js";
import { member, type Path, Siblings } from "./path.js";
import type { Match } from "./pattern.js";
import type { CaptureRecord, Scalar } from "./report.js";

export interface Leaf {
  readonly path: Path;
  /** Undefined of a record or a struct that holds nothing. */
  readonly value: FieldValue | Scalar | readonly Scalar[] | undefined;
  /** The field, unless it is an attribute of the record, or the record itself. */
  readonly node: Node | undefined;
  /** Undefined for attributes: what they say stands at no one place, or at another. */
  readonly at: number | undefined;
  readonly size: number | undefined;
}

type Visit = (leaf: Leaf) => void;

/** Calls `visit` for each value of the record that is selected: by no patterns, all are. */
export function eachLeaf(record: CaptureRecord, patterns: Match | undefined, visit: Visit): void {
  const match = follow(patterns, record.path);
  if (match === "none") return;
  const { path, at, size, attributes } = record;
  const fields = fieldsOf(record);
  let any = false;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    any = true;
    // One path, one value: a field of that name says the same, and where it stands.
    if (fields?.some(({ name }) => name === key)) continue;
    const steps = [member(key)];
    if (follow(match, steps) === undefined)
      visit({ path: [...path, ...steps], value, node: undefined, at: undefined, size: undefined });
  }
  if (!any && (fields === undefined || fields.length === 0)) {
    if (match === undefined) visit({ path, value: undefined, node: undefined, at, size });
    return;
  }
  eachField(fields ?? [], undefined, path, match, visit);
}

function eachField(
  nodes: readonly Node[],
  parent: Node | undefined,
  base: Path,
  outer: Match | undefined,
  visit: Visit,
): void {
  const siblings = new Siblings(parent);
  for (const node of nodes) {
    const steps = siblings.steps(node);
    const match = follow(outer, steps);
    if (match === "none") continue;
    const path = [...base, ...steps];
    const { children, value, at, size } = node;
    if (children !== undefined && children.length > 0) eachField(children, node, path, match, visit);
    else if (match === undefined) visit({ path, value, node, at, size });
  }
}

/** Undefined once a pattern has ended: everything below is selected. */
function follow(match: Match | undefined, steps: Path): Match | undefined | "none" {
  let now = match;
  for (const step of steps) {
    if (now === undefined || now.accepted.length > 0) return undefined;
    now = now.next(step);
    if (now.isOver) return "none";
  }
  return now === undefined || now.accepted.length > 0 ? undefined : now;
}
