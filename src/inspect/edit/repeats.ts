/** Values that stand twice in a device's state: who changes one of them should know of the other. */
import type { FieldValue } from "../../runtime/index.js";
import { eachLeaf, type Leaf } from "../leaves.js";
import { printPath } from "../path.js";
import { type CaptureRecord, hex } from "../report.js";

/** Names that one value has at different places; fields of the same name need no entry. */
const SYNONYMS: readonly ReadonlySet<string>[] = [new Set(["guest_features", "guest_features_lo"])];
const MAX_NOTES = 8;

/** Where the same device has the same value under the same name, or another name of it. */
export function repeatsOf(record: CaptureRecord, changed: Leaf): string[] {
  const { node } = changed;
  if (node === undefined || !isTelling(node.value)) return [];
  const names = SYNONYMS.find((set) => set.has(node.name)) ?? new Set([node.name]);
  const notes: string[] = [];
  eachLeaf(record, undefined, (leaf) => {
    const other = leaf.node;
    if (other === undefined || other.at === node.at || !names.has(other.name) || notes.length === MAX_NOTES)
      return;
    if (!isSame(other.value, node.value)) return;
    notes.push(
      `${printPath(leaf.path)} at ${hex(other.at)} has the same value as ${printPath(changed.path)} had: it is not changed`,
    );
  });
  return notes;
}

/** Small numbers are the same everywhere by accident. */
function isTelling(value: FieldValue | undefined): boolean {
  if (value instanceof Uint8Array) return value.some((byte) => byte !== 0);
  return typeof value === "string" ? value !== "" : value !== undefined && value > 0xff;
}

/** The low half of a 64-bit value counts as the same. */
function isSame(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a instanceof Uint8Array)
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  if (typeof a === "string" || typeof b === "string" || b instanceof Uint8Array) return a === b;
  if (a === undefined || b === undefined) return false;
  return BigInt.asUintN(32, BigInt(a)) === BigInt.asUintN(32, BigInt(b));
}
