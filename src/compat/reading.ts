/** What an interpreter makes of bytes. */

/** Values of parameters by name: truth values are 0 and 1, an order is 1 for little-endian. */
export type Arguments = ReadonlyMap<string, bigint>;

/** One value of the message, or the choice that a switch made. */
export interface Leaf {
  /** In the schema's names, e.g. `entries[3].flags`. */
  readonly path: string;
  readonly at: number;
  readonly size: number;
  readonly value: bigint | Uint8Array | string;
  /** What the value is called: a member of an enum, flags that are set, the case of a switch. */
  readonly names: readonly string[];
  /** Kept, not understood: reserved bytes, and what the default of a switch keeps. */
  readonly opaque: boolean;
  /** Under `optional`. */
  readonly optional: boolean;
}

/** The value of a leaf is the name of a case. */
export function isChoice(value: Leaf["value"]): value is string {
  return typeof value === "string";
}

export interface InterpretedFault {
  readonly code: "truncated" | "overrun" | "trailing" | "constraint" | "constant" | "enum" | "tag" | "range";
  readonly path: string;
  readonly offset: number;
}

export interface Reading {
  readonly leaves: readonly Leaf[];
  /** How many bytes the value took, up to the fault if there is one. */
  readonly size: number;
  readonly fault: InterpretedFault | undefined;
}

export interface InterpretOptions {
  /**
   * Reads as the extension rules of device contexts ask for: what a range has behind the members that are known is
   * passed over, and a member that would begin at the end of its range is not there.
   */
  readonly extensible?: boolean;
}
