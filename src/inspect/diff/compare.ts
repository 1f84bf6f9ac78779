/** Finds what differs between two trees of values. */
import type { Leaf } from "../leaves.js";
import type { Path } from "../path.js";
import type { Branch, ValueTree } from "./tree.js";

export type Difference =
  | { readonly kind: "changed"; readonly first: Leaf; readonly second: Leaf }
  | { readonly kind: "only-first" | "only-second"; readonly part: Part };

/** What one capture has and the other has not. */
export interface Part {
  readonly path: Path;
  /** What a record in a list is called, which its path does not say. */
  readonly name: string | undefined;
  /** How many values. */
  readonly values: number;
  /** The value, when it is one. */
  readonly leaf: Leaf | undefined;
  readonly at: number | undefined;
  readonly size: number | undefined;
}

export interface CompareOptions {
  /** Compare which fields there are and of which types, not what they hold. */
  readonly schema: boolean;
}

/** In the order of the first capture; what only the second has comes at the end of each level. */
export function compareTrees(
  first: ValueTree,
  second: ValueTree,
  options: CompareOptions,
  report: (difference: Difference) => void,
): void {
  compareBranches(first.root, second.root, options, report);
}

function compareBranches(
  first: Branch,
  second: Branch,
  options: CompareOptions,
  report: (difference: Difference) => void,
): void {
  if (first.leaf !== undefined && second.leaf !== undefined) {
    if (!same(first.leaf, second.leaf, options))
      report({ kind: "changed", first: first.leaf, second: second.leaf });
  } else if (first.leaf !== undefined) report({ kind: "only-first", part: partOf(first, first.leaf) });
  else if (second.leaf !== undefined) report({ kind: "only-second", part: partOf(second, second.leaf) });
  for (const [key, branch] of first.branches) {
    const other = second.branches.get(key);
    if (other === undefined) report({ kind: "only-first", part: wholePart(branch) });
    else compareBranches(branch, other, options, report);
  }
  for (const [key, branch] of second.branches) {
    if (!first.branches.has(key)) report({ kind: "only-second", part: wholePart(branch) });
  }
}

function partOf({ path }: Branch, leaf: Leaf): Part {
  return { path, name: undefined, values: 1, leaf, at: leaf.at, size: leaf.size };
}

function wholePart(branch: Branch): Part {
  const leaves: Leaf[] = [];
  gather(branch, leaves);
  const [only] = leaves;
  if (only !== undefined && leaves.length === 1 && branch.branches.size === 0) return partOf(branch, only);
  const { record } = branch;
  if (record !== undefined) {
    const { name, at, size } = record;
    const isNamed = branch.path[branch.path.length - 1]?.kind === "name";
    return {
      path: branch.path,
      name: isNamed ? undefined : name,
      values: leaves.length,
      leaf: undefined,
      at,
      size,
    };
  }
  let at = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const leaf of leaves) {
    if (leaf.at === undefined || leaf.size === undefined) continue;
    at = Math.min(at, leaf.at);
    end = Math.max(end, leaf.at + leaf.size);
  }
  const placed = at <= end;
  return {
    path: branch.path,
    name: undefined,
    values: leaves.length,
    leaf: undefined,
    at: placed ? at : undefined,
    size: placed ? end - at : undefined,
  };
}

function gather(branch: Branch, leaves: Leaf[]): void {
  if (branch.leaf !== undefined) leaves.push(branch.leaf);
  for (const inner of branch.branches.values()) gather(inner, leaves);
}

function same(first: Leaf, second: Leaf, { schema }: CompareOptions): boolean {
  if (schema && first.node !== undefined && second.node !== undefined)
    return first.node.type === second.node.type && first.node.size === second.node.size;
  // Of attributes, the version belongs to the structure.
  const name = first.path[first.path.length - 1];
  if (schema && !(name?.kind === "name" && name.name === "version_id")) return true;
  return sameValue(first.value, second.value);
}

function sameValue(first: Leaf["value"], second: Leaf["value"]): boolean {
  if (first instanceof Uint8Array || second instanceof Uint8Array) {
    if (!(first instanceof Uint8Array && second instanceof Uint8Array)) return false;
    return first.length === second.length && first.every((byte, i) => byte === second[i]);
  }
  if (typeof first === "object" && typeof second === "object")
    return first.length === second.length && first.every((one, i) => one === second[i]);
  // A 64-bit value is a number or a bigint, as large as it is.
  if (typeof first === "bigint" || typeof second === "bigint") return String(first) === String(second);
  return first === second;
}
