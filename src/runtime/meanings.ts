/** Flags: their names, and what is known of each. */

export interface FlagBit {
  readonly name: string;
  readonly mask: number | bigint;
  /** The first sentence of the doc comment. */
  readonly doc?: string;
  /** The document, and the section of it, that defines the flag. */
  readonly source?: string;
}

/** The names of the flags that are set, in the order of the schema; bits without a name last, as one number. */
export function flagNames(
  members: Readonly<Record<string, number | bigint>>,
  value: number | bigint,
): string[] {
  const bits = BigInt(value);
  let left = bits;
  const names: string[] = [];
  for (const [name, member] of Object.entries(members)) {
    const mask = BigInt(member);
    if ((bits & mask) !== mask || mask === 0n) continue;
    names.push(name);
    left &= ~mask;
  }
  if (left !== 0n) names.push(`0x${left.toString(16)}`);
  return names;
}
