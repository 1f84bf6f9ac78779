/** The kinds of changes that are told apart: what each is, and whom it breaks by its nature. */

export interface Rule {
  /** One sentence, for the report. */
  readonly about: string;
  /** Old readers cannot be expected to understand data of the new version. */
  readonly oldReaders: boolean;
  /** New readers cannot be expected to understand data of the old version. */
  readonly oldData: boolean;
  /** Bytes behind the member move, so that any difference behind it may come from it. */
  readonly moves: boolean;
}

function rule(breaks: "neither" | "both" | "oldReaders" | "oldData", about: string, moves = false): Rule {
  return {
    about,
    oldReaders: breaks === "both" || breaks === "oldReaders",
    oldData: breaks === "both" || breaks === "oldData",
    moves,
  };
}

/**
 * By their nature only: the verdict is that of the search for a witness, and a change that breaks by its nature without
 * one is `unproven`.
 */
export const RULES = {
  "struct-removed": rule("both", "A struct is gone: nothing is left to read its bytes with."),
  "struct-added": rule("neither", "A struct is new."),
  "parameters-changed": rule("neither", "What has to be known from elsewhere is another thing."),
  "field-inserted": rule("both", "A new member stands before members that were there.", true),
  "field-appended": rule("both", "A new member stands at the end, and is always there.", true),
  "optional-added": rule(
    "neither",
    "A new member stands at the end, and is there when bytes are left for it.",
  ),
  "conditional-added": rule("neither", "A new member is there under a condition.", true),
  "reserved-claimed": rule(
    "neither",
    "Bytes that were reserved have a meaning. Strict readers refuse what is not zero there.",
  ),
  "field-reserved": rule("neither", "The bytes of a member are reserved now."),
  "field-removed": rule("both", "A member is gone.", true),
  "field-renamed": rule("neither", "A member has another name."),
  "field-moved": rule("both", "A member stands before or behind others than it did.", true),
  "type-changed": rule("both", "A member has another type.", true),
  "meaning-changed": rule("neither", "The values of a member belong to another enum or flag set."),
  "count-changed": rule("both", "There is another number of elements.", true),
  "constant-changed": rule("both", "A fixed value is another one."),
  "constant-added": rule("oldData", "A value is fixed that could be any."),
  "constant-dropped": rule("oldReaders", "A value can be any that was fixed."),
  "condition-changed": rule("both", "A member is there under another condition.", true),
  "range-changed": rule("both", "A range has another length.", true),
  "range-added": rule("oldData", "Members are bounded by a range.", true),
  "range-removed": rule("oldReaders", "Members are no longer bounded by a range.", true),
  "constraint-added": rule("oldData", "A constraint refuses what was allowed."),
  "constraint-removed": rule("oldReaders", "A constraint that refused something is gone."),
  "constraint-changed": rule("both", "A constraint compares with other values."),
  "tag-changed": rule("both", "A switch chooses by another value.", true),
  "case-added": rule("neither", "A tag that was unknown has a case."),
  "case-removed": rule("neither", "A tag that had a case is unknown."),
  "case-relabelled": rule("both", "A case belongs to other tags."),
  "default-changed": rule("neither", "Unknown tags are treated in another way."),
  "enum-member-added": rule("neither", "A value has a name now."),
  "enum-member-removed": rule("neither", "A value has no name any more."),
  "enum-member-renamed": rule("neither", "A value has another name."),
  "enum-member-renumbered": rule("both", "A name stands for another value."),
  "enum-closed": rule("oldData", "Values without a name are refused."),
  "enum-opened": rule("oldReaders", "Values without a name are no longer refused."),
  "flag-added": rule("neither", "A bit has a name now."),
  "flag-removed": rule("neither", "A bit has no name any more."),
  "flag-renamed": rule("neither", "A bit has another name."),
  "flag-renumbered": rule("both", "A name stands for other bits."),
  "message-contract": rule(
    "both",
    "What goes with a message changes: reply, acknowledgement, descriptors or feature. Its bytes do not show it.",
  ),
  "type-out-of-range": rule(
    "neither",
    "A new context type stands outside the ranges for generic fields and for device types.",
  ),
  effect: rule(
    "neither",
    "Changes that are compatible each for itself break in this struct, which holds them.",
  ),
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;
