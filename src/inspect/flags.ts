/**
 * The flags of a mask one by one, each with the document and section that define it. The tables are made from the
 * schemas; which of them a mask goes by depends on the device type, so fields carry tables and renderers look names up.
 */
import type { FlagBit } from "../runtime/index.js";

/** What names the flags of a value. */
export interface FlagTables {
  readonly tables: readonly (readonly FlagBit[])[];
  /** The number that the tables give to the value's lowest bit: fields can hold one word of a longer mask. */
  readonly first: number;
}

export interface SetFlag {
  /** As the tables number it: the lowest one of a flag with several. */
  readonly bit: number;
  /** Undefined of a bit that no table has. */
  readonly name: string | undefined;
  /** The document, and the section of it. */
  readonly source: string | undefined;
}

/** The flags of a value, lowest first. */
export function setFlags(value: number | bigint, { tables, first }: FlagTables): SetFlag[] {
  // What is negative holds the flags of its two's complement.
  const bits = BigInt.asUintN(64 + first, BigInt(value) << BigInt(first));
  let left = bits;
  const flags: SetFlag[] = [];
  for (const { name, mask, source } of tables.flat()) {
    const wanted = BigInt(mask);
    if (wanted === 0n || (bits & wanted) !== wanted) continue;
    flags.push({ bit: lowest(wanted), name, source });
    left &= ~wanted;
  }
  for (; left !== 0n; left &= left - 1n)
    flags.push({ bit: lowest(left), name: undefined, source: undefined });
  return flags.sort((a, b) => a.bit - b.bit);
}

function lowest(mask: bigint): number {
  return (mask & -mask).toString(2).length - 1;
}

/** `virtio 1.4, 5.1.3` of `virtio 1.4, 5.1.3 Feature bits (…)`; of other documents, the file and what follows it. */
export function sectionOf(source: string | undefined): string {
  if (source === undefined) return "";
  return (
    /^virtio [\d.]+, \d[\d.]*/.exec(source)?.[0] ??
    /[\w.-]+\.(?:rst|h|c)\b(?:, (?!\S+\.)[^,;]+)?/.exec(source)?.[0] ??
    source
  );
}
