/** A difference between two versions of a schema: a named change with its places. */
import type { Enum, Flags, Struct } from "../../schema/ir.js";
import type { RuleId } from "../rules.js";

/** A line of a schema. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Change {
  readonly rule: RuleId;
  readonly module: string;
  /** The declaration that changes, e.g. `virtio_pci_common_cfg`. */
  readonly declaration: string;
  /** The names by which a difference in reading shows that it comes from this change. */
  readonly members: readonly string[];
  /** What was, and what is. */
  readonly detail: string;
  readonly old: Place | undefined;
  readonly new: Place | undefined;
  /** The declaration in both versions. */
  readonly subject:
    | { readonly kind: "struct"; readonly old: Struct; readonly new: Struct }
    | { readonly kind: "names"; readonly old: Enum | Flags; readonly new: Enum | Flags }
    | undefined;
  /** By its nature, an old reader refuses what a new case brings: the default refuses. */
  readonly refuses?: boolean;
  /** The new value, where a range of values may be reserved for others. */
  readonly value?: bigint;
}
