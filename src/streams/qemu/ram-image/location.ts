/** Where the content of a page lies, in one number, so that a guest's pages fit into typed arrays. */

export type PageLocation =
  /** Never sent, or discarded since. */
  | { readonly kind: "missing" }
  | { readonly kind: "zero" }
  /** As it is, at an offset of one of the inputs. */
  | { readonly kind: "plain"; readonly input: number; readonly at: number }
  /** Compressed: it is page `ordinal` of those that unpacking this input gives. */
  | { readonly kind: "packed"; readonly input: number; readonly ordinal: number }
  /** What it was before, changed as entry `index` of the list of changes says. */
  | { readonly kind: "changed"; readonly index: number };

const MISSING = 0;
export const ZERO_CODE = 1;
const FIRST = 2;
const KINDS = 3;
export const MAX_INPUTS = 64;
/** Offsets beyond cannot be told apart in a double. */
export const MAX_OFFSET = 2 ** 44;

export function plainCode(input: number, at: number): number {
  return FIRST + (at * MAX_INPUTS + input) * KINDS;
}

export function packedCode(input: number, ordinal: number): number {
  return plainCode(input, ordinal) + 1;
}

export function changedCode(index: number): number {
  return plainCode(0, index) + 2;
}

export function isMissing(code: number): boolean {
  return code === MISSING;
}

export function locationOf(code: number): PageLocation {
  if (isMissing(code)) return { kind: "missing" };
  if (code === ZERO_CODE) return { kind: "zero" };
  const rest = code - FIRST;
  const kind = rest % KINDS;
  const place = Math.floor(rest / KINDS);
  const input = place % MAX_INPUTS;
  const value = Math.floor(place / MAX_INPUTS);
  if (kind === 0) return { kind: "plain", input, at: value };
  if (kind === 1) return { kind: "packed", input, ordinal: value };
  return { kind: "changed", index: value };
}
