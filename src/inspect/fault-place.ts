/**
 * Says where a fault is in the paths that every verb takes, so that what an error names can be looked at. A fault names its
 * field by the words of the walk that found it; that field may not have been read, or be no field at all, as a footer is.
 */
import type { Fault } from "../runtime/index.js";
import { detailIn } from "./fault-text.js";
import type { Node } from "./node.js";
import { member, type Path, printPath, Siblings, type Step } from "./path.js";

/** The record that a fault is in. */
export interface FaultPlace {
  readonly path: Path;
  readonly fields?: readonly Node[] | undefined;
  /** Names of what else is known of it. */
  readonly attributes?: readonly string[];
}

/**
 * `name`: what the fault's own path calls the record. The nearest field that was read becomes the path; words of the
 * fault's own path that lead further stand in front of its detail.
 */
export function placed(
  fault: Fault,
  name: string,
  { path: base, fields = [], attributes = [] }: FaultPlace,
): Fault {
  const words = wordsBehind(fault.path, name);
  if (attributes.includes(words)) return { ...fault, path: printPath([...base, member(words)]) };
  const { steps, rest } = descend(words, undefined, fields, fault.offset);
  return { ...fault, path: printPath([...base, ...steps]), detail: detailIn(rest, fault) };
}

function wordsBehind(path: string, name: string): string {
  if (!path.startsWith(name)) return path;
  const rest = path.slice(name.length);
  return rest.startsWith(".") ? rest.slice(1) : rest;
}

interface Descent {
  readonly steps: readonly Step[];
  readonly rest: string;
}

function descend(rest: string, parent: Node | undefined, nodes: readonly Node[], offset: number): Descent {
  const siblings = new Siblings(parent);
  let found: { readonly node: Node; readonly steps: Path; readonly rest: string } | undefined;
  for (const node of nodes) {
    const steps = siblings.steps(node);
    const behind = rest === "" ? undefined : restBehind(rest, wordOf(node, parent));
    if (behind === undefined) continue;
    // Of several with one name, the one that the fault is in.
    const isInside = offset >= node.at && offset < node.at + Math.max(1, node.size);
    if (found === undefined || isInside) found = { node, steps, rest: behind };
    if (isInside) break;
  }
  if (found === undefined) return { steps: [], rest };
  const deeper = descend(found.rest, found.node, found.node.children ?? [], offset);
  return { steps: [...found.steps, ...deeper.steps], rest: deeper.rest };
}

/** How a walk names a field in the paths of its faults. */
function wordOf({ name, index }: Node, parent: Node | undefined): string {
  if (index < 0) return name;
  return name === parent?.name ? `[${index}]` : `${name}[${index}]`;
}

/** Undefined when the path does not begin with the word. */
function restBehind(path: string, word: string): string | undefined {
  if (!path.startsWith(word)) return undefined;
  const rest = path.slice(word.length);
  if (rest === "" || rest.startsWith("[")) return rest;
  return rest.startsWith(".") ? rest.slice(1) : undefined;
}
